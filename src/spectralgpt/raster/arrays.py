"""What arrays say of themselves: xarray's by the conventions of CF and odc-stac, torch's, TorchGeo's samples, NumPy's.

None of these libraries is imported: an array is known by the attributes that it has.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from affine import Affine
from jaxtyping import Bool, Int32, Shaped
from rasterio.crs import CRS

from spectralgpt.bands import canonical, is_alias
from spectralgpt.errors import RasterError
from spectralgpt.raster.dates import UNKNOWN, day_of
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.handles import GDAL_ERRORS

DATE, BAND, ROW, COLUMN = ORDER = ("date", "band", "row", "column")

DIMENSIONS = {
    DATE: ("time", "t", "date"),
    BAND: ("band", "bands", "variable", "wavelength", "channel"),
    ROW: ("y", "latitude", "lat", "row", "northing"),
    COLUMN: ("x", "longitude", "lon", "column", "easting"),
}
"""What dimensions are called, in lower case."""

CF_AXES = {"T": DATE, "Y": ROW, "X": COLUMN}

DEGREES = ("latitude", "lat", "longitude", "lon")

REGULAR = 0.05
"""Share of a pixel by which a coordinate may be off: float32 knows a northing to half a metre."""

SCALES = {"nm": 1.0, "um": 1000.0, "µm": 1000.0, "m": 1e9}
"""Nanometres in what wavelengths are measured in."""


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
class Labelled:
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


def labelled(values: Any) -> Labelled:
    """What an array is: an xarray DataArray or Dataset, a TorchGeo sample, a tensor or another array.

    A tensor or array is (band, row, column) or (date, band, row, column). RasterError for what is neither, or what is
    contradictory.
    """
    if hasattr(values, "data_vars"):
        return _of_dataset(values)
    if hasattr(values, "dims") and hasattr(values, "coords"):
        return _of_data_array(values, dict(values.coords))
    if isinstance(values, Mapping):
        return _of_sample(values)
    return _of_array(values)


def plain(values: Any) -> Shaped[np.ndarray, "..."]:
    """As a NumPy array in this machine's memory; bfloat16, which NumPy lacks, as float32. A masked array stays one."""
    try:
        if hasattr(values, "detach"):
            tensor = values.detach().cpu()
            return np.asarray((tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy())
        return np.asanyarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise RasterError(f"found {type(values).__name__}, which is no array of numbers ({error}).") from None


def _of_array(values: Any) -> Labelled:
    array = plain(values)
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
    return Labelled(load, (None,) * count, (Packing(),) * count, valid=valid)


def _of_sample(sample: Mapping[Any, Any]) -> Labelled:
    """TorchGeo's: image, and since when which version tells it: crs; transform; bbox or bounds."""
    if "image" not in sample:
        raise RasterError(f"found a mapping of {', '.join(map(str, sample)) or 'nothing'}", "`image` in a sample")
    told = {key: sample.get(key) for key in ("crs", "transform", "bbox", "bounds")}
    if any(isinstance(each, list) or getattr(each, "ndim", 1) > 1 for each in told.values()):
        raise RasterError("found a batch of samples", "one", "Take it apart, and give one sample at a time")
    image = _of_array(sample["image"])
    return replace(image, grid=lambda: _grid_of_sample(told, *image.load([0]).shape[2:]))


def _grid_of_sample(told: Mapping[str, Any], height: int, width: int) -> Grid | None:
    transform = None if told["transform"] is None else _affine(plain(told["transform"]).ravel().tolist())
    bounds = _bounds(told["bbox"] if told["bbox"] is not None else told["bounds"])
    if transform is None and bounds is not None:
        left, right, bottom, top = bounds
        transform = Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)
    if transform is None:
        return None
    return Grid(None if told["crs"] is None else _wkt(told["crs"]), transform, height, width)


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


