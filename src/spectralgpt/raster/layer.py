"""One band of one date, as it lies in a file."""

from dataclasses import dataclass

from spectralgpt.bands import Band
from spectralgpt.raster.fill import FillRule
from spectralgpt.raster.grid import Grid


@dataclass(frozen=True, slots=True)
class Layer:
    """Where one band of one date is stored, and how: reflectance = stored x scale + offset.

    index: in the file, from 1. nodata: the stored value of pixels that were not measured. masked: whether the file
    also has a mask of this band. alpha: index of the file's alpha band, 0 without one; its zeros are not valid.
    more_nodata: further stored values of pixels that were not measured, given by the user. fill: which pixels are not
    valid although no metadata say so; None without such a rule.
    """

    path: str
    index: int
    band: Band
    grid: Grid
    dtype: str
    scale: float
    offset: float
    nodata: float | None
    masked: bool
    alpha: int
    more_nodata: tuple[float, ...] = ()
    fill: FillRule | None = None
