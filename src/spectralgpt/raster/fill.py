"""Fill values that no metadata declare: the value that writers leave where nothing was measured."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

FEWEST_TO_DECIDE = 3
"""Bands of one scale from which a pixel with one value in all of them is fill: in fewer it may be measured."""

USUAL_FILL = (-9999, -32768)
"""Fill of any type that can hold it."""


@dataclass(frozen=True, slots=True)
class FillRule:
    """Which pixels of a file are fill: those with one of the marks in all of its bands at once.

    marks: stored values. bands: (path, indices from 1) of all bands that decide, on one grid, also those not read.
    """

    marks: tuple[float | int, ...]
    bands: tuple[tuple[str, tuple[int, ...]], ...]


def fill_marks(dtype: str | np.dtype[Any], declared: bool) -> tuple[float | int, ...]:
    """The values of a type that are fill where they are in all bands: 0, unless these are integers with declared
    nodata; -9999; -32768; in uint16 65535. (Floats from 1e30 on are never valid, in no band.)"""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return (0.0, *map(float, USUAL_FILL))
    limits = np.iinfo(kind)
    return (
        *(() if declared else (0,)),
        *(mark for mark in USUAL_FILL if limits.min <= mark),
        *((65535,) if kind == np.uint16 else ()),
    )


def filled(
    bands: Iterable[Shaped[np.ndarray, "*place"]], marks: Sequence[float | int]
) -> list[Bool[np.ndarray, "*place"] | None]:
    """Per mark, where all bands have it; None where no pixel does. Bands are taken only while a pixel may be fill."""
    waiting = iter(bands)
    first = next(waiting)
    found = [_where(first == mark) for mark in marks]
    while any(here is not None for here in found):
        band = next(waiting, None)
        if band is None:
            break
        found = [
            None if here is None else _where(here & (band == mark)) for here, mark in zip(found, marks, strict=True)
        ]
    return found


def any_of(found: Sequence[Bool[np.ndarray, "*place"] | None]) -> Bool[np.ndarray, "*place"] | None:
    """Where one of several is true; None where none is."""
    places = [here for here in found if here is not None]
    return None if not places else places[0] if len(places) == 1 else np.logical_or.reduce(places)


def _where(here: Bool[np.ndarray, "*place"]) -> Bool[np.ndarray, "*place"] | None:
    return here if here.any() else None
