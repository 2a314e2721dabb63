"""The picture of a map of vectors: its first three principal components as red, green and blue."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from numpy.typing import NDArray

VECTORS = 50_000
"""The components are fitted to about this number of vectors, at most to four times that."""

PICTURE_PLACES = 2**20
"""About the largest number of places that are drawn: of larger maps every second, every third, ..."""

COMPONENTS = 3


def component_picture(rows: Sequence[NDArray[Any]], shape: tuple[int, int]) -> UInt8[np.ndarray, "row column 4"]:
    """RGBA of a map of `shape` rows and columns; each component stretched from its 2 % to its 98 % quantile;
    transparent where not valid.

    rows: its block rows from the top, [value, row, column] in float32, NaN where not valid. They are read three times,
    one in memory at a time; memory grows with the picture, not with the map.
    """
    places = shape[0] * shape[1]
    every, apart = max(1, math.isqrt(places // VECTORS)), math.ceil(math.sqrt(places / PICTURE_PLACES))
    mean = _mean(rows, every)
    axes = _axes(rows, every, mean)
    drawn = np.stack([_projected(line[:, ::apart], mean, axes) for line in _lines(rows, apart)])
    return _stretched(drawn)


def _lines(rows: Sequence[NDArray[Any]], apart: int) -> Iterator[NDArray[Any]]:
    """Every `apart`-th row of the map: [value, column]."""
    top = 0
    for block in rows:
        for row in range(-top % apart, block.shape[1], apart):
            yield block[:, row]
        top += block.shape[1]


def _sampled(rows: Sequence[NDArray[Any]], every: int) -> Iterator[Float32[np.ndarray, "vector value"]]:
    """Vectors at every `every`-th row and column of each block row, one row at a time."""
    for block in rows:
        for row in range(0, block.shape[1], every):
            vectors = block[:, row, ::every].T
            yield vectors[~np.isnan(vectors).any(axis=1)]


def _mean(rows: Sequence[NDArray[Any]], every: int) -> Float32[np.ndarray, " value"]:
    """Mean of the sampled vectors; 0 if there are none."""
    count, total = 0, None
    for vectors in _sampled(rows, every):
        # added in order, as NumPy's mean over the first axis of all vectors adds them
        so_far = vectors if total is None else np.concatenate([total[None], vectors])
        total = np.add.reduce(so_far, axis=0)
        count += len(vectors)
    assert total is not None, "a map has a block row"
    mean: Float32[np.ndarray, " value"] = total / np.float32(max(1, count))
    return mean


def _axes(
    rows: Sequence[NDArray[Any]], every: int, mean: Float32[np.ndarray, " value"]
) -> Float64[np.ndarray, "value component"]:
    """The principal axes of the sampled vectors, the strongest first."""
    scatter = np.zeros((len(mean), len(mean)))
    for vectors in _sampled(rows, every):
        spread = (vectors - mean).astype(np.float64)
        scatter += spread.T @ spread
    axes = np.linalg.eigh(scatter)[1][:, : -COMPONENTS - 1 : -1]
    # the sign of an axis is arbitrary: its largest entry is made positive, so that pictures can be compared
    strongest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    return axes * np.where(strongest < 0, -1.0, 1.0)


def _projected(
    line: NDArray[Any], mean: Float32[np.ndarray, " value"], axes: Float64[np.ndarray, "value component"]
) -> Float64[np.ndarray, "column component"]:
    projected: Float64[np.ndarray, "column component"] = (line.T - mean).astype(np.float64) @ axes
    return projected


def _stretched(components: Float64[np.ndarray, "row column component"]) -> UInt8[np.ndarray, "row column 4"]:
    picture = np.zeros((*components.shape[:2], 4), np.uint8)
    known = ~np.isnan(components).any(axis=-1)
    if known.any():
        low, high = np.quantile(components[known], (0.02, 0.98), axis=0)
        stretched = (components[known] - low) / np.maximum(high - low, 1e-12)
        picture[known, : components.shape[-1]] = np.clip(stretched * 255, 0, 255)
        picture[known, 3] = 255
    return picture
