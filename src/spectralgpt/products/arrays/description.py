"""An array with its metadata: values, names, scale and offset, grid, dates."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32, Shaped

from spectralgpt.errors import RasterError
from spectralgpt.products.added import Added
from spectralgpt.products.arrays.axes import ragged
from spectralgpt.raster.grid import Grid


@dataclass(frozen=True, slots=True)
class Packing:
    """How a band is stored: scale and offset (None: not stated), values that mark nodata, the range of the others.

    nodata, lowest, highest: in stored units. undone: a scale and offset that may or may not have been applied already.
    """

    scaling: tuple[float, float] | None = None
    undone: tuple[float, float] | None = None
    nodata: tuple[float, ...] = ()
    lowest: float = -math.inf
    highest: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class DescribedArray:
    """An array that may not be computed yet, and its metadata; None or empty where it has none.

    load: the bands of these indices, from 0, as (date, band, row, column), computed together. grid, days: functions, as
    they raise a RasterError for contradictory metadata, which does not matter where the user gives both. of_products:
    whether the nodata of the sensor's products applies. added: what its attributes and coordinates state about the 1000
    of Sentinel-2's products. dtype: of the stored values. notes: on what it states and cannot be used.
    """

    load: Callable[[Sequence[int]], Shaped[np.ndarray, "date band row column"]]
    names: tuple[str | None, ...]
    packings: tuple[Packing, ...]
    grid: Callable[[], Grid | None] = lambda: None
    days: Callable[[], Int32[np.ndarray, " date"] | None] = lambda: None
    wavelengths: tuple[float, ...] = ()
    valid: Bool[np.ndarray, "..."] | None = None
    of_products: bool = False
    added: Added | None = None
    dtype: str | None = None
    notes: tuple[str, ...] = ()


def as_numpy(values: Any) -> Shaped[np.ndarray, "..."]:
    """A NumPy array in main memory; bfloat16, which NumPy does not have, as float32. A masked array stays masked."""
    try:
        if hasattr(values, "detach"):
            tensor = values.detach().cpu()
            return np.asarray((tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy())
        if isinstance(values, list | tuple) and any(isinstance(each, np.ma.MaskedArray) for each in values):
            return np.ma.stack(values)  # NumPy's own array of a list forgets the masks
        return np.asanyarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ragged(values, error) from None


def numbers_of(attributes: Mapping[Any, Any], key: str, index: int | None = None) -> list[float]:
    """The numbers of an attribute, none where it is missing. index: only the number at it, if the attribute has one."""
    value = attributes.get(key)
    if value is None:
        return []
    try:
        numbers = [float(number) for number in np.atleast_1d(np.asarray(value, object)) if number is not None]
    except (TypeError, ValueError):
        raise RasterError(f"found {value!r} for the attribute {key}", "a number") from None
    return numbers if index is None else numbers[index : index + 1]


def listed(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names)) or "nothing"
