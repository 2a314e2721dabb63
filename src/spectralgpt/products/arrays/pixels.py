"""Pixels from arrays, as `open_raster(...).read()` gives them from files."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from jaxtyping import Bool, Shaped

from spectralgpt.arguments import checked
from spectralgpt.bands import Band, Evidence, Sensor, bands_of, canonical, choice_count, identify, sensors
from spectralgpt.bands.candidates import LEVEL_OPEN
from spectralgpt.checks import flags_of
from spectralgpt.checks.contract import refuse_flags
from spectralgpt.days import UNKNOWN
from spectralgpt.errors import BandError, RasterError
from spectralgpt.plain import as_text
from spectralgpt.products.arrays.description import DescribedArray, Packing
from spectralgpt.products.arrays.given import Dates, given_days, given_gsd, given_valid, refuse_days
from spectralgpt.products.arrays.opening import describe
from spectralgpt.products.arrays.scaling import Numbers, UndeclaredUnits, notes_on_offset, scaling_of
from spectralgpt.products.nodata import given_nodata
from spectralgpt.raster.fill import FEWEST_TO_DECIDE, any_of, fill_marks, filled
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.pixels import Pixels, combined, measured

Bands = str | Sequence[str | float | int | Band]
"""How bands are given: a text, a list of names or of wavelengths in nm, or the bands themselves."""

Nodata = str | float | int | Sequence[str | float | int]


@checked
def as_pixels(
    values: Any,
    *,
    bands: Bands | None = None,
    gsd: float | int | None = None,
    valid: Any = None,
    scale: Numbers | None = None,
    offset: Numbers | None = None,
    dates: Dates | None = None,
    nodata: Nodata | None = None,
    grid: Grid | None = None,
    trust_input: bool = False,
) -> Pixels:
    """Pixels from an array (band, row, column) or (date, band, row, column) of NumPy, torch or xarray.

    An xarray DataArray (dimensions in any order) or Dataset (one variable per band) states bands, grid, dates, scale,
    offset and nodata by the conventions of CF, rioxarray and odc-stac; a TorchGeo sample gives its `image`, and its
    grid where it has one. The arguments take precedence.

    bands: a sensor's name (all its bands in file order, or those that the array names), names or wavelengths in nm (as
    a list, or a text like `B02,B03`), or the bands themselves; not needed where the array names them. gsd: metres,
    default the grid's. valid: of the shape (date, band, row, column), or of its last axes. scale, offset: one number,
    or one per band; default of each what the array states, else the sensor's convention, but 1 and 0 for floats with a
    98 % quantile below 2, and an offset of 0 beside another scale than that. dates: ISO dates, each once, None for an
    unknown one. NaN, infinity and nodata (one value or several; none: nothing else) are not
    valid. Rows that run north stay so, with a positive step in the grid.

    The values are checked as those of files are, with a UserWarning for each suspicion. trust_input: they are not
    checked.

    BandError when the bands do not fit the array, RasterError when anything else does not, for several dates without
    days, and for values that are not reflectance.
    """
    described = _described(values, bands, gsd, valid, scale, offset, dates, nodata, grid)
    texts = [*described.notes]
    if not trust_input:
        _refuse_undated(described.pixels, dates)
        texts += suspicions_of(described)
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=3)  # of the caller, above `checked`
    return described.pixels


@dataclass(frozen=True, slots=True, eq=False)
class UncheckedPixels:
    """Pixels before the check. level: of their sensor, empty if unknown. declared: whether the array or the user states
    how they become reflectance. judges_fill: whether undeclared fill is looked for. notes: what a user should know
    about how they were understood."""

    pixels: Pixels
    level: str
    declared: bool
    judges_fill: bool = True
    notes: tuple[str, ...] = ()


def _described(
    values: Any,
    bands: Bands | None,
    gsd: float | int | None,
    valid: Any,
    scale: Numbers | None,
    offset: Numbers | None,
    dates: Dates | None,
    nodata: Nodata | None,
    grid: Grid | None,
) -> UncheckedPixels:
    """What `as_pixels` gives, with what the check has to know."""
    array = describe(values, _count_of(bands))
    identified, indices, named, remarks = _identified(array, bands, _size_of(array, gsd, grid), scale is not None)
    stacked = array.load(indices)
    packings = [array.packings[index] for index in indices]
    usable = _stated_valid(array, indices, stacked, packings, nodata, named)
    if valid is not None:
        usable = combined(usable, given_valid(valid, stacked.shape))
    scales, offsets = scaling_of(identified, named, stacked, usable, packings, array.added, scale, offset)
    known = named or next((each for each in sensors() if each.name == identified[0].sensor), None)
    stated_days = array.days() if dates is None else None
    days = given_days(dates, stacked.shape[0]) if stated_days is None else stated_days
    refuse_days(days, known)
    units = UndeclaredUnits(identified, named, stacked, usable, packings, scales, offsets)
    notes = (*remarks, *array.notes, *(notes_on_offset(units, array.added, int(days.max())) if offset is None else ()))
    place = _grid(array, grid, stacked.shape[2:])
    pixels = Pixels(
        values=stacked,
        valid=usable,
        scale=np.array(scales, np.float64),
        offset=np.array(offsets, np.float64),
        bands=identified,
        grid=place,
        days=days,
        gsd=place.gsd if gsd is None else given_gsd(gsd),
    )
    declared = scale is not None or all(packing.scaling is not None for packing in packings)
    judges_fill = given_nodata(as_text(nodata)).declared
    return UncheckedPixels(pixels, known.level if known else "", declared, judges_fill, notes)


def _count_of(choice: Bands | None) -> int | None:
    """How many bands a choice names, None where it selects from what the array names."""
    if choice is None or isinstance(choice, str):
        return choice_count(choice)
    return len(choice) or None


def suspicions_of(described: UncheckedPixels) -> list[str]:
    """The flags of an array, as texts. RasterError for those at which every verb stops, and without a valid pixel."""
    pixels = described.pixels
    if pixels.valid is not None and not pixels.valid.any():
        raise RasterError("the array: found no valid pixel: all are nodata, NaN or masked", do="Give one with data")
    flags = flags_of(pixels, described.level, described.declared, described.judges_fill)
    refuse_flags(flags, "the array")
    return [f"the array: {flag.text}" for flag in flags]


def _refuse_undated(pixels: Pixels, dates: Dates | None) -> None:
    """RasterError for several dates without days. An unknown day that the user states is accepted."""
    if dates is None and len(pixels.days) > 1 and (pixels.days == UNKNOWN).any():
        raise RasterError(
            f"the array: found {len(pixels.days)} dates without days",
            "a day for each of several dates",
            "Give the dates, or None for each that is unknown, like",
            ("dates", ["2020-05-01", None]),
        )


def _grid(array: DescribedArray, given: Grid | None, shape: tuple[int, ...]) -> Grid:
    """The given grid, else the array's, else one without georeference. RasterError when the shape is another."""
    grid = given or array.grid() or Grid(None, Affine.identity(), *shape)
    if grid.shape != shape:
        raise RasterError(f"found a grid of {grid.shape} pixels", f"{shape}, the shape of the values")
    return grid


