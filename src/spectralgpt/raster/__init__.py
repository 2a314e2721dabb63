"""Images as grids of pixels: where they lie, what they hold, what is valid; windowed reads, resampling, writing."""

from spectralgpt.raster.grid import Grid
from spectralgpt.raster.overview import overview
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.tags import DATE_TAG, SENSOR_TAG
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
    "Window",
    "check_target",
    "overview",
    "refuse_overwriting",
    "write_raster",
]
