"""Hidden values estimated without a model: between dates, and between places."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

SWEEPS = 1000
"""Largest number of steps of the solver; holes of 100 pixels across take about 200."""

CONVERGED = 3e-5
"""Root of the sum of squares, over an image, of what is left in Laplace's equation, in reflectance; the solution is
then wrong by about as much."""


def in_time(
    truth: Float32[np.ndarray, "date band row column"],
    visible: Bool[np.ndarray, "date band row column"],
    times: Sequence[int],
    date: int,
) -> tuple[Float64[np.ndarray, "2 band row column"], Bool[np.ndarray, "band row column"]]:
    """A date from the others where they are visible: the nearest (of two as near, the earlier), and linear in time
    between the last one before and the first one after (where only one side is visible, its nearest); and where either
    is known. times: ascending."""
    exact = truth.astype(np.float64)
    (before, before_time), (after, after_time) = (
        _first_visible(exact, visible, times, side) for side in (range(date - 1, -1, -1), range(date + 1, len(times)))
    )
    # distances; infinite where no date of that side is visible
    past, future = times[date] - before_time, after_time - times[date]
    nearest = np.where(past <= future, before, after)
    both = np.isfinite(past) & np.isfinite(future)
    past, future = np.where(both, past, 0.0), np.where(both, future, 0.0)
    # dates of one day count alike
    share = np.divide(past, past + future, out=np.full(past.shape, 0.5), where=past + future > 0)
    linear = np.where(both, before + share * (after - before), nearest)
    return np.stack([nearest, linear]), np.isfinite(before_time) | np.isfinite(after_time)


def harmonic(
    values: Float[np.ndarray, "image row column"], visible: Bool[np.ndarray, "image row column"]
) -> Float[np.ndarray, "image row column"]:
    """Images with the values that are not visible filled by the solution of Laplace's equation between the visible:
    each is the mean of its neighbours, of which there are fewer at an edge. 0 in an image where nothing is visible.

    Solved by conjugate gradients, all images together, in the type of `values`: float32 takes about half the time.
    """
    shown = np.where(visible, values, 0.0)
    mean = (shown.sum(axis=(1, 2)) / np.maximum(visible.sum(axis=(1, 2)), 1)).astype(shown.dtype)
    field = np.where(visible, shown, mean[:, None, None])
    left = _pull(field, visible)
    step, size = left.copy(), _dot(left, left)
    for _ in range(SWEEPS):
        if size.max(initial=0.0) <= CONVERGED**2:
            break
        pull = _pull(step, visible)
        along = -_dot(step, pull)
        length = np.divide(size, along, out=np.zeros_like(size), where=along > 0)[:, None, None]
        field += length * step
        pull *= length
        left += pull
        former, size = size, _dot(left, left)
        step *= np.divide(size, former, out=np.zeros_like(size), where=former > 0)[:, None, None]
        step += left
    return field


def _first_visible(
    exact: Float64[np.ndarray, "date band row column"],
    visible: Bool[np.ndarray, "date band row column"],
    times: Sequence[int],
    dates: range,
) -> tuple[Float64[np.ndarray, "band row column"], Float64[np.ndarray, "band row column"]]:
    """The value of the first of the dates that is visible, and its time; 0 and infinitely far where none is."""
    value = np.zeros(exact.shape[1:])
    time = np.full(exact.shape[1:], -np.inf if dates.step < 0 else np.inf)
    for date in dates:
        first = visible[date] & np.isinf(time)
        value[first], time[first] = exact[date][first], times[date]
    return value, time


def _pull(
    field: Float[np.ndarray, "image row column"], visible: Bool[np.ndarray, "image row column"]
) -> Float[np.ndarray, "image row column"]:
    """Sum over the neighbours of each pixel of their difference from it; 0 where the pixel is visible."""
    result = np.zeros_like(field)
    rows, columns = np.diff(field, axis=1), np.diff(field, axis=2)
    result[:, :-1] += rows
    result[:, 1:] -= rows
    result[:, :, :-1] += columns
    result[:, :, 1:] -= columns
    np.copyto(result, 0.0, where=visible)
    return result


def _dot(
    one: Float[np.ndarray, "image row column"], other: Float[np.ndarray, "image row column"]
) -> Float[np.ndarray, " image"]:
    return np.asarray(np.einsum("irc,irc->i", one, other))