def _size_of(array: DescribedArray, gsd: float | int | None, grid: Grid | None) -> float:
    """Metres of a pixel on the ground, by the arguments, else by the array; nan if unknown."""
    if gsd is not None:
        return float(gsd)
    place = grid or array.grid()
    return math.nan if place is None else place.gsd


def _identified(
    array: DescribedArray, choice: Bands | None, gsd: float, is_scaled: bool
) -> tuple[tuple[Band, ...], tuple[int, ...], Sensor | None, tuple[str, ...]]:
    """The bands, their indices in the array, the sensor that sets the conventions, None where `choice` is bands, and
    what a user should know about the names; an open level changes nothing in an array.

    gsd: metres, nan unknown. is_scaled: whether the user states the scale."""
    given = () if choice is None or isinstance(choice, str) else tuple(choice)
    chosen = tuple(each for each in given if isinstance(each, Band))
    if not chosen or len(chosen) < len(given):
        text = as_text(choice)
        scaled = is_scaled or all(packing.scaling is not None for packing in array.packings)
        evidence = Evidence(
            array.names, "the array", wavelengths=array.wavelengths, gsd=gsd, dtype=array.dtype, is_scaled=scaled
        )
        identity = identify(evidence, text)
        if identity.conflicts:
            raise BandError(identity.conflicts[0])
        remarks = tuple(each for each in identity.warnings if LEVEL_OPEN not in each)
        return identity.bands, identity.indices, identity.sensor, remarks
    names = [name and canonical(name) for name in array.names]
    if not any(names):
        return bands_of(chosen, len(names), "the array")[0], tuple(range(len(names))), None, ()
    missing = [band.name for band in chosen if band.name not in names]
    if missing:
        raise BandError(
            f"the array: found no {' and no '.join(missing)} among {', '.join(map(str, names))}",
            "all bands that are given",
            "Rename the array's bands, as bands with names are never matched by position",
        )
    indices = tuple(names.index(band.name) for band in chosen)
    return bands_of(chosen, len(chosen), "the array")[0], indices, None, ()


def _stated_valid(
    array: DescribedArray,
    indices: Sequence[int],
    stacked: Shaped[np.ndarray, "date band row column"],
    packings: Sequence[Packing],
    nodata: Nodata | None,
    named: Sensor | None,
) -> Bool[np.ndarray, "date band row column"] | None:
    """Valid by nodata (the given, else the array's, else, for xarray's integers, the sensor's), range and mask."""
    given = given_nodata(as_text(nodata))
    marks: list[tuple[float | int | None, ...]] = [
        given.values if nodata is not None else packing.nodata for packing in packings
    ]
    if array.of_products and stacked.dtype.kind in "iu" and named is not None and given.declared:
        marks = [of_band or (named.nodata,) for of_band in marks]
    valid = None
    for turn in range(max(1, *map(len, marks))):
        valid = combined(valid, measured(stacked, [m[turn] if turn < len(m) else None for m in marks]))
    for band, packing in enumerate(packings):
        if math.isfinite(packing.lowest) or math.isfinite(packing.highest):
            within = np.ones(stacked.shape, bool)
            within[:, band] = (stacked[:, band] >= packing.lowest) & (stacked[:, band] <= packing.highest)
            valid = combined(valid, within)
    if stacked.shape[1] >= FEWEST_TO_DECIDE and given.declared:
        declared = any(mark is not None for of_band in marks for mark in of_band)
        fill = any_of(filled(np.moveaxis(stacked, 1, 0), fill_marks(stacked.dtype, declared)))
        valid = valid if fill is None else combined(valid, np.broadcast_to(~fill[:, None], stacked.shape))
    return valid if array.valid is None else combined(valid, array.valid[:, list(indices)])
