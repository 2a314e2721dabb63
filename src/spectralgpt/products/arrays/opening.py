"""What an array is: xarray's, torch's, TorchGeo's samples, NumPy's.

None of these libraries is imported: an array is known by the attributes that it has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from affine import Affine
from jaxtyping import Shaped

from spectralgpt.errors import RasterError
from spectralgpt.products.arrays.description import DescribedArray, Packing, as_numpy
from spectralgpt.products.arrays.labelled import of_data_array, of_dataset
from spectralgpt.products.arrays.places import affine_of, wkt_of
from spectralgpt.raster.grid import Grid


def describe(values: Any) -> DescribedArray:
    """What an array is: an xarray DataArray or Dataset, a TorchGeo sample, a tensor or another array.

    A tensor or array is (band, row, column) or (date, band, row, column). RasterError for what is neither, or what is
    contradictory.
    """
    if hasattr(values, "data_vars"):
        return of_dataset(values)
    if hasattr(values, "dims") and hasattr(values, "coords"):
        return of_data_array(values, dict(values.coords))
    if isinstance(values, Mapping):
        return _of_sample(values)
    return _of_array(values)


def _of_array(values: Any) -> DescribedArray:
    array = as_numpy(values)
    if array.ndim not in (3, 4) or 0 in array.shape or array.dtype.kind not in "iuf":
        raise RasterError(
            f"found an array of {array.dtype} and shape {array.shape}",
            "real numbers as (band, row, column) or (date, band, row, column), nothing empty",
        )
    mask = np.ma.getmask(array)
    stacked = np.ma.getdata(array) if array.ndim == 4 else np.ma.getdata(array)[None]
    count = int(stacked.shape[1])

    def load(indices: Sequence[int]) -> Shaped[np.ndarray, "date band row column"]:
        return stacked if [*indices] == [*range(count)] else stacked[:, list(indices)]

    valid = None if mask is np.ma.nomask else np.broadcast_to(~mask, stacked.shape)
    return DescribedArray(load, (None,) * count, (Packing(),) * count, valid=valid)


def _of_sample(sample: Mapping[Any, Any]) -> DescribedArray:
    """TorchGeo's: image, and since when which version tells it: crs; transform; bbox or bounds."""
    if "image" not in sample:
        raise RasterError(f"found a mapping of {', '.join(map(str, sample)) or 'nothing'}", "`image` in a sample")
    told = {key: sample.get(key) for key in ("crs", "transform", "bbox", "bounds")}
    if any(isinstance(each, list) or getattr(each, "ndim", 1) > 1 for each in told.values()):
        raise RasterError("found a batch of samples", "one", "Take it apart, and give one sample at a time")
    image = _of_array(sample["image"])
    return replace(image, grid=lambda: _grid_of_sample(told, *image.load([0]).shape[2:]))


def _grid_of_sample(told: Mapping[str, Any], height: int, width: int) -> Grid | None:
    transform = None if told["transform"] is None else affine_of(as_numpy(told["transform"]).ravel().tolist())
    bounds = _bounds(told["bbox"] if told["bbox"] is not None else told["bounds"])
    if transform is None and bounds is not None:
        left, right, bottom, top = bounds
        transform = Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)
    if transform is None:
        return None
    return Grid(None if told["crs"] is None else wkt_of(told["crs"]), transform, height, width)


def _bounds(told: Any) -> tuple[float, float, float, float] | None:
    """Left, right, bottom, top of a BoundingBox or of slices (x, y, time); None for another form."""
    if hasattr(told, "minx"):
        found = (told.minx, told.maxx, told.miny, told.maxy)
    elif isinstance(told, tuple) and len(told) >= 2 and all(isinstance(each, slice) for each in told):
        found = (told[0].start, told[0].stop, told[1].start, told[1].stop)
    else:
        return None
    if any(each is None for each in found):
        return None
    left, right, bottom, top = map(float, found)
    return (left, right, bottom, top) if right > left and top > bottom else None
