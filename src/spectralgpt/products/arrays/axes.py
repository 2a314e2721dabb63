"""Which axis of an array is which, and what to do where they are not (date, band, row, column)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from spectralgpt.errors import BandError, RasterError
from spectralgpt.raster.pixels import Pixels

EXPECTED_AXES = "real numbers as (band, row, column) or (date, band, row, column)"

FEW_ROWS = 4
"""An axis this many times shorter than both others is that of the bands, as images are larger than they are deep."""


def refuse_form(given: Any, array: Shaped[np.ndarray, "..."], count: int | None) -> None:
    """RasterError for what is no array of pixels, with the line that makes it one where there is one. given: as the
    user gave it. count: of the bands that the user named, None if unknown."""
    shape = f"{np.ma.getdata(array).dtype} of shape {tuple(map(int, array.shape))}"
    if isinstance(given, Pixels):
        raise RasterError("found Pixels", "an array", "Use them as they are")
    if isinstance(given, str | bytes) or hasattr(given, "__fspath__"):
        raise RasterError(f"found a path, {str(given)[:60]!r}", "an array", "Read a file with open_raster(path).read()")
    if array.dtype.kind == "O" and array.ndim < 3:
        raise RasterError(f"found {_named(given)}", f"an array of {EXPECTED_AXES}")
    if array.dtype.kind not in "iuf":
        raise RasterError(f"found an array of {shape}", EXPECTED_AXES, _as_numbers(array.dtype.kind))
    if 0 in array.shape:
        raise RasterError(f"found an array of {shape}, without any values", EXPECTED_AXES)
    if array.ndim == 2 and count in (None, 1):
        raise RasterError(
            f"found an array of {shape}, rows and columns alone",
            EXPECTED_AXES,
            f"Give a single band with a[None], of shape (1, {array.shape[0]}, {array.shape[1]})",
        )
    if array.ndim not in (3, 4):
        do = "Stack one array of rows and columns per band: np.stack([first, second])" if array.ndim == 2 else ""
        raise RasterError(f"found an array of {shape}: {array.ndim} axes", f"3 or 4, {EXPECTED_AXES}", do)


def ragged(given: Any, error: Exception) -> RasterError:
    """The error for what NumPy makes no array of. given: as the user gave it."""
    if isinstance(given, list | tuple):
        shapes = list(dict.fromkeys(str(_shape_of(each)) for each in given))
        parts = f", {' and '.join(shapes[:3])}" if len(shapes) > 1 else ""
        return RasterError(
            f"found a {type(given).__name__} with parts of different shapes{parts}",
            "the same rows and columns for every band",
            "Resample the bands onto one grid, then np.stack them",
        )
    return RasterError(f"found {_named(given)} ({error})", f"an array of {EXPECTED_AXES}")


def refuse_misplaced_bands(shape: Sequence[int], count: int | None, is_tensor: bool) -> None:
    """BandError where another axis than that of the bands has as many entries as bands were named, or, where none
    were, where the last axis is much shorter than the others.

    shape: of the array. count: of the bands that were named, None if unknown.
    """
    own, at = list(shape), len(shape) - 3
    others = [axis for axis in range(len(own)) if axis != at]
    if count is None:
        found = [len(own) - 1] if own[-1] * FEW_ROWS <= min(own[at], own[-2]) else []
    else:
        found = [axis for axis in reversed(others) if own[axis] == count] if own[at] != count else []
    if not found:
        return
    axis = found[0] if found[0] != len(own) - 1 else -1
    move = f"torch.movedim(a, {axis}, {at})" if is_tensor else f"np.moveaxis(a, {axis}, {at})"
    where = "the last axis" if axis == -1 else f"axis {axis}"
    named = f"{count} bands were named" if count is not None else f"{own[axis]} looks like the number of bands"
    raise BandError(
        f"the array: found shape {tuple(map(int, own))} with {own[axis]} on {where} and {own[at]} on axis {at}, which "
        f"is that of the bands, but {named}",
        "(date, band, row, column)" if at else "(band, row, column)",
        f"Move the bands: {move}",
    )


def _named(given: Any) -> str:
    return "nothing" if given is None else f"an object of type {type(given).__name__}"


def _shape_of(part: Any) -> tuple[int, ...]:
    shape = getattr(part, "shape", None)
    if shape is not None:
        return tuple(map(int, shape))
    return (len(part),) if hasattr(part, "__len__") else ()


def _as_numbers(kind: str) -> str:
    """What makes numbers of an array of this kind of type."""
    return {
        "O": "Make numbers of the objects: np.asarray(a, dtype=float)",
        "S": "Make numbers of the texts: a.astype(float)",
        "U": "Make numbers of the texts: a.astype(float)",
        "c": "Take the part that is reflectance, like a.real",
        "b": "Give reflectance or stored values; what is valid goes to the argument valid",
    }.get(kind, "")
