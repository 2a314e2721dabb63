"""The grid of an xarray object or a TorchGeo sample, from coordinates, transform and CRS."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from affine import Affine
from jaxtyping import Shaped
from rasterio.crs import CRS

from spectralgpt.errors import RasterError
from spectralgpt.products.arrays.description import listed, numbers_of
from spectralgpt.products.arrays.dimensions import COLUMN_AXIS, ROW_AXIS, roles_of
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.handles import GDAL_ERRORS

DEGREES = ("latitude", "lat", "longitude", "lon")

REGULAR = 0.05
"""Share of a pixel by which a coordinate may be off: float32 holds a northing to half a metre."""


def grid_of(array: Any, labels: Mapping[Any, Any], more: Mapping[Any, Any]) -> Grid | None:
    """From the coordinates of pixel centres, else from the transform of the grid mapping; None without both."""
    roles = roles_of(array)
    row, column = roles[ROW_AXIS], roles[COLUMN_AXIS]
    height, width = int(array.sizes[row]), int(array.sizes[column])
    mapping = _mapping(array, labels)
    stated = _stated_transform(array.attrs, mapping)
    ys, xs = _places(labels, row), _places(labels, column)
    if min(height, width) < 1:
        return None  # refused when it is loaded
    transform = stated if ys is None or xs is None else _of_centres(xs, ys, labels.get(column), labels.get(row), stated)
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


def _of_centres(
    xs: Shaped[np.ndarray, " x"], ys: Shaped[np.ndarray, " y"], x: Any, y: Any, stated: Affine | None
) -> Affine | None:
    """The transform from two lists of pixel centres; rows that run north stay so, with a positive step.

    x, y: the coordinates as labels. stated: the array's own transform, for the size of a single pixel.
    """
    across, down = _step(xs, "x"), _step(ys, "y")
    if across is None:
        across = (
            next(iter(numbers_of(x.attrs, "resolution")), None)
            or (stated.a if stated else None)
            or (down and abs(down))
        )
    if down is None:
        down = (
            next(iter(numbers_of(y.attrs, "resolution")), None)
            or (stated.e if stated else None)
            or (across and -abs(across))
        )
    if not across or not down:
        return None
    # the coordinates of stackstac are corners, which lie on the edges of the transform's pixels; centres do not
    centred = stated is None or not (
        _on_edge(xs[0], stated.c, across, stated.a) and _on_edge(ys[0], stated.f, down, stated.e)
    )
    half = 0.5 if centred else 0.0
    return Affine(across, 0, float(xs[0]) - half * across, 0, down, float(ys[0]) - half * down)


def _on_edge(place: float, origin: float, step: float, stated: float) -> bool:
    """Whether a coordinate lies on the edge of a pixel of the stated transform, and its step is the same."""
    edges = (place - origin) / step
    return bool(abs(step - stated) < REGULAR * abs(step) and abs(edges - round(edges)) < REGULAR)


def _step(places: Shaped[np.ndarray, " pixel"], name: str) -> float | None:
    """The distance between neighbouring pixels, None for a single one. RasterError when it varies."""
    if len(places) < 2:
        return None
    step = float(places[-1] - places[0]) / (len(places) - 1)
    off = np.abs(places - (places[0] + step * np.arange(len(places))))
    if not math.isfinite(step) or step == 0 or not off.max() <= REGULAR * abs(step):
        widths = sorted(abs(float(b - a)) for a, b in pairwise(places))
        raise RasterError(
            f"found irregular coordinates {name}, {widths[0]:g} to {widths[-1]:g} apart",
            "one spacing, as pixels are on a regular grid",
            "Interpolate them onto one, or give the argument grid",
        )
    return step


def _mapping(array: Any, labels: Mapping[Any, Any]) -> Any:
    """The variable that CF's `grid_mapping` names, else `spatial_ref` or `crs`; None without one."""
    named = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    words = str(named).replace(":", " ").split() if named else []
    return next((labels[name] for name in (*words[:1], "spatial_ref", "crs") if name in labels), None)


def _stated_transform(attrs: Mapping[Any, Any], mapping: Any) -> Affine | None:
    """The attribute `transform` in rasterio's order, or `GeoTransform` of the grid mapping in GDAL's."""
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
    """The first CRS stated anywhere, as WKT; degrees without a CRS are those of WGS 84."""
    stated: list[Any] = []
    if mapping is not None:
        stated += [mapping.attrs.get(key) for key in ("crs_wkt", "spatial_ref", "epsg", "epsg_code")]
        stated += [each.item() for each in (np.asarray(mapping.values),) if each.ndim == 0]
    stated += [attrs.get("crs"), more.get("crs")]
    stated += [labels[key].values.item() for key in ("epsg", "proj:epsg") if key in labels and not labels[key].dims]
    stated += [labels[dim].attrs.get("crs") for dim in dims if dim in labels]
    stated += [4326] if all(str(dim).lower() in DEGREES for dim in dims) else []
    empty = (crs is None or (isinstance(crs, str | int | float) and not crs) for crs in stated)
    return next((wkt_of(crs) for crs, is_empty in zip(stated, empty, strict=True) if not is_empty), None)


def wkt_of(crs: Any) -> str | None:
    """The WKT of an EPSG code, a string in any form, or an object with `to_wkt`."""
    try:
        if hasattr(crs, "to_wkt"):
            return str(CRS.from_wkt(crs.to_wkt()).to_wkt())
        number = int(crs) if isinstance(crs, int | float | np.number) else None
        return str((CRS.from_user_input(crs) if number is None else CRS.from_epsg(number)).to_wkt())
    except (*GDAL_ERRORS, TypeError, ValueError, AttributeError) as error:
        raise RasterError(
            f"the CRS {str(crs)[:60]!r} cannot be read ({error})", do="Give WKT or an EPSG code"
        ) from None
