"""Images of one place as the dates of one raster."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spectralgpt.bands import Band, is_sensor
from spectralgpt.days import UNKNOWN, day_of, iso_date
from spectralgpt.errors import RasterError, argument, first_few
from spectralgpt.products.acquisition import is_possible, refuse_impossible_day
from spectralgpt.products.dated_bands import one_fact_on_dates
from spectralgpt.products.image import Image
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.resample import places


def in_order_of_time(images: list[Image]) -> list[Image]:
    """The images sorted by date; two of one day, on one grid and with the same bands, become one.

    Dates of one file without days stay in its order. RasterError when one of several has no date, or two of one day do
    not lie on one another.
    """
    if len(images) == 1:
        return images
    of_one_file = len({image.source for image in images}) == 1
    for image in images:
        if image.day == UNKNOWN and not of_one_file:
            raise RasterError(
                f"{image.source}: found no date in its metadata or name",
                f"one for each of {len(images)} images",
                f"Give it, like {image.source}@2020-05-01",
            )
    if all(image.day == UNKNOWN for image in images):
        return images
    by_day: dict[int, Image] = {}
    for image in images:
        by_day[image.day] = in_front_of(by_day[image.day], image) if image.day in by_day else image
    return [by_day[day] for day in sorted(by_day)]


def in_front_of(first: Image, other: Image) -> Image:
    """Two images of one day as one: pixels of the first where they are valid, else of the other, like two granules of
    a tile, each half filled. A pixel is cloudy where either shows clouds. RasterError for other bands or another grid,
    and for an image given twice."""
    same_bands = set(first.identity.bands) == set(other.identity.bands)
    if first.source == other.source or not same_bands or not first.grid.coincides(other.grid):
        raise RasterError(
            f"{first.source} and {other.source}: found the date {iso_date(first.day)} more than once",
            "images of different days, or two of one day with the same bands on one grid",
            f"Give the dates, like {first.source}@2020-05-01",
        )
    note = (
        f"{first.source} and {other.source} are of one day, {iso_date(first.day)}: pixels of the first where they are "
        "valid, else of the second"
    )
    clouds = first.clouds
    if first.clouds is not None and other.clouds is not None:
        clouds = first.clouds.before(other.clouds)
    return replace(
        first,
        layers=tuple(map(Layer.before, first.layers, _in_order_of(first, other))),
        clouds=clouds or other.clouds,
        facts=(*first.facts, *other.facts),
        warnings=(*first.warnings, *other.warnings, note),
        identity=replace(first.identity, conflicts=(*first.identity.conflicts, *other.identity.conflicts)),
    )


def of_dates(images: list[Image], dates: str) -> list[Image]:
    """The images of a list of dates. RasterError, with the dates of the images, for a date without an image."""
    wanted = {day_of(text, argument("dates", dates)) for text in dates.split(",")}
    present = {image.day for image in images}
    if not wanted <= present:
        missing = ", ".join(iso_date(day) for day in sorted(wanted - present))
        known = ", ".join(iso_date(day) or "an unknown date" for day in sorted(present))
        raise RasterError(f"{argument('dates', dates)}: found no image of {missing}", f"some of: {known}")
    return [image for image in images if image.day in wanted]


def refuse_impossible_days(images: Sequence[Image]) -> None:
    """RasterError for a date in the future, or before the launch of its sensor."""
    times = Counter(image.source for image in images)
    possible = [image.day for image in images if image.day != UNKNOWN and is_possible(image.day, image.identity.sensor)]
    for image in images:
        refuse_impossible_day(image.source, image.day, image.identity.sensor, times[image.source] > 1, possible)


def refuse_other_bands(images: Sequence[Image]) -> None:
    """RasterError, with the bands that all have, when a date has other bands than the first."""
    first = images[0]
    other = next((image for image in images if set(image.identity.bands) != set(first.identity.bands)), None)
    if other is None:
        return
    one, two = (set(image.identity.bands) for image in (first, other))

    def listed(image: Image, bands: set[Band]) -> str:
        return first_few([f"{band.sensor} {band.name}" for band in image.identity.bands if band in bands], 6) or "none"

    common = ",".join(
        band.name for band in first.identity.bands if all(band in image.identity.bands for image in images)
    )
    known = is_sensor(first.identity.sensor.name)
    raise RasterError(
        f"{_called(other, first)}: found other bands than in {_called(first, other)} (only here: "
        f"{listed(other, two - one)}; only there: {listed(first, one - two)})",
        "the same bands on all dates",
        "Choose the bands that all dates have:" if common else "Give dates of one sensor with the same bands",
        *([("bands", f"{first.identity.sensor.name}:{common}" if known else common)] if common else []),
    )


def _called(image: Image, other: Image) -> str:
    """The source of an image, with its date where another is in the same file."""
    return f"{image.source}, {iso_date(image.day) or 'one date'}" if image.source == other.source else image.source


def both_placed(one: Grid, other: Grid) -> bool:
    """Whether both grids have a place, both in a CRS or both in none."""
    return one.is_placed and other.is_placed and (one.crs is None) == (other.crs is None)


def refuse_elsewhere(first: Image, other: Image) -> None:
    """RasterError when a date cannot be placed on the grid of the first, or does not overlap it."""
    if first.grid.coincides(other.grid):
        return
    if not both_placed(first.grid, other.grid):
        raise RasterError(
            f"{other.source}: found {other.grid.height} x {other.grid.width} pixels, in {first.source} "
            f"{first.grid.height} x {first.grid.width}, and no georeference in one of them",
            "one grid, or a CRS and transform in both",
        )
    if not overlap(first.grid, other.grid):
        raise RasterError(f"{other.source}: does not overlap {first.source}", do="Give dates of one place")


def _in_order_of(first: Image, image: Image) -> tuple[Layer, ...]:
    of_band = {layer.band: layer for layer in image.layers}
    return tuple(of_band[band] for band in first.identity.bands)


def stacked(images: Sequence[Image], masked: bool) -> Raster:
    """One raster of all dates. masked: pixels in the cloud layers are not valid.

    Where the dates differ in scale or offset, `read` gives reflectance in floats.
    """
    first = images[0]
    layers = tuple(_in_order_of(first, image) for image in images)
    every = [each for of_date in layers for layer in of_date for each in layer.front_to_back()]
    dtype = np.result_type(*(layer.dtype for layer in every))
    nodata: float | None = every[0].nodata
    scale, offset = ([getattr(layer, name) for layer in layers[0]] for name in ("scale", "offset"))
    if any(
        (each.scale, each.offset) != units
        for of_date in layers
        for layer, units in zip(of_date, zip(scale, offset, strict=True), strict=True)
        for each in layer.front_to_back()
    ):
        dtype, nodata = np.result_type(dtype, np.float32), math.nan
        scale, offset = [1.0] * len(scale), [0.0] * len(offset)
    elif len({repr(layer.nodata) for layer in every}) > 1:  # repr: nan is nan
        nodata = None
    shared = set.intersection(*(set(image.tags) for image in images))
    return Raster(
        layers=layers,
        grid=first.grid,
        days=tuple(image.day for image in images),
        sensor=first.identity.sensor,
        dtype=dtype,
        scale=tuple(scale),
        offset=tuple(offset),
        nodata=nodata,
        tags=dict(tag for tag in first.tags if tag in shared),
        warnings=tuple(dict.fromkeys(warning for image in images for warning in image.warnings)),
        facts=one_fact_on_dates([fact for image in images for fact in image.facts]),
        conflicts=tuple(dict.fromkeys(conflict for image in images for conflict in image.identity.conflicts)),
        clouds=tuple(image.clouds for image in images),
        without_clouds=masked,
        other_level=first.identity.other_level,
    )


def overlap(one: Grid, other: Grid) -> bool:
    """Whether any of a few thousand places of one grid lies on the other. Without georeference: whether the shapes are
    the same."""
    if not (one.is_placed and other.is_placed) or (one.crs is None) != (other.crs is None):
        return one.shape == other.shape
    coarse = one.coarsened(max(1, max(one.shape) // 64))
    return bool(places(coarse, coarse.whole, other).covered().any())