def _of_dataset(dataset: Any) -> Labelled:
    """Each variable with rows and columns is a band, or the only one holds them all."""
    spatial = {str(name): each for name, each in dataset.data_vars.items() if {ROW, COLUMN} <= set(_roles(each))}
    if not spatial:
        raise RasterError(
            f"found a Dataset of {_listed(dataset.data_vars)}, none with rows and columns",
            "variables with the dimensions y and x, or latitude and longitude",
        )
    others = {str(name): each for name, each in dataset.data_vars.items() if str(name) not in spatial}
    names, first = [*spatial], next(iter(spatial.values()))
    if len(spatial) == 1 and BAND in _roles(first):
        return _of_data_array(first, others | dict(dataset.coords), dict(dataset.attrs))
    labels = others | dict(dataset.coords)

    def load(indices: Sequence[int]) -> Shaped[np.ndarray, "date band row column"]:
        chosen = [names[index] for index in indices]
        part = dataset[chosen].compute()
        roles = _roles(part[chosen[0]])
        for name in chosen:
            if _roles(part[name]) != roles or BAND in roles:
                raise RasterError(
                    f"found variables of the dimensions {_listed(part[chosen[0]].dims)} and, as {name}, "
                    f"{_listed(part[name].dims)}; expected the same for each band. Choose with bands="
                )
        dims = [roles[role] for role in ORDER if role in roles]
        return _stacked([plain(part[name].transpose(*dims).values) for name in chosen])

    return Labelled(
        load=load,
        names=tuple(_variable_name(name, each) for name, each in spatial.items()),
        packings=tuple(_packing(each, 0, 1) for each in spatial.values()),
        grid=lambda: _grid(first, labels, dict(dataset.attrs)),
        days=lambda: _days(first, labels),
        of_products=True,
    )


def _of_data_array(array: Any, labels: Mapping[Any, Any], more: Mapping[Any, Any] | None = None) -> Labelled:
    """labels: coordinates and what else may describe the grid. more: the Dataset's attributes."""
    roles = _roles(array)
    unknown = [dim for dim in array.dims if dim not in roles.values()]
    if unknown or not {ROW, COLUMN} <= set(roles):
        raise RasterError(
            f"found an array of the dimensions {_listed(array.dims)}",
            "y and x (or latitude and longitude) and, where there are several, time and band",
        )
    dims = [roles[role] for role in ORDER if role in roles]
    count = int(array.sizes[roles[BAND]]) if BAND in roles else 1

    def load(indices: Sequence[int]) -> Shaped[np.ndarray, "date band row column"]:
        whole = BAND not in roles or [*indices] == [*range(count)]
        part = (array if whole else array.isel({roles[BAND]: list(indices)})).compute()
        values = plain(part.transpose(*dims).values)
        return _stacked([values]) if BAND not in roles else _checked(values)

    return Labelled(
        load=load,
        names=_names(array, labels, roles.get(BAND), count),
        packings=tuple(_packing(array, band, count) for band in range(count)),
        grid=lambda: _grid(array, labels, more or {}),
        days=lambda: _days(array, labels),
        wavelengths=_wavelengths(labels, roles.get(BAND)),
        of_products=True,
    )


def _stacked(bands: Sequence[Shaped[np.ndarray, "..."]]) -> Shaped[np.ndarray, "date band row column"]:
    return _checked(np.stack(bands, axis=-3))


def _checked(values: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "date band row column"]:
    if 0 in values.shape or values.dtype.kind not in "iuf":
        raise RasterError(f"found {values.dtype} of shape {values.shape}", "real numbers, nothing empty")
    return values if values.ndim == 4 else values[None]


def _roles(array: Any) -> dict[str, Any]:
    """Which dimension is date, band, row, column: by CF's axis attribute, else by its name."""
    found: dict[str, Any] = {}
    for dim in array.dims:
        axis = array.coords[dim].attrs.get("axis") if dim in array.coords else None
        by_name = next((role for role, names in DIMENSIONS.items() if str(dim).lower() in names), None)
        role = CF_AXES.get(axis, by_name) if isinstance(axis, str) else by_name
        if role is not None:
            found.setdefault(role, dim)
    return found


