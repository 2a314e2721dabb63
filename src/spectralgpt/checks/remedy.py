"""What to do where values should be read with another scale and offset."""

import numpy as np

from spectralgpt.bands.own_sensor import in_own_sensor
from spectralgpt.checks.pixel_sample import PixelSample
from spectralgpt.errors import argument


def remedy(sample: PixelSample, scale: float, offset: float, declared: bool) -> str:
    """What to do, in words that can be followed to the letter. declared: whether the file's own metadata state scale
    and offset; these, and reflectance in floats, come before what a sensor file says. Arrays have arguments."""
    if sample.in_memory:
        return f"give {argument('scale', float(f'{scale:.6g}'))}, {argument('offset', offset or 0)}"
    if declared or np.median(sample.scale[sample.reflective]) == 1:
        return declared_in_file(scale, offset)
    return in_own_sensor(sample.bands[0].sensor, scale, offset)


def declared_in_file(scale: float | int, offset: float) -> str:
    """How a file is made to declare scale and offset: with rasterio, which is installed (its command `rio` cannot), or
    with GDAL's own tool."""
    units = f"f.scales = [{scale:.6g}] * f.count; f.offsets = [{offset:g}] * f.count"
    return (
        f"let the file declare it: `python -c \"import rasterio; f = rasterio.open('FILE', 'r+'); {units}; "
        f'f.close()"`, or `gdal_edit.py -scale {scale:.6g} -offset {offset:g} FILE`'
    )
