"""What a read returns: stored values, which are valid, and how they become reflectance."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int32, Shaped

from spectralgpt.bands import Band
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.window import Window

LARGEST_MEASURED = 1e30
"""No float above it was measured: writers fill with the largest number of a type (3.4e38) and forget to declare it."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Stored values and which are valid; those that are not are junk. valid None: all are.

    reflectance = stored x scale + offset, per band. days: since 1970-01-01 in UTC, -1 unknown. gsd: metres on the
    ground, nan unknown.
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

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored values."""
        return self.values.dtype

    def read(self, window: Window | None = None) -> "Pixels":
        """The pixels of a window, default all, without a copy, as `Raster.read` gives them. ValueError when the window
        leaves the grid."""
        if window is None:
            return self
        if not self.grid.whole.contains(window):
            raise ValueError(f"{window} leaves the grid of {self.grid.height} x {self.grid.width} pixels")
        rows, columns = window.slices
        return replace(
            self,
            values=self.values[..., rows, columns],
            valid=None if self.valid is None else self.valid[..., rows, columns],
            grid=self.grid.window(window),
        )

    def reflectance(self) -> Float32[np.ndarray, "date band row column"]:
        """Stored x scale + offset, computed in double precision; junk where not valid."""
        result = np.empty(self.values.shape, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # a nodata like -1.8e308 does not fit float32
            for band, (scale, offset) in enumerate(zip(self.scale, self.offset, strict=True)):
                result[:, band] = self.values[:, band].astype(np.float64) * scale + offset
        return result

    @classmethod
    def from_array(cls, values: Any, **described: Any) -> "Pixels":
        """The former name of `spectralgpt.as_pixels`."""
        import spectralgpt  # a room above, by the public interface; goes with this method

        warnings.warn("Pixels.from_array is now spectralgpt.as_pixels", DeprecationWarning, stacklevel=2)
        pixels: Pixels = spectralgpt.as_pixels(values, **described)
        return pixels


def is_real(dtype: np.dtype[Any]) -> bool:
    """Whether an image may be of this type: integers and floats, not complex numbers or text."""
    return dtype.kind in "iuf"


def measured(
    values: Shaped[np.ndarray, "date band row column"], nodata: Sequence[float | int | None]
) -> Bool[np.ndarray, "date band row column"] | None:
    """Where a value is finite, below LARGEST_MEASURED, and not its band's nodata; None where all are."""
    marks = _marks(tuple(nodata), values.dtype)
    if _are_measured(values, marks):
        return None
    true: np.ndarray | None = None
    if values.dtype.kind == "f":
        true = np.isfinite(values) if values.dtype.itemsize < 4 else np.abs(values) < LARGEST_MEASURED
    if marks and marks[0] is not None and all(stored == marks[0] for stored in marks):
        here = values != marks[0]  # the usual case, in one pass
        if not here.all():
            true = here if true is None else true & here
        marks = ()
    for band, stored in enumerate(marks):
        if stored is None:
            continue
        here = values[:, band] != stored
        if not here.all():
            if true is None:
                true = np.ones(values.shape, bool)
            true[:, band] &= here
    return None if true is None or true.all() else true


def _are_measured(values: Shaped[np.ndarray, "date band row column"], marks: tuple[Any, ...]) -> bool:
    """Whether the range of the values alone shows that all are measured, which is the usual case: no pass over an array
    is faster than its smallest value. False where it does not show it, and with NaN."""
    known = [mark for mark in marks if mark is not None]
    floats = values.dtype.kind == "f"
    if not (values.size and (known or floats)):
        return not floats or not values.size
    low = values.min()
    if not floats and all(mark < low for mark in known):
        return True
    high = values.max()
    # as Python's numbers: a half float cannot hold the limit
    within = not floats or -LARGEST_MEASURED < float(low) <= float(high) < LARGEST_MEASURED
    return within and all(mark < low or mark > high for mark in known)


@lru_cache(maxsize=256)
def _marks(nodata: tuple[float | int | None, ...], dtype: np.dtype[Any]) -> tuple[Any, ...]:
    return tuple(_stored(marked, dtype) for marked in nodata)


def _stored(nodata: float | int | None, dtype: np.dtype[Any]) -> Any:
    """nodata as a value of the array; None for NaN, and for values outside the type (300 in bytes, 0.5 in integers)."""
    if nodata is None or math.isnan(nodata):
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            # a float32 file declares its nodata in double precision
            return np.float64(nodata).astype(dtype)
    limits = np.iinfo(dtype)
    return dtype.type(int(nodata)) if nodata == int(nodata) and limits.min <= nodata <= limits.max else None


def can_hold(dtype: str | np.dtype[Any], nodata: float | int) -> bool:
    """Whether a value of this type can be nodata: not 300 in bytes, or 0.5 in integers."""
    return _stored(nodata, np.dtype(dtype)) is not None


def combined(
    one: Bool[np.ndarray, "date band row column"] | None, other: Bool[np.ndarray, "date band row column"] | None
) -> Bool[np.ndarray, "date band row column"] | None:
    """Where both are valid; None when all pixels are."""
    if one is not None and other is not None:
        both: np.ndarray | None = one & other
    else:
        both = other if one is None else one
    return None if both is None or both.all() else np.ascontiguousarray(both)
