"""Some of the dates and bands of a raster."""

from collections.abc import Sequence
from dataclasses import replace

from spectralgpt.raster.of_pixels import PixelsRaster
from spectralgpt.raster.raster import Raster


def selected(raster: Raster, *, dates: Sequence[int] | None = None, bands: Sequence[int] | None = None) -> Raster:
    """The raster with these dates and bands alone (indices; default: all), so that reads take less time. Of files: what
    is in memory has no use for it."""
    assert not isinstance(raster, PixelsRaster), "pixels in memory are selected by indexing"
    chosen_dates = range(len(raster.days)) if dates is None else dates
    chosen = range(len(raster.bands)) if bands is None else bands
    return replace(
        raster,
        layers=tuple(tuple(raster.layers[date][band] for band in chosen) for date in chosen_dates),
        days=tuple(raster.days[date] for date in chosen_dates),
        clouds=tuple(raster.clouds[date] for date in chosen_dates) if raster.clouds else (),
        scale=tuple(raster.scale[band] for band in chosen),
        offset=tuple(raster.offset[band] for band in chosen),
    )
