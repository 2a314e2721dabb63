"""Whether the bands of an image lie on one another."""

from spectralgpt.checks.flags import Flag
from spectralgpt.checks.pixel_sample import PixelSample


def shifted(sample: PixelSample) -> list[Flag]:
    return []
