"""The grid of an xarray object or a TorchGeo sample, by coordinates, transform and CRS."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from affine import Affine
from jaxtyping import Shaped
from rasterio.crs import CRS

from spectralgpt.errors import RasterError
from spectralgpt.products.arrays.description import each_number, listed
from spectralgpt.products.arrays.dimensions import COLUMN_AXIS, ROW_AXIS, roles_of
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.handles import GDAL_ERRORS

DEGREES = ("latitude", "lat", "longitude", "lon")

REGULAR = 0.05
"""Share of a pixel by which a coordinate may be off: float32 knows a northing to half a metre."""


def grid_of(array: Any, labels: Mapping[Any, Any], more: Mapping[Any, Any]) -> Grid | None:
    """By the coordinates of pixel centres, else by the transform of the grid mapping; None where neither tells."""
    roles = roles_of(array)
    row, column = roles[ROW_AXIS], roles[COLUMN_AXIS]
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
        across = (
            next(iter(each_number(x.attrs, "resolution")), None) or (told.a if told else None) or (down and abs(down))
        )
    if down is None:
        down = (
            next(iter(each_number(y.attrs, "resolution")), None)
            or (told.e if told else None)
            or (across and -abs(across))
        )
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
        return affine_of([*attrs["transform"]])
    words = str(mapping.attrs.get("GeoTransform", "") if mapping is not None else "").split()
    try:
        return Affine.from_gdal(*map(float, words)) if len(words) == 6 else None
    except ValueError:
        raise RasterError(f"found the GeoTransform {' '.join(words)}", "six numbers") from None


def affine_of(numbers: Sequence[Any]) -> Affine:
    try:
        return Affine(*(float(each) for each in numbers[:6]))
    except (TypeError, ValueError):
        raise RasterError(f"found the transform {listed(numbers)}", "six numbers") from None


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
    return next((wkt_of(each) for each, empty in zip(told, nothing, strict=True) if not empty), None)


def wkt_of(told: Any) -> str | None:
    """Of an EPSG code, a string of any form, or an object that can be written as WKT."""
    try:
        if hasattr(told, "to_wkt"):
            return str(CRS.from_wkt(told.to_wkt()).to_wkt())
        number = int(told) if isinstance(told, int | float | np.number) else None
        return str((CRS.from_user_input(told) if number is None else CRS.from_epsg(number)).to_wkt())
    except (*GDAL_ERRORS, TypeError, ValueError, AttributeError) as error:
        raise RasterError(f"found the CRS {str(told)[:60]!r}, which cannot be read ({error})", "WKT or EPSG") from None
