"""Whether two dates of a scene show any ground in common, before anything is computed."""

import numpy as np

from spectralgpt.errors import RasterError
from spectralgpt.raster import Raster, Window

LOOKED_AT_ONCE = 512
"""Side of the squares of pixels that are looked at, one after the other."""

NAMES = ("earlier", "later")

SHOW_BOTH = "two images that show the same place"


def check_common_ground(raster: Raster) -> None:
    """RasterError where no pixel is valid at both dates of a raster, naming the date that has none at all.

    Reads from the middle outwards until one is found: of most scenes a square, of one without common ground all.
    """
    seen = np.zeros(2, bool)
    for window in _from_the_middle(*raster.grid.shape):
        valid = raster.read(window).valid
        if valid is None:
            return
        known = np.asarray(valid.any(axis=1))
        if known.all(axis=0).any():
            return
        seen |= np.array([each.any() for each in known])
    found = "no pixel is valid at both dates"
    if not seen.all():
        empty = " and the ".join(name for name, any_valid in zip(NAMES, seen, strict=True) if not any_valid)
        found = f"the {empty} image {'has' if seen.any() else 'have'} no valid pixel on this place"
    raise RasterError(
        f"{raster.source}: {found}",
        SHOW_BOTH,
        "The verb `inspect` says of each what is valid, nodata and cloudy",
    )


def _from_the_middle(height: int, width: int) -> list[Window]:
    """Squares that cover the grid, those in the middle first."""
    every = [
        Window(row, column, min(LOOKED_AT_ONCE, height - row), min(LOOKED_AT_ONCE, width - column))
        for row in range(0, height, LOOKED_AT_ONCE)
        for column in range(0, width, LOOKED_AT_ONCE)
    ]
    return sorted(
        every,
        key=lambda each: (
            (each.row + each.height / 2 - height / 2) ** 2 + (each.column + each.width / 2 - width / 2) ** 2
        ),
    )
