"""Hidden values estimated without a model: between dates, and between places."""

from collections.abc import Sequence
from typing import Any

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

    Solved by conjugate gradients, in the type of `values`: float32 takes about half the time.
    """
    field = np.where(visible, values, values.dtype.type(0))
    for image, seen in zip(field, visible, strict=True):
        if seen.any() and not seen.all():
            image[:] = _filled(image, seen)
    return field


def _filled(
    shown: Float[np.ndarray, "row column"], visible: Bool[np.ndarray, "row column"]
) -> Float[np.ndarray, "row column"]:
    """One image, by conjugate gradients from the mean of what is visible."""
    laplace = _Laplace(visible, shown.dtype)
    field = laplace.framed(np.where(visible, shown, shown[visible].mean()))
    step = np.zeros_like(field)
    # views: the pixels that change
    changed, along = field[laplace.pixels], step[laplace.pixels]
    left = laplace.of(field).copy()
    along[:] = left
    size = left @ left
    for _ in range(SWEEPS):
        if size <= CONVERGED**2:
            break
        pull = laplace.of(step)
        length = -size / (along @ pull)
        changed += length * along
        pull *= length
        left += pull
        former, size = size, left @ left
        along *= size / former
        along += left
    return laplace.unframed(field)


class _Laplace:
    """The sum over the neighbours of each pixel of their difference from it, 0 where the pixel is visible.

    Of images as one vector, row by row, with a row of zeros above and below and one zero behind each row, so that the
    neighbours of all pixels are the same vector shifted, which is read in one go.
    """

    def __init__(self, visible: Bool[np.ndarray, "row column"], dtype: np.dtype[Any]) -> None:
        height, width = visible.shape
        self._framed, self._line = (height + 2, width + 1), width + 1
        self.pixels = slice(self._line, -self._line)
        self._changes = self.framed((~visible).astype(dtype))[self.pixels]
        self._neighbours = self._around(self.framed(np.ones(visible.shape, dtype))) * self._changes
        self._result, self._own = np.empty_like(self._changes), np.empty_like(self._changes)

    def framed(self, image: Float[np.ndarray, "row column"]) -> Float[np.ndarray, " framed"]:
        """An image as such a vector."""
        framed = np.zeros(self._framed, image.dtype)
        framed[1:-1, :-1] = image
        return framed.ravel()

    def unframed(self, vector: Float[np.ndarray, " framed"]) -> Float[np.ndarray, "row column"]:
        """The image of such a vector."""
        return np.asarray(vector.reshape(self._framed)[1:-1, :-1])

    def of(self, vector: Float[np.ndarray, " framed"]) -> Float[np.ndarray, " pixel"]:
        """At `pixels`; the next call overwrites it."""
        self._around(vector, self._result)
        self._result *= self._changes
        np.multiply(self._neighbours, vector[self.pixels], out=self._own)
        self._result -= self._own
        return self._result

    def _around(
        self, vector: Float[np.ndarray, " framed"], out: Float[np.ndarray, " pixel"] | None = None
    ) -> Float[np.ndarray, " pixel"]:
        """Sum of the four neighbours."""
        line, end = self._line, len(vector) - self._line
        out = np.add(vector[: end - line], vector[2 * line :], out=out)
        out += vector[line - 1 : end - 1]
        out += vector[line + 1 : end + 1]
        return np.asarray(out)


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