def _variable_name(name: str, variable: Any) -> str | None:
    """A variable is called as its band; band_1 is rioxarray's for a place in the file, whose name is in long_name."""
    if not name.lower().startswith("band_"):
        return name
    told = variable.attrs.get("long_name")
    return told if isinstance(told, str) else None


def _names(array: Any, labels: Mapping[Any, Any], dim: Any, count: int) -> tuple[str | None, ...]:
    """By the band coordinate, where it is words, else by long_name: there rioxarray puts a file's descriptions."""
    label = labels.get(dim if dim is not None else BAND)
    if label is not None and label.dtype.kind in "UO":
        return tuple(str(each) for each in np.atleast_1d(label.values))
    told = array.attrs.get("long_name")
    if isinstance(told, tuple | list) and len(told) == count:
        return tuple(str(each) if each else None for each in told)
    alone = [each for each in (told, array.name) if isinstance(each, str) and is_alias(canonical(each))]
    return (alone[0],) if dim is None and alone else (None,) * count


def _wavelengths(labels: Mapping[Any, Any], dim: Any) -> tuple[float, ...]:
    """In nm, where a coordinate along the bands tells them and its unit."""
    label = next((labels[name] for name in ("wavelength", "wavelengths") if name in labels), None)
    if dim is None or label is None or tuple(label.dims) != (dim,) or label.dtype.kind not in "iuf":
        return ()
    unit = str(label.attrs.get("units", "nm")).lower()
    named = {"nanometers": "nm", "nanometer": "nm", "micrometers": "um", "micrometer": "um", "microns": "um"}
    if named.get(unit, unit) not in SCALES:
        raise RasterError(f"found wavelengths in {unit!r}", f"one of {', '.join(SCALES)}")
    return tuple(float(each) * SCALES[named.get(unit, unit)] for each in label.values)


def _packing(array: Any, band: int, count: int) -> Packing:
    """Attributes tell what is still to be done; encoding, what xarray has done when it decoded a file to floats."""
    whole = array.dtype.kind in "iu"
    scaling, done = _scaling(array.attrs, band, count), _scaling(array.encoding, band, count)
    sources = (array.attrs, array.encoding) if whole else (array.attrs,)
    nodata = [
        value
        for source in sources
        for key in ("_FillValue", "missing_value", "nodata", "nodatavals")
        for value in _each(source, key, band if key == "nodatavals" else None)
    ]
    limits = [*_each(array.attrs, "valid_range"), math.nan, math.nan][:2]
    lowest = [*_each(array.attrs, "valid_min"), limits[0]][0]
    highest = [*_each(array.attrs, "valid_max"), limits[1]][0]
    if done is not None and scaling is None and not whole:
        # limits stay in the units of the file
        scaling = (1.0, 0.0)
        lowest, highest = sorted((lowest * done[0] + done[1], highest * done[0] + done[1]))
    return Packing(
        scaling=scaling,
        undone=done if whole and scaling is None else None,
        nodata=tuple(nodata),
        lowest=-math.inf if math.isnan(lowest) else lowest,
        highest=math.inf if math.isnan(highest) else highest,
    )


def _scaling(told: Mapping[Any, Any], band: int, count: int) -> tuple[float, float] | None:
    """Scale and offset; None for 1 and 0, which rioxarray writes where a file does not tell."""
    scales = [*_each(told, "scale_factor"), *_each(told, "scales", band if count > 1 else None), 1.0]
    offsets = [*_each(told, "add_offset"), *_each(told, "offsets", band if count > 1 else None), 0.0]
    scale, offset = scales[0], offsets[0]
    if not (math.isfinite(scale) and math.isfinite(offset)) or scale == 0:
        raise RasterError(f"found a scale of {scale:g} and an offset of {offset:g}", "a scale other than 0")
    return None if (scale, offset) == (1, 0) else (scale, offset)


