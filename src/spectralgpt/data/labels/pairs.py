"""The two images of a pair as the dates of one image, on the grid of the first."""

import math
from dataclasses import replace

import numpy as np

from spectralgpt.data.labels.faults import Fault
from spectralgpt.products.stacking import overlap
from spectralgpt.raster import Pixels, Raster, Readable
from spectralgpt.raster.pixels import combined

APART = Fault("pair", "of images that do not overlap", "two images of one place")
OTHER_BANDS = Fault(
    "pair",
    "of images with different bands",
    "the same bands in both",
    "List the bands that all have in the argument `bands`",
)
OTHER_SIZE = Fault(
    "pair", "of images of different sizes without georeference", "one size, or a CRS and transform in both"
)  # fmt: skip


def fault_of_pair(before: Readable, after: Readable) -> Fault | None:
    """Why two images are no pair; None where they are one."""
    if set(before.bands) != set(after.bands):
        return OTHER_BANDS
    one, two = before.grid, after.grid
    if one.crs is None or two.crs is None:
        return OTHER_SIZE if one.shape != two.shape else None
    return None if one.coincides(two) or overlap(one, two) else APART


def paired(before: Raster, after: Raster) -> Raster:
    """One raster of two dates, in the order given, whatever their days are.

    The second image is read by georeference where it has another grid; pixels that it does not cover are not valid.
    Where the two differ in scale or offset, `read` gives reflectance in floats.
    """
    of_band = {layer.band: layer for layer in after.layers[0]}
    second = tuple(of_band[band] for band in before.bands)
    if before.grid.crs is None or after.grid.crs is None:  # one size is one place
        second = tuple(replace(layer, grid=before.layers[0][0].grid) for layer in second)
    layers = (*before.layers, second)
    every = [layer for of_date in layers for layer in of_date]
    units = [[(layer.scale, layer.offset) for layer in of_date] for of_date in layers]
    alike = all(each == units[0] and each == [*zip(before.scale, before.offset, strict=True)] for each in units)
    dtype = np.result_type(*(layer.dtype for layer in every))
    nodata = before.nodata if len({repr(layer.nodata) for layer in every}) == 1 else None  # repr: nan is nan
    count = len(before.bands)
    return replace(
        before,
        layers=layers,
        days=(*before.days, *after.days),
        dtype=dtype if alike else np.result_type(dtype, np.float32),
        scale=before.scale if alike else (1.0,) * count,
        offset=before.offset if alike else (0.0,) * count,
        nodata=nodata if alike else math.nan,
        clouds=(*(before.clouds or (None,)), *(after.clouds or (None,))) if before.clouds or after.clouds else (),
        without_clouds=before.without_clouds and after.without_clouds,
        warnings=tuple(dict.fromkeys((*before.warnings, *after.warnings))),
        facts=tuple(dict.fromkeys((*before.facts, *after.facts))),
        conflicts=tuple(dict.fromkeys((*before.conflicts, *after.conflicts))),
    )


def paired_pixels(before: Pixels, after: Pixels) -> Pixels:
    """Pixels of two dates on one grid. ValueError for other sizes."""
    if before.shape[2:] != after.shape[2:]:
        raise ValueError(f"found images of {before.shape[2:]} and {after.shape[2:]} pixels; expected one size")
    order = [after.bands.index(band) for band in before.bands]
    one, two = before.values, after.values[:, order]
    scale, offset = before.scale, before.offset
    if not (np.array_equal(scale, after.scale[order]) and np.array_equal(offset, after.offset[order])):
        one, two = before.reflectance(), after.reflectance()[:, order]
        scale, offset = np.ones(len(order)), np.zeros(len(order))
    valid = None
    if before.valid is not None or after.valid is not None:
        halves = [np.ones(half.shape, bool) if half.valid is None else half.valid for half in (before, after)]
        valid = combined(np.concatenate([halves[0], halves[1][:, order]]), None)
    return replace(
        before,
        values=np.concatenate([one, two]),
        valid=valid,
        scale=scale,
        offset=offset,
        days=np.concatenate([before.days, after.days]),
    )
