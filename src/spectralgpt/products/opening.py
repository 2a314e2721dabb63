"""From paths to a Raster: what the files hold, which bands, which date, on which grid."""

import os
from collections.abc import Sequence
from dataclasses import replace

from spectralgpt.errors import RasterError
from spectralgpt.products.image import open_image
from spectralgpt.products.masking import with_clouds
from spectralgpt.products.stacking import in_time, of_dates, refuse_elsewhere, refuse_other_bands, stacked
from spectralgpt.raster.area import read_area
from spectralgpt.raster.raster import Raster

StrPath = str | os.PathLike[str]


def open_raster(
    source: StrPath | Sequence[StrPath],
    *,
    bands: str | None = None,
    dates: str | None = None,
    gsd: float | int | None = None,
    aoi: StrPath | None = None,
    clouds: StrPath | None = None,
) -> Raster:
    """Open an image: a file, a product, a folder of single-band files, or several of these as the dates of one place.

    bands: a sensor, or a TOML file of one, whose names the file's names are (a nameless file is read in its order); a
    list like B02,B03 or landsat8-toa:B2,B3; or wavelengths in nm, as a list or a text file. dates: keep only these, a
    list like 2020-05-01,2020-06-10. A date is `PATH@2020-05-01`, else the metadata's, else the file name's; several
    images are sorted by it. The grid is the first image's in time, in a folder or product that of the finest band;
    what lies on another grid is read by georeference. gsd: metres on the ground of the grid instead, averaged where
    that is coarser than a band. aoi: a GeoJSON file; the grid is cut to it, and pixels outside are not valid. clouds:
    scl, qa or fmask for the product's own layer, or a raster (one a date, with commas) that is not 0 in clouds; these
    are not valid.

    BandError when bands are unnamed, unknown, repeated, or could be of several sensors; OptionError when an option does
    not fit the image; RasterError for all else that is wrong with a file.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    if not sources:
        raise RasterError("found no image", "at least one path")
    images = [open_image(os.fspath(each), bands) for each in sources]
    if clouds is not None:
        images = with_clouds(images, os.fspath(clouds))
    images = in_time(images)
    if dates is not None:
        images = of_dates(images, dates)
    for image in images[1:]:
        refuse_other_bands(images[0], image)
        refuse_elsewhere(images[0], image)
    raster = stacked(images, masked=clouds is not None)
    if gsd is not None:
        raster = replace(raster, grid=raster.grid.at_gsd(gsd))
    if aoi is not None:
        window, area = read_area(os.fspath(aoi), raster.grid)
        raster = replace(raster, grid=raster.grid.window(window), area=area.seen_from(window))
    return raster
