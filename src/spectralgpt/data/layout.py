"""What all samples of a table have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spectralgpt.bands import Band


@dataclass(frozen=True, slots=True)
class Layout:
    """Bands in order of wavelength, the NumPy type of the stored values, number of dates, side in pixels.

    Samples of one layout can share a batch. ValueError for an unknown type, and without a band, a date or a pixel.
    """

    bands: tuple[Band, ...]
    dtype: str
    dates: int
    side: int

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "dtype", str(np.dtype(self.dtype)))
        except TypeError as error:
            raise ValueError(f"found the dtype {self.dtype!r} ({error})") from None
        if not self.bands or self.dates < 1 or self.side < 1:
            raise ValueError(
                f"found {len(self.bands)} bands, {self.dates} dates and a side of {self.side} pixels; expected at "
                "least one of each"
            )

    @property
    def sensor(self) -> str:
        """The sensor of all bands."""
        return self.bands[0].sensor

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """date, band, row, column."""
        return self.dates, len(self.bands), self.side, self.side

    @property
    def bytes(self) -> int:
        """Size of the values of one sample."""
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


def wavelength_order(bands: Sequence[Band]) -> list[int]:
    """The indices of bands in order of wavelength, the same for any order of the same bands."""
    return sorted(range(len(bands)), key=lambda index: (bands[index].wavelength, bands[index].identity))
