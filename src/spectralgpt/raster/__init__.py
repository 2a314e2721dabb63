"""Images on disk: where their pixels lie, what they hold, what is valid; reading and writing. Knows no torch."""

from spectralgpt.raster.contract import BandRow, Verdict, check
from spectralgpt.raster.dates import DATE_TAG
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.opening import SENSOR_TAG, open_raster
from spectralgpt.raster.overview import overview
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.suspicions import Flag
from spectralgpt.raster.window import Window
from spectralgpt.raster.writing import CogWriter, Layout, check_target, refuse_overwriting, write_raster

__all__ = [
    "DATE_TAG",
    "SENSOR_TAG",
    "BandRow",
    "CogWriter",
    "Flag",
    "Grid",
    "Layout",
    "Pixels",
    "Raster",
    "Verdict",
    "Window",
    "check",
    "check_target",
    "open_raster",
    "overview",
    "refuse_overwriting",
    "write_raster",
]
