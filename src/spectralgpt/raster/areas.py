"""Areas on the ground: of the pixels of each row of a grid."""

import numpy as np
from jaxtyping import Float64

from spectralgpt.raster.grid import Grid
from spectralgpt.raster.window import Window

MEASURED_ROWS = 65
"""Rows at which areas are measured where they change from row to row; between them they are interpolated."""


def row_areas(grid: Grid) -> Float64[np.ndarray, " row"]:
    """Square metres of a pixel of each row: those of the CRS where they are true to 1 % (`Grid.pixel_metres`), measured
    along the middle column elsewhere, as for degrees; NaN without a CRS."""
    ends = [_of_row(grid, row) for row in (0, grid.height - 1)]
    if not np.isfinite(ends).all() or ends[0] == ends[1]:
        return np.full(grid.height, grid.pixel_metres)
    rows = np.unique(np.linspace(0, grid.height - 1, MEASURED_ROWS).astype(int))
    return np.interp(np.arange(grid.height), rows, [_of_row(grid, int(row)) for row in rows])


def _of_row(grid: Grid, row: int) -> float:
    return grid.window(Window(row, 0, 1, grid.width)).pixel_metres
