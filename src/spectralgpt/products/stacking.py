"""Images of one place as the dates of one raster."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from spectralgpt.bands import Band, is_sensor
from spectralgpt.days import UNKNOWN, day_of, iso_date
from spectralgpt.errors import RasterError, argument
from spectralgpt.products.image import Image
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.resample import places


def sorted_by_date(images: list[Image]) -> list[Image]:
    """The images sorted by date. RasterError when one of several has no date, or two have the same."""
    if len(images) == 1:
        return images
    for image in images:
        if image.day == UNKNOWN:
            raise RasterError(
                f"{image.source}: found no date in its metadata or name",
                f"one for each of {len(images)} images",
                f"Give it, like {image.source}@2020-05-01",
            )
    repeated = [day for day, times in Counter(image.day for image in images).items() if times > 1]
    if repeated:
        same = [image.source for image in images if image.day == repeated[0]]
        raise RasterError(
            f"{' and '.join(same)}: found the date {iso_date(repeated[0])} more than once",
            "images of different days",
            f"Give the dates, like {same[0]}@2020-05-01",
        )
    return sorted(images, key=lambda image: image.day)


def of_dates(images: list[Image], dates: str) -> list[Image]:
    """The images of a list of dates. RasterError, with the dates of the images, for a date without an image."""
    wanted = {day_of(text, argument("dates", dates)) for text in dates.split(",")}
    present = {image.day for image in images}
    if not wanted <= present:
        missing = ", ".join(iso_date(day) for day in sorted(wanted - present))
        known = ", ".join(iso_date(day) or "an unknown date" for day in sorted(present))
        raise RasterError(f"{argument('dates', dates)}: found no image of {missing}", f"some of: {known}")
    return [image for image in images if image.day in wanted]


def refuse_other_bands(images: Sequence[Image]) -> None:
    """RasterError, with the bands that all have, when a date has other bands than the first."""
    first = images[0]
    other = next((image for image in images if set(image.identity.bands) != set(first.identity.bands)), None)
    if other is None:
        return
    one, two = (set(image.identity.bands) for image in (first, other))

    def listed(image: Image, bands: set[Band]) -> str:
        return ", ".join(f"{band.sensor} {band.name}" for band in image.identity.bands if band in bands) or "none"

    common = ",".join(
        band.name for band in first.identity.bands if all(band in image.identity.bands for image in images)
    )
    known = is_sensor(first.identity.sensor.name)
    raise RasterError(
        f"{other.source}: found other bands than in {first.source} (only here: {listed(other, two - one)}; only "
        f"there: {listed(first, one - two)})",
        "the same bands on all dates",
        "Choose the bands that all dates have:" if common else "Give dates of one sensor with the same bands",
        *([("bands", f"{first.identity.sensor.name}:{common}" if known else common)] if common else []),
    )


def refuse_elsewhere(first: Image, other: Image) -> None:
    """RasterError when a date cannot be placed on the grid of the first, or does not overlap it."""
    if first.grid.coincides(other.grid):
        return
    if not (first.grid.is_placed and other.grid.is_placed) or (first.grid.crs is None) != (other.grid.crs is None):
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
    every = [layer for of_date in layers for layer in of_date]
    dtype = np.result_type(*(layer.dtype for layer in every))
    nodata: float | None = every[0].nodata
    scale, offset = ([getattr(layer, name) for layer in layers[0]] for name in ("scale", "offset"))
    if any(
        [(layer.scale, layer.offset) for layer in of_date] != [*zip(scale, offset, strict=True)] for of_date in layers
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
        facts=tuple(dict.fromkeys(fact for image in images for fact in image.facts)),
        conflicts=tuple(dict.fromkeys(conflict for image in images for conflict in image.identity.conflicts)),
        clouds=tuple(image.clouds for image in images),
        without_clouds=masked,
    )


def overlap(one: Grid, other: Grid) -> bool:
    """Whether any of a few thousand places of one grid lies on the other. Without georeference: whether the shapes are
    the same."""
    if not (one.is_placed and other.is_placed) or (one.crs is None) != (other.crs is None):
        return one.shape == other.shape
    coarse = one.coarsened(max(1, max(one.shape) // 64))
    return bool(places(coarse, coarse.whole, other).covered().any())
