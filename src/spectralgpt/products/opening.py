"""From paths to a Raster: bands, dates, units and grid of its files."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from spectralgpt.arguments import checked
from spectralgpt.days import iso_date
from spectralgpt.errors import OptionError, RasterError, argument, counted, first_few
from spectralgpt.plain import as_text
from spectralgpt.products.image import Image, open_images
from spectralgpt.products.masking import with_clouds
from spectralgpt.products.nodata import GivenNodata, given_nodata
from spectralgpt.products.stacking import (
    in_order_of_time,
    of_dates,
    refuse_elsewhere,
    refuse_impossible_days,
    refuse_other_bands,
    stacked,
)
from spectralgpt.raster.area import read_area
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.trusted import remote_sources

StrPath = str | os.PathLike[str]


@checked
def open_raster(
    source: StrPath | Sequence[StrPath],
    *,
    bands: str | Sequence[str | float | int] | None = None,
    dates: str | date | Sequence[str | date] | None = None,
    gsd: float | int | None = None,
    aoi: StrPath | None = None,
    clouds: StrPath | Sequence[StrPath] | None = None,
    nodata: str | float | int | Sequence[str | float | int] | None = None,
    allow_remote: bool = False,
) -> Raster:
    """Open an image: a file, a product, a folder of single-band files, or several of these as the dates of one place.

    bands: a sensor, or its TOML file, that defines the band names in the file (bands without names are taken in the
    sensor's order); a list like B02,B03 or landsat8-toa:B2,B3; or wavelengths in nm, as a list or a text file. dates:
    the ones to keep, a list like 2020-05-01,2020-06-10. The date of an image is given as `PATH@2020-05-01`, or comes
    from its metadata, or from its file name; the names of a file's bands may hold several dates (B02_20200501). Several
    images are sorted by date; two of one day on one grid become one date: the first where it is valid, else the second.
    The grid is that of the earliest image, in a folder or product that of the finest band; other grids are read by
    georeference. gsd: pixel size of the grid in metres on the ground; coarser than a band, it averages. aoi: a GeoJSON
    file; the grid is cropped to it, and pixels outside are not valid. clouds: auto for the product's own layer, or the
    name of one (scl, qa, fmask), or a raster (one per date, separated by commas) that is not 0 in clouds; pixels in
    clouds are not valid. nodata: stored value of pixels without data, in addition to what the file declares, or several
    like 0,-9999; none ignores what the file declares (none,-9999 replaces it). Masks and alpha bands count in any case.
    allow_remote: read images on other machines, by https://, s3:// and the like, also those that a VRT names.
    Every list is a text with commas or a list.

    BandError when bands are unnamed, unknown, repeated, or could be of several sensors; OptionError when an option does
    not fit the image; RasterError for anything else that is wrong with a file.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    if not sources:
        raise RasterError("found no image", "at least one path")
    given = given_nodata(as_text(nodata))
    choice, are_chosen = as_text(bands), dates is not None
    with remote_sources(allow_remote):
        images = [image for each in sources for image in open_images(os.fspath(each), choice, given, are_chosen)]
        if clouds is not None:
            images = with_clouds(images, os.fspath(as_text(clouds)))
    images = in_order_of_time(images)
    if dates is not None:
        images = of_dates(images, str(as_text(dates)))
    return _of_one_place(images, given, gsd, aoi, masked=clouds is not None)


@checked
def open_pair(
    before: StrPath,
    after: StrPath,
    *,
    bands: str | Sequence[str | float | int] | None = None,
    dates: str | date | Sequence[str | date] | None = None,
    gsd: float | int | None = None,
    aoi: StrPath | None = None,
    clouds: StrPath | Sequence[StrPath] | None = None,
    nodata: str | float | int | Sequence[str | float | int] | None = None,
    allow_remote: bool = False,
) -> Raster:
    """Open two images of one place as two dates in the order given, whatever their dates are, known or not.

    dates: two, the one to use of each source, where one holds several. The grid is that of the first image. Arguments
    and errors otherwise as of `open_raster`; RasterError also for a source of several dates without a choice, and for
    one image given twice.
    """
    given, choice = given_nodata(as_text(nodata)), as_text(bands)
    wanted = [None, None] if dates is None else str(as_text(dates)).split(",")
    if len(wanted) != 2:
        raise OptionError(
            f"{argument('dates', as_text(dates))}: found {counted(len(wanted), 'date')}", "one per source"
        )
    with remote_sources(allow_remote):
        images = [
            _at_one_date(os.fspath(source), choice, given, date)
            for source, date in zip((before, after), wanted, strict=True)
        ]
        if images[0].layers == images[1].layers:
            raise RasterError(f"{images[0].source}: is given as both images", "two dates of one place")
        if clouds is not None:
            images = with_clouds(images, os.fspath(as_text(clouds)))
    return _of_one_place(images, given, gsd, aoi, masked=clouds is not None)


def _at_one_date(source: str, choice: str | None, nodata: GivenNodata, date: str | None) -> Image:
    """The image of a source at one date. date: the one to use, as text; None: its only one."""
    images = open_images(source, choice, nodata, are_chosen=date is not None)
    if date is not None:
        images = of_dates(images, date)
    if len(images) == 1:
        return images[0]
    known = first_few([iso_date(image.day) or "an unknown date" for image in images], 6)
    raise RasterError(
        f"{images[0].source}: found {len(images)} dates ({known})",
        "one",
        "Choose one of each source, earlier and later, with the argument `dates`",
    )


def _of_one_place(
    images: list[Image], nodata: GivenNodata, gsd: float | int | None, aoi: StrPath | None, *, masked: bool
) -> Raster:
    """The images as the dates of one raster. masked: pixels in their cloud layers are not valid."""
    refuse_impossible_days(images)
    refuse_other_bands(images)
    for image in images[1:]:
        refuse_elsewhere(images[0], image)
    raster = stacked(images, masked)
    if nodata.text:
        raster = replace(raster, given_nodata=nodata.text)
    if gsd is not None:
        raster = replace(raster, grid=raster.grid.at_gsd(gsd))
    if aoi is not None:
        window, area = read_area(os.fspath(aoi), raster.grid)
        raster = replace(raster, grid=raster.grid.window(window), area=area.seen_from(window))
    return raster
