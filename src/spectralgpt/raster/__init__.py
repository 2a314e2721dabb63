"""Images on disk: where their pixels lie, what they hold, what is valid; reading and writing. Knows no torch."""

from spectralgpt.raster.contract import Verdict, check
from spectralgpt.raster.dates import DATE_TAG
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.opening import SENSOR_TAG, open_raster
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.window import Window
from spectralgpt.raster.writing import CogWriter, Layout, check_target, refuse_overwriting, write_raster

__all__ = [
    "DATE_TAG",
    "SENSOR_TAG",
    "CogWriter",
    "Grid",
    "Layout",
    "Pixels",
    "Raster",
    "Verdict",
    "Window",
    "check",
    "check_target",
    "open_raster",
    "refuse_overwriting",
    "write_raster",
]
