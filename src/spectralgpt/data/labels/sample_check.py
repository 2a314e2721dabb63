"""Whether the values of an array are what they claim to be, as far as values alone can tell."""

from spectralgpt.bands import sensors
from spectralgpt.checks import Flag, flags_of
from spectralgpt.raster import Pixels


def suspected(pixels: Pixels) -> tuple[Flag, ...]:
    """What looks suspicious in pixels in memory, by the rules for images in files; nothing where none is valid."""
    if pixels.valid is not None and not pixels.valid.any():
        return ()
    levels = {one.name: one.level for one in sensors()}
    return flags_of(pixels, levels.get(pixels.bands[0].sensor, ""), declared=False)
