"""Vectors of places, bilinearly interpolated at the pixels of a window."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from spectralgpt.raster import Window


def at_pixels(
    places: Float32[np.ndarray, "placerow placecolumn value"],
    valid: Bool[np.ndarray, "placerow placecolumn"],
    reduce: int,
    window: Window,
) -> Float32[np.ndarray, "row column value"]:
    """Values at the centres of the window's pixels, between the centres of places of `reduce` x `reduce` pixels.

    A place that is not valid has no weight, and the others' are divided by their sum; 0 where none of the four around a
    pixel is valid. Beyond the outermost centres values are those at the edge. The same numbers whatever the window.
    """
    known = valid[..., None].astype(np.float32)
    rows, columns = (
        _Neighbours.of(first, length, reduce, count)
        for first, length, count in zip((window.row, window.column), window.shape, valid.shape, strict=True)
    )
    if valid.all():
        return _interpolated(places, rows, columns)
    values = _interpolated(np.where(valid[..., None], places, np.float32(0)), rows, columns)
    weight = _interpolated(known, rows, columns)
    return np.asarray(np.divide(values, weight, out=np.zeros_like(values), where=weight > 0))


@dataclass(frozen=True, slots=True, eq=False)
class _Neighbours:
    """Along an axis: the place before each pixel, the one after it, and the weight of the one after."""

    before: Int64[np.ndarray, " pixel"]
    after: Int64[np.ndarray, " pixel"]
    weight: Float32[np.ndarray, " pixel"]

    @classmethod
    def of(cls, first: int, length: int, reduce: int, count: int) -> "_Neighbours":
        """Of `length` pixels from `first` on, between the centres of `count` places."""
        at = np.clip((np.arange(first, first + length) + 0.5) / reduce - 0.5, 0, count - 1)
        before = np.floor(at).astype(np.int64)
        return cls(before, np.minimum(before + 1, count - 1), (at - before).astype(np.float32))


def _interpolated(
    places: Float32[np.ndarray, "placerow placecolumn value"], rows: _Neighbours, columns: _Neighbours
) -> Float32[np.ndarray, "row column value"]:
    above = places[rows.before]
    lines = above + (places[rows.after] - above) * rows.weight[:, None, None]
    left = lines[:, columns.before]
    wide: np.ndarray = lines[:, columns.after]
    wide -= left
    wide *= columns.weight[:, None]
    wide += left
    return wide
