"""The kind of an array: xarray's, torch's, TorchGeo's samples, NumPy's.

None of these libraries is imported: the kind is known by the attributes that an array has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from affine import Affine
from jaxtyping import Shaped

from spectralgpt.errors import RasterError
from spectralgpt.products.arrays.axes import refuse_form, refuse_misplaced_bands
from spectralgpt.products.arrays.description import DescribedArray, Packing, as_numpy
from spectralgpt.products.arrays.labelled import of_data_array, of_dataset
from spectralgpt.products.arrays.places import affine_of, wkt_of
from spectralgpt.raster.grid import Grid


def describe(values: Any, count: int | None = None) -> DescribedArray:
    """An xarray DataArray or Dataset, a TorchGeo sample, a tensor or another array, with its metadata.

    A tensor or array is (band, row, column) or (date, band, row, column). count: of the bands that the user names,
    None if unknown. BandError where another axis has as many. RasterError for anything else, and for
    contradictory metadata.
    """
    if hasattr(values, "data_vars"):
        return of_dataset(values)
    if hasattr(values, "dims") and hasattr(values, "coords"):
        return of_data_array(values, dict(values.coords))
    if isinstance(values, Mapping):
        return _of_sample(values, count)
    return _of_array(values, count)


def _of_array(values: Any, named: int | None) -> DescribedArray:
    """named: how many bands the user names."""
    array = as_numpy(values)
    refuse_form(values, array, named)
    refuse_misplaced_bands(array.shape, named, is_tensor=hasattr(values, "detach"))
    mask = np.ma.getmask(array)
    stacked = np.ma.getdata(array) if array.ndim == 4 else np.ma.getdata(array)[None]
    count = int(stacked.shape[1])

    def load(indices: Sequence[int]) -> Shaped[np.ndarray, "date band row column"]:
        return stacked if [*indices] == [*range(count)] else stacked[:, list(indices)]

    valid = None if mask is np.ma.nomask else np.broadcast_to(~mask, stacked.shape)
    return DescribedArray(load, (None,) * count, (Packing(),) * count, valid=valid, dtype=stacked.dtype.name)


def _of_sample(sample: Mapping[Any, Any], named: int | None) -> DescribedArray:
    """A sample of TorchGeo: `image`, and depending on its version `crs`, `transform`, and `bbox` or `bounds`."""
    if "image" not in sample:
        raise RasterError(f"found a mapping of {', '.join(map(str, sample)) or 'nothing'}", "a sample with `image`")
    placing = {key: sample.get(key) for key in ("crs", "transform", "bbox", "bounds")}
    if any(isinstance(each, list) or getattr(each, "ndim", 1) > 1 for each in placing.values()):
        raise RasterError("found a batch of samples", "one sample", "Split it, and give one sample at a time")
    image = _of_array(sample["image"], named)
    return replace(image, grid=lambda: _grid_of_sample(placing, *image.load([0]).shape[2:]))


def _grid_of_sample(placing: Mapping[str, Any], height: int, width: int) -> Grid | None:
    """placing: the sample's crs, transform, bbox and bounds, None where it has none."""
    transform = None if placing["transform"] is None else affine_of(as_numpy(placing["transform"]).ravel().tolist())
    bounds = _bounds(placing["bbox"] if placing["bbox"] is not None else placing["bounds"])
    if transform is None and bounds is not None:
        left, right, bottom, top = bounds
        transform = Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)
    if transform is None:
        return None
    return Grid(None if placing["crs"] is None else wkt_of(placing["crs"]), transform, height, width)


def _bounds(box: Any) -> tuple[float, float, float, float] | None:
    """Left, right, bottom, top of a BoundingBox or of slices (x, y, time); None for another form."""
    if hasattr(box, "minx"):
        sides = (box.minx, box.maxx, box.miny, box.maxy)
    elif isinstance(box, tuple) and len(box) >= 2 and all(isinstance(part, slice) for part in box):
        sides = (box[0].start, box[0].stop, box[1].start, box[1].stop)
    else:
        return None
    if any(side is None for side in sides):
        return None
    left, right, bottom, top = map(float, sides)
    return (left, right, bottom, top) if right > left and top > bottom else None