def _each(told: Mapping[Any, Any], key: str, index: int | None = None) -> list[float]:
    """The numbers of an attribute, of several the one of the index, if any."""
    value = told.get(key)
    if value is None:
        return []
    try:
        numbers = [float(each) for each in np.atleast_1d(np.asarray(value, object)) if each is not None]
    except (TypeError, ValueError):
        raise RasterError(f"found {value!r} for the attribute {key}", "a number") from None
    return numbers if index is None else numbers[index : index + 1]


def _days(array: Any, labels: Mapping[Any, Any]) -> Int32[np.ndarray, " date"] | None:
    """Of the time coordinate, along the dates or alone."""
    dim = _roles(array).get(DATE)
    label = labels.get(dim if dim is not None else "time")
    if label is None or (dim is None and label.dims):
        return None
    values = np.atleast_1d(label.values)
    if values.dtype.kind == "M":
        days = values.astype("datetime64[D]")
        return np.where(np.isnat(days), UNKNOWN, days.astype(np.int64)).astype(np.int32)
    if values.dtype.kind not in "UO":
        raise RasterError(
            f"found times as numbers ({_listed(values[:3])}, units {label.attrs.get('units')!r}); expected dates. "
            "Decode them with xarray.decode_cf, or say dates="
        )
    return np.array([day_of(str(each)[:10], "time") for each in values], np.int32)


def _grid(array: Any, labels: Mapping[Any, Any], more: Mapping[Any, Any]) -> Grid | None:
    """By the coordinates of pixel centres, else by the transform of the grid mapping; None where neither tells."""
    roles = _roles(array)
    row, column = roles[ROW], roles[COLUMN]
    height, width = int(array.sizes[row]), int(array.sizes[column])
    mapping = _mapping(array, labels)
    told = _transform_told(array.attrs, mapping)
    ys, xs = _places(labels, row), _places(labels, column)
    if min(height, width) < 1:
        return None  # said when it is loaded
    transform = told if ys is None or xs is None else _by_centres(xs, ys, labels.get(column), labels.get(row), told)
    if transform is None:
        return None
    crs = _crs(mapping, array.attrs, more, labels, (row, column))
    return Grid(crs, transform, height, width)


def _places(labels: Mapping[Any, Any], dim: Any) -> Shaped[np.ndarray, " pixel"] | None:
    """The coordinates of a dimension, in double precision."""
    label = labels.get(dim)
    if label is None or label.dtype.kind not in "iuf":
        return None
    return np.asarray(label.values, np.float64)


def _by_centres(
    xs: Shaped[np.ndarray, " x"], ys: Shaped[np.ndarray, " y"], x: Any, y: Any, told: Affine | None
) -> Affine | None:
    """A transform of two lists of pixel centres; rows that run north stay so, with a positive step."""
    across, down = _step(xs, "x"), _step(ys, "y")
    if across is None:
        across = next(iter(_each(x.attrs, "resolution")), None) or (told.a if told else None) or (down and abs(down))
    if down is None:
        down = next(iter(_each(y.attrs, "resolution")), None) or (told.e if told else None) or (across and -abs(across))
    if not across or not down:
        return None
    # stackstac gives corners for coordinates: on the lattice of the transform, where centres lie between
    centred = told is None or not (_on(xs[0], told.c, across, told.a) and _on(ys[0], told.f, down, told.e))
    half = 0.5 if centred else 0.0
    return Affine(across, 0, float(xs[0]) - half * across, 0, down, float(ys[0]) - half * down)


def _on(place: float, origin: float, step: float, told: float) -> bool:
    """Whether a coordinate lies on the edge of a pixel of a transform with the same step."""
    edges = (place - origin) / step
    return bool(abs(step - told) < REGULAR * abs(step) and abs(edges - round(edges)) < REGULAR)


