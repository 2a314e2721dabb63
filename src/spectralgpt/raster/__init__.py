"""Images as grids of pixels: their place, values and validity; windowed reads, resampling, writing."""

from typing import TYPE_CHECKING

from spectralgpt.raster.footprint import Footprint, footprint
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.marks import ResultMark, without_mark
from spectralgpt.raster.of_pixels import raster_of
from spectralgpt.raster.one_date import OneDate
from spectralgpt.raster.overview import overview
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.readable import Readable
from spectralgpt.raster.selection import selected
from spectralgpt.raster.shift import DateShift, aligned, date_shift
from spectralgpt.raster.tags import DATE_TAG, SENSOR_TAG
from spectralgpt.raster.window import Window
from spectralgpt.raster.writing import CogWriter, Profile, check_target, write_raster

__all__ = [
    "DATE_TAG",
    "SENSOR_TAG",
    "CogWriter",
    "DateShift",
    "Footprint",
    "Grid",
    "OneDate",
    "Pixels",
    "Profile",
    "Raster",
    "Readable",
    "ResultMark",
    "Window",
    "aligned",
    "check_target",
    "date_shift",
    "footprint",
    "overview",
    "raster_of",
    "selected",
    "without_mark",
    "write_raster",
]

if not TYPE_CHECKING:  # type checkers see the new names only
    from spectralgpt.renames import former_names

    __getattr__ = former_names(
        __name__,
        {
            "open_raster": "products.open_raster",
            "check": "checks.check",
            "BandRow": "checks.BandRow",
            "Flag": "checks.Flag",
            "Verdict": "checks.Verdict",
            "Layout": "raster.Profile",
        },
    )
