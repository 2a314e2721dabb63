"""What all samples of one table have in common."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from spectralgpt.bands import Band


@dataclass(frozen=True, slots=True)
class Layout:
    """Bands in order of wavelength, the type in which values are stored, number of dates, side in pixels.

    Samples of one layout can be one batch.
    """

    bands: tuple[Band, ...]
    dtype: str
    dates: int
    side: int

    @property
    def sensor(self) -> str:
        """Of the first band; all bands of an image are of one sensor."""
        return self.bands[0].sensor

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """date, band, row, column."""
        return self.dates, len(self.bands), self.side, self.side

    @property
    def bytes(self) -> int:
        """Of a sample's values."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; from_dict is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Layout":
        """The layout that to_dict wrote. KeyError, TypeError or ValueError for anything else."""
        bands = tuple(Band(**band) for band in values["bands"])
        layout = cls(bands, str(np.dtype(values["dtype"])), int(values["dates"]), int(values["side"]))
        if not bands or layout.dates < 1 or layout.side < 1:
            raise ValueError(f"found the layout {values}; expected at least one band, date and pixel")
        return layout