def _step(places: Shaped[np.ndarray, " pixel"], name: str) -> float | None:
    """The distance of neighbouring pixels, None of a single one. RasterError when it is not the same everywhere."""
    if len(places) < 2:
        return None
    step = float(places[-1] - places[0]) / (len(places) - 1)
    off = np.abs(places - (places[0] + step * np.arange(len(places))))
    if not math.isfinite(step) or step == 0 or not off.max() <= REGULAR * abs(step):
        widths = sorted(abs(float(b - a)) for a, b in pairwise(places))
        raise RasterError(
            f"found irregular coordinates {name}, {widths[0]:g} to {widths[-1]:g} apart; expected one spacing, as "
            "pixels are on a regular grid. Interpolate them onto one, or give grid="
        )
    return step


def _mapping(array: Any, labels: Mapping[Any, Any]) -> Any:
    """CF's grid mapping variable, which is called spatial_ref where nothing says how."""
    told = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    words = str(told).replace(":", " ").split() if told else []
    return next((labels[name] for name in (*words[:1], "spatial_ref", "crs") if name in labels), None)


def _transform_told(attrs: Mapping[Any, Any], mapping: Any) -> Affine | None:
    """The attribute `transform`, as rasterio orders it, or `GeoTransform` of the grid mapping, as GDAL does."""
    if attrs.get("transform") is not None:
        return _affine([*attrs["transform"]])
    words = str(mapping.attrs.get("GeoTransform", "") if mapping is not None else "").split()
    try:
        return Affine.from_gdal(*map(float, words)) if len(words) == 6 else None
    except ValueError:
        raise RasterError(f"found the GeoTransform {' '.join(words)}", "six numbers") from None


def _affine(numbers: Sequence[Any]) -> Affine:
    try:
        return Affine(*(float(each) for each in numbers[:6]))
    except (TypeError, ValueError):
        raise RasterError(f"found the transform {_listed(numbers)}", "six numbers") from None


def _crs(
    mapping: Any, attrs: Mapping[Any, Any], more: Mapping[Any, Any], labels: Mapping[Any, Any], dims: tuple[Any, Any]
) -> str | None:
    """As WKT; degrees without a CRS are those of WGS 84."""
    told: list[Any] = []
    if mapping is not None:
        told += [mapping.attrs.get(key) for key in ("crs_wkt", "spatial_ref", "epsg", "epsg_code")]
        told += [each.item() for each in (np.asarray(mapping.values),) if each.ndim == 0]
    told += [attrs.get("crs"), more.get("crs")]
    told += [labels[key].values.item() for key in ("epsg", "proj:epsg") if key in labels and not labels[key].dims]
    told += [labels[dim].attrs.get("crs") for dim in dims if dim in labels]
    told += [4326] if all(str(dim).lower() in DEGREES for dim in dims) else []
    nothing = (each is None or (isinstance(each, str | int | float) and not each) for each in told)
    return next((_wkt(each) for each, empty in zip(told, nothing, strict=True) if not empty), None)


def _wkt(told: Any) -> str | None:
    """Of an EPSG code, a string of any form, or an object that can be written as WKT."""
    try:
        if hasattr(told, "to_wkt"):
            return str(CRS.from_wkt(told.to_wkt()).to_wkt())
        number = int(told) if isinstance(told, int | float | np.number) else None
        return str((CRS.from_user_input(told) if number is None else CRS.from_epsg(number)).to_wkt())
    except (*GDAL_ERRORS, TypeError, ValueError, AttributeError) as error:
        raise RasterError(f"found the CRS {str(told)[:60]!r}, which cannot be read ({error})", "WKT or EPSG") from None


def _listed(names: Iterable[Any]) -> str:
    return ", ".join(map(str, names)) or "nothing"
