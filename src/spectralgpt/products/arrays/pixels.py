"""Arrays in: what `open_raster(...).read()` gives of a file, of an array."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from affine import Affine
from jaxtyping import Bool, Int32, Shaped

from spectralgpt.bands import Band, Evidence, Sensor, bands_of, canonical, identify, sensors
from spectralgpt.checks.typical import looks_like_reflectance
from spectralgpt.days import UNKNOWN, day_of
from spectralgpt.errors import BandError, RasterError
from spectralgpt.products.arrays.description import DescribedArray, Packing
from spectralgpt.products.arrays.opening import describe
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.pixels import Pixels, combined, measured

TINY = 0.01
"""A scale below makes nothing that one can measure of reflectance: it is meant for digital numbers."""


def as_pixels(
    values: Any,
    *,
    bands: str | Sequence[Band] | None = None,
    gsd: float | int | None = None,
    valid: Bool[np.ndarray, "..."] | None = None,
    scale: float | int | Sequence[float | int] | None = None,
    offset: float | int | Sequence[float | int] | None = None,
    dates: Sequence[str | date | None] | None = None,
    nodata: float | int | None = None,
    grid: Grid | None = None,
) -> Pixels:
    """Pixels of an array (band, row, column) or (date, band, row, column), of NumPy, torch, or xarray.

    An xarray DataArray (dimensions in any order) or Dataset (a variable a band) tells bands, grid, dates, scale,
    offset and nodata by the conventions of CF, rioxarray and odc-stac; of a TorchGeo sample, `image` is read, and
    its grid where it tells one. What is given here wins.

    bands: a sensor's name (all its bands in file order, or those that the array names), a list like `B02,B03`, or
    the bands themselves; may be left out where the array names them. gsd: metres, default the grid's. valid: of the
    shape (date, band, row, column), or of its last axes. scale, offset: one or one a band; default what the array
    tells, else the sensor's convention, 1 and 0 for floats whose 98 % quantile is below 2. dates: ISO dates or
    None. NaN, infinity and nodata are not valid. Rows that run north stay so, with a positive step in the grid.

    BandError when the bands do not fit the array, RasterError when the rest does not.
    """
    array = describe(values)
    found, indices, named = _identified(array, bands)
    stacked = array.load(indices)
    packings = [array.packings[index] for index in indices]
    true = _told_valid(array, indices, stacked, packings, nodata, named)
    if valid is not None:
        try:
            told = np.broadcast_to(valid, stacked.shape)
        except ValueError:
            raise RasterError(
                f"found valid of shape {valid.shape}", f"the values' {stacked.shape} or its last axes"
            ) from None
        true = combined(true, told)
    if scale is None and offset is None:
        scales, offsets = _told_scaling(found, named, stacked, true, packings)
    else:
        scales = [1.0] * len(found) if scale is None else _a_band(scale, len(found), "scale")
        offsets = [0.0] * len(found) if offset is None else _a_band(offset, len(found), "offset")
    told_days = array.days() if dates is None else None
    place = grid or array.grid() or Grid(None, Affine.identity(), *stacked.shape[2:])
    if place.shape != stacked.shape[2:]:
        raise RasterError(f"found a grid of {place.shape} pixels", f"the values' {stacked.shape[2:]}")
    return Pixels(
        values=stacked,
        valid=true,
        scale=np.array(scales, np.float64),
        offset=np.array(offsets, np.float64),
        bands=found,
        grid=place,
        days=_days(dates, stacked.shape[0]) if told_days is None else told_days,
        gsd=float(gsd) if gsd is not None else place.gsd,
    )


def _identified(
    array: DescribedArray, choice: str | Sequence[Band] | None
) -> tuple[tuple[Band, ...], tuple[int, ...], Sensor | None]:
    """The bands, their indices in the array, and the sensor whose conventions hold; None where the bands were given."""
    if choice is None or isinstance(choice, str):
        identity = identify(Evidence(array.names, "the array", wavelengths=array.wavelengths), choice)
        if identity.conflicts:
            raise BandError(identity.conflicts[0])
        return identity.bands, identity.indices, identity.sensor
    given, names = tuple(choice), [name and canonical(name) for name in array.names]
    if not any(names):
        return bands_of(given, len(names), "the array")[0], tuple(range(len(names))), None
    missing = [band.name for band in given if band.name not in names]
    if missing:
        raise BandError(
            f"the array: found bands {', '.join(map(str, names))}",
            f"also {', '.join(missing)}, as are given",
            "Rename the array's, as bands are never matched by position beside names",
        )
    return bands_of(given, len(given), "the array")[0], tuple(names.index(band.name) for band in given), None


def _told_valid(
    array: DescribedArray,
    indices: Sequence[int],
    stacked: Shaped[np.ndarray, "date band row column"],
    packings: Sequence[Packing],
    nodata: float | int | None,
    named: Sensor | None,
) -> Bool[np.ndarray, "date band row column"] | None:
    """By nodata (the given, else the array's, else, of xarray's whole numbers, the sensor's), range and mask."""
    marks: list[tuple[float | int | None, ...]] = [
        (nodata,) if nodata is not None else each.nodata for each in packings
    ]
    if array.of_products and stacked.dtype.kind in "iu" and named is not None:
        marks = [each or (named.nodata,) for each in marks]
    true = None
    for turn in range(max(1, *map(len, marks))):
        true = combined(true, measured(stacked, [each[turn] if turn < len(each) else None for each in marks]))
    for band, each in enumerate(packings):
        if math.isfinite(each.lowest) or math.isfinite(each.highest):
            within = np.ones(stacked.shape, bool)
            within[:, band] = (stacked[:, band] >= each.lowest) & (stacked[:, band] <= each.highest)
            true = combined(true, within)
    return true if array.valid is None else combined(true, array.valid[:, list(indices)])


def _told_scaling(
    bands: Sequence[Band],
    named: Sensor | None,
    stacked: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
    packings: Sequence[Packing],
) -> tuple[list[float], list[float]]:
    """Scale and offset that the array tells of a band, else by convention."""
    for each in packings:
        if each.undone is not None:
            raise RasterError(
                f"found whole numbers whose encoding tells a scale of {each.undone[0]:g} and an offset of "
                f"{each.undone[1]:g}; expected these in the attributes, or floats that they were applied to. Say "
                "scale= and offset="
            )
    told = [each.scaling for each in packings]
    tiny = [band for band, each in enumerate(told) if each is not None and abs(each[0]) < TINY]
    if tiny and stacked.dtype.kind == "f" and looks_like_reflectance(_only(stacked, valid, tiny)):
        raise RasterError(
            f"found floats that are reflectance, and attributes that tell to scale them by {told[tiny[0]]}",
            "one of these",
            "If they are scaled already, say scale=1, offset=0",
        )
    silent = [band for band, each in enumerate(told) if each is None]
    scales, offsets = [each[0] if each else 1.0 for each in told], [each[1] if each else 0.0 for each in told]
    if silent:
        part = stacked[:, silent], None if valid is None else valid[:, silent]
        usual = convention([bands[band] for band in silent], named, *part)
        for band, usual_scale, usual_offset in zip(silent, *usual, strict=True):
            scales[band], offsets[band] = usual_scale, usual_offset
    return scales, offsets


def _only(
    stacked: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
    bands: list[int],
) -> Shaped[np.ndarray, " value"]:
    return stacked[:, bands].ravel() if valid is None else stacked[:, bands][valid[:, bands]]


def convention(
    bands: Sequence[Band],
    named: Sensor | None,
    values: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
) -> tuple[list[float], list[float]]:
    """Scale and offset a band where no metadata tell: the sensor's, but 1 and 0 for floats that are reflectance."""
    if values.dtype.kind == "f" and looks_like_reflectance(values.ravel() if valid is None else values[valid]):
        return [1.0] * len(bands), [0.0] * len(bands)
    known = {each.name: each for each in sensors()}
    scales, offsets = [], []
    for band in bands:
        whose = named or known.get(band.sensor)
        scale, offset = (whose.scale, whose.offset) if whose else (1.0, 0.0)
        if scale is None or offset is None:
            raise RasterError(
                f"found digital numbers of {band.sensor} {band.name}",
                (
                    "scale= and offset= that make reflectance of them, as only a product's metadata tell these, or "
                    "reflectance below 2 in floats"
                ),
            )
        scales.append(scale)
        offsets.append(offset)
    return scales, offsets


def _a_band(given: float | int | Sequence[float | int], count: int, what: str) -> list[float]:
    each = np.asarray(given, np.float64)
    if each.shape not in ((), (1,), (count,)):
        raise RasterError(f"found {each.size} values of {what}", f"one, or {count}: one a band")
    return [float(value) for value in np.broadcast_to(each, count)]


def _days(dates: Sequence[str | date | None] | None, count: int) -> Int32[np.ndarray, " date"]:
    if dates is None:
        return np.full(count, UNKNOWN, np.int32)
    if len(dates) != count:
        raise RasterError(f"found {len(dates)} dates for {count} images", "one each")
    return np.array([UNKNOWN if each is None else day_of(str(each), "dates") for each in dates], np.int32)
