"""Means and deviations of the pixels around each pixel."""

import numpy as np
from jaxtyping import Bool, Float32, Float64


def around(
    values: Float32[np.ndarray, "plane row column"], valid: Bool[np.ndarray, "plane row column"], side: int
) -> tuple[Float32[np.ndarray, "plane row column"], Float32[np.ndarray, "plane row column"]]:
    """Mean and standard deviation over the valid pixels of the square of `side` pixels around each pixel, as far as it
    lies in the image; 0 without a valid pixel. side: odd."""
    assert side % 2, f"a square of {side} pixels has no middle"
    counts = np.maximum(_sums(valid.astype(np.float64), side), 1)
    # about a value of the plane's own size, so that the difference of squares keeps its digits
    centre = np.where(valid, values, 0).sum(axis=(1, 2), dtype=np.float64) / np.maximum(valid.sum(axis=(1, 2)), 1)
    centred = np.where(valid, values - centre[:, None, None], 0.0)
    mean = _sums(centred, side) / counts
    square = _sums(centred * centred, side) / counts
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))
    anything = _sums(valid.astype(np.float64), side) > 0
    return (
        np.where(anything, mean + centre[:, None, None], 0).astype(np.float32),
        np.where(anything, deviation, 0).astype(np.float32),
    )


def _sums(values: Float64[np.ndarray, "plane row column"], side: int) -> Float64[np.ndarray, "plane row column"]:
    """Sums over the square around each pixel."""
    half = side // 2
    for axis in (1, 2):
        padding = [(0, 0)] * 3
        padding[axis] = (half + 1, half)
        running = np.cumsum(np.pad(values, padding), axis=axis)
        length = values.shape[axis]
        upper = np.take(running, range(side, side + length), axis=axis)
        values = upper - np.take(running, range(length), axis=axis)
    return values
