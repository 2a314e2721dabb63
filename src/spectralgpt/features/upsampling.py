"""Vectors of places, bilinearly interpolated at the pixels of a window."""

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
        _between(first, length, reduce, count)
        for first, length, count in zip((window.row, window.column), window.shape, valid.shape, strict=True)
    )
    if valid.all():
        return _interpolated(places, rows, columns)
    values = _interpolated(np.where(valid[..., None], places, np.float32(0)), rows, columns)
    weight = _interpolated(known, rows, columns)
    return np.asarray(np.divide(values, weight, out=np.zeros_like(values), where=weight > 0))


_Between = tuple[Int64[np.ndarray, "_"], Int64[np.ndarray, "_"], Float32[np.ndarray, "_"]]
"""The place before each pixel, the one after it, and the weight of the one after. (No named axis: images have other
numbers of rows than of columns.)"""


def _between(first: int, length: int, reduce: int, count: int) -> _Between:
    at = np.clip((np.arange(first, first + length) + 0.5) / reduce - 0.5, 0, count - 1)
    before = np.floor(at).astype(np.int64)
    return before, np.minimum(before + 1, count - 1), (at - before).astype(np.float32)


def _interpolated(
    places: Float32[np.ndarray, "placerow placecolumn value"], rows: _Between, columns: _Between
) -> Float32[np.ndarray, "row column value"]:
    above, below, down = rows
    left, right, along = columns
    lines = places[above] + (places[below] - places[above]) * down[:, None, None]
    wide: np.ndarray = lines[:, right]
    wide -= lines[:, left]
    wide *= along[:, None]
    wide += lines[:, left]
    return wide
