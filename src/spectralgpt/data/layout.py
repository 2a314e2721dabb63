"""What all samples of a table have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectralgpt.bands import Band
from spectralgpt.plain import from_plain, to_plain
from spectralgpt.tasks import TargetKind

UNLABELLED: dict[str, Any] = {"target": None, "classes": 0}
"""The fields that only layouts with a target have in files."""

MOST_CLASSES = 32_767
"""Classes that the indices of a mask can tell apart."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Bands in order of wavelength, the NumPy type of the stored values, number of dates, side in pixels.

    target: what the labels of the samples are, None without labels; classes: the number of their classes. Samples of
    one layout can share a batch. ValueError for an unknown type, without a band, a date or a pixel, and for a target
    without classes.
    """

    bands: tuple[Band, ...]
    dtype: str
    dates: int
    side: int
    target: TargetKind | None = None
    classes: int = 0

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
        least, most = (0, 0) if self.target is None else (1, MOST_CLASSES)
        if not least <= self.classes <= most:
            raise ValueError(f"found {self.classes} classes for the target {self.target}; expected {least} to {most}")

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


def plain_layout(layout: Layout) -> dict[str, Any]:
    """A layout as JSON holds it; without a target as before there were targets, so that files and fingerprints of such
    shards stay the same."""
    plain: dict[str, Any] = to_plain(layout)
    return plain if layout.target is not None else {key: plain[key] for key in plain if key not in UNLABELLED}


def layout_from(plain: Any) -> Layout:
    """The layout that `plain_layout` gave. OptionError for anything else."""
    return from_plain(Layout, UNLABELLED | dict(plain) if isinstance(plain, Mapping) else plain, complete=True)


def wavelength_order(bands: Sequence[Band]) -> list[int]:
    """The indices of bands in order of wavelength, the same for any order of the same bands."""
    return sorted(range(len(bands)), key=lambda index: (bands[index].wavelength, bands[index].identity))
