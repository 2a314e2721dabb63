"""Whether the values of an array are what they claim to be, as far as values alone can tell."""

import numpy as np

from spectralgpt.bands import sensors
from spectralgpt.checks import Flag
from spectralgpt.checks.suspicions import PixelSample, suspicions
from spectralgpt.raster import Pixels

MOST_CHECKED = 50_000
"""Pixels per band and date from which statistics are computed."""


def suspected(pixels: Pixels) -> tuple[Flag, ...]:
    """What looks suspicious in pixels in memory, by the rules for images in files; nothing where none is valid."""
    dates, bands, rows, columns = pixels.shape
    stride = max(1, int(np.ceil(np.sqrt(rows * columns / MOST_CHECKED))))
    thinned = (slice(None), slice(None), slice(None, None, stride), slice(None, None, stride))
    values = pixels.reflectance()[thinned]
    if pixels.valid is not None:
        values = np.where(pixels.valid[thinned], values, np.float32(np.nan))
    if np.isnan(values).all():
        return ()
    whole = pixels.dtype.kind in "iu"
    levels = {one.name: one.level for one in sensors()}
    top = float(np.iinfo(pixels.dtype).max) * pixels.scale + pixels.offset if whole else np.full(bands, np.inf)
    sample = PixelSample(
        bands=pixels.bands,
        level=levels.get(pixels.bands[0].sensor, ""),
        values=values.reshape(dates, bands, -1).astype(np.float32),
        top=np.asarray(top, np.float64),
        valid=np.ones(bands) if pixels.valid is None else pixels.valid.mean(axis=(0, 2, 3)),
    )
    return suspicions(sample, offset_declared=False)
