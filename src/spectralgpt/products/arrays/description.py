"""What an array says of itself: values, names, scale and offset, grid, dates."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32, Shaped

from spectralgpt.errors import RasterError
from spectralgpt.raster.grid import Grid


@dataclass(frozen=True, slots=True)
class Packing:
    """How a band is stored: scale and offset (None: not told), values that were not measured, the range of the others.

    All but scale and offset are in stored units. undone: scale and offset of which it is not known whether they were
    applied.
    """

    scaling: tuple[float, float] | None = None
    undone: tuple[float, float] | None = None
    nodata: tuple[float, ...] = ()
    lowest: float = -math.inf
    highest: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class DescribedArray:
    """An array that may not be computed yet, and what it says of itself; None or empty where it says nothing.

    load: the bands of these indices, from 0, as (date, band, row, column), computed at once. grid, days: raise a
    RasterError where it contradicts itself, hence only asked when the user does not say. of_products: whether what was
    not measured may be marked as in a sensor's products.
    """

    load: Callable[[Sequence[int]], Shaped[np.ndarray, "date band row column"]]
    names: tuple[str | None, ...]
    packings: tuple[Packing, ...]
    grid: Callable[[], Grid | None] = lambda: None
    days: Callable[[], Int32[np.ndarray, " date"] | None] = lambda: None
    wavelengths: tuple[float, ...] = ()
    valid: Bool[np.ndarray, "..."] | None = None
    of_products: bool = False


def as_numpy(values: Any) -> Shaped[np.ndarray, "..."]:
    """As a NumPy array in this machine's memory; bfloat16, which NumPy lacks, as float32. A masked array stays one."""
    try:
        if hasattr(values, "detach"):
            tensor = values.detach().cpu()
            return np.asarray((tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy())
        return np.asanyarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise RasterError(f"found {type(values).__name__}, which is no array of numbers ({error}).") from None


def each_number(told: Mapping[Any, Any], key: str, index: int | None = None) -> list[float]:
    """The numbers of an attribute, of several the one of the index, if any."""
    value = told.get(key)
    if value is None:
        return []
    try:
        numbers = [float(each) for each in np.atleast_1d(np.asarray(value, object)) if each is not None]
    except (TypeError, ValueError):
        raise RasterError(f"found {value!r} for the attribute {key}", "a number") from None
    return numbers if index is None else numbers[index : index + 1]


def listed(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names)) or "nothing"
