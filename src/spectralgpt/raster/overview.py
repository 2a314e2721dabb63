"""A small overview of an image."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from spectralgpt.raster.raster import Raster
from spectralgpt.raster.window import Window

OVERVIEW_SIDE = 512
"""Largest side of an overview in pixels; about the side of the windows read for it."""


def overview(raster: Raster, bands: Sequence[int] | None = None) -> Float32[np.ndarray, "band row column"]:
    """Reflectance of every n-th pixel of the first date, at most 512 x 512, nan where not valid.

    bands: indices of those that are wanted; default: all. Read window by window, so that memory does not grow with the
    image.
    """
    if bands is not None and type(raster) is not Raster:
        return overview(raster)[list(bands)]  # of pixels in memory
    first = replace(raster, layers=raster.layers[:1], days=raster.days[:1], clouds=raster.clouds[:1])
    if bands is not None:
        layers = tuple(first.layers[0][band] for band in bands)
        scale, offset = (tuple(each[band] for band in bands) for each in (first.scale, first.offset))
        first = replace(first, layers=(layers,), scale=scale, offset=offset)
    height, width = raster.grid.shape
    step = -(-max(height, width) // OVERVIEW_SIDE)
    side = -(-OVERVIEW_SIDE // step) * step
    result = np.empty((len(first.bands), -(-height // step), -(-width // step)), np.float32)
    for row in range(0, height, side):
        for column in range(0, width, side):
            pixels = first.read(Window(row, column, min(side, height - row), min(side, width - column)))
            thinned = (0, slice(None), slice(None, None, step), slice(None, None, step))
            values = pixels.reflectance()[thinned]
            if pixels.valid is not None:
                values = np.where(pixels.valid[thinned], values, np.float32(np.nan))
            into = (slice(row // step, None), slice(column // step, None))
            result[:, into[0], into[1]][:, : values.shape[1], : values.shape[2]] = values
    return result
