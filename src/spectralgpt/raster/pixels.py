"""What a read gives: stored values, what is valid, and what makes reflectance of them."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, Shaped

from spectralgpt.bands import Band
from spectralgpt.raster.grid import Grid

LARGEST_MEASURED = 1e30
"""No float above was measured: writers fill with the largest number of a type (3.4e38) and forget to declare it."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Stored values and what is valid; junk stands where valid is false. valid None: everything is.

    reflectance = stored x scale + offset, a band. days: since 1970-01-01 in UTC, -1 unknown. gsd: metres on the ground,
    nan unknown.
    """

    values: Shaped[np.ndarray, "date band row column"]
    valid: Bool[np.ndarray, "date band row column"] | None
    scale: Float[np.ndarray, " band"]
    offset: Float[np.ndarray, " band"]
    bands: tuple[Band, ...]
    grid: Grid
    days: Int32[np.ndarray, " date"]
    gsd: float

    @property
    def shape(self) -> tuple[int, int, int, int]:
        dates, bands, rows, columns = self.values.shape
        return dates, bands, rows, columns

    def reflectance(self) -> Float32[np.ndarray, "date band row column"]:
        """Stored x scale + offset, worked out in double precision; junk where not valid."""
        result = np.empty(self.values.shape, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # a nodata like -1.8e308 has no float32
            for band, (scale, offset) in enumerate(zip(self.scale, self.offset, strict=True)):
                result[:, band] = self.values[:, band].astype(np.float64) * scale + offset
        return result

    @classmethod
    def from_array(cls, values: Any, **described: Any) -> "Pixels":
        """The former name of `spectralgpt.as_pixels`."""
        import spectralgpt  # the rooms above, by the package's public face; goes with this method

        warnings.warn("Pixels.from_array is called spectralgpt.as_pixels now", DeprecationWarning, stacklevel=2)
        pixels: Pixels = spectralgpt.as_pixels(values, **described)
        return pixels


def is_real(dtype: np.dtype[Any]) -> bool:
    """Whether an image may be stored in it: integers and floats, not complex numbers or text."""
    return dtype.kind in "iuf"


def measured(
    values: Shaped[np.ndarray, "date band row column"], nodata: Sequence[float | int | None]
) -> Bool[np.ndarray, "date band row column"] | None:
    """Where a value is finite, below LARGEST_MEASURED, and not its band's nodata; None where all are."""
    true: np.ndarray | None = None
    if values.dtype.kind == "f":
        true = np.isfinite(values) if values.dtype.itemsize < 4 else np.abs(values) < LARGEST_MEASURED
    marks = [_stored(marked, values.dtype) for marked in nodata]
    if marks and marks[0] is not None and all(stored == marks[0] for stored in marks):
        here = values != marks[0]  # the usual case, in one pass
        if not here.all():
            true = here if true is None else true & here
        marks = []
    for band, stored in enumerate(marks):
        if stored is None:
            continue
        here = values[:, band] != stored
        if not here.all():
            if true is None:
                true = np.ones(values.shape, bool)
            true[:, band] &= here
    return None if true is None or true.all() else true


def _stored(nodata: float | int | None, dtype: np.dtype[Any]) -> Any:
    """nodata as it stands in the array; None where it cannot stand there (NaN, 300 in bytes, 0.5 in integers)."""
    if nodata is None or math.isnan(nodata):
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            # a float32 file tells its nodata in double precision
            return np.float64(nodata).astype(dtype)
    limits = np.iinfo(dtype)
    return dtype.type(int(nodata)) if nodata == int(nodata) and limits.min <= nodata <= limits.max else None


def combined(
    one: Bool[np.ndarray, "date band row column"] | None, other: Bool[np.ndarray, "date band row column"] | None
) -> Bool[np.ndarray, "date band row column"] | None:
    """Valid in both; None where all is."""
    if one is not None and other is not None:
        both: np.ndarray | None = one & other
    else:
        both = other if one is None else one
    return None if both is None or both.all() else np.ascontiguousarray(both)
