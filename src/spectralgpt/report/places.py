"""A map of the positions of samples."""

import numpy as np
from jaxtyping import Float32, Float64, Int64
from matplotlib.axes import Axes

SMALLEST_SPAN = 1.0
"""Smallest extent of a map, degrees."""

WHOLE_WORLD_FROM = 60.0
"""Degrees of longitude beyond which the map shows the whole world; of latitude it is half."""

CELLS = 300
"""Number of cells along the map: the samples of a cell are one point."""


def draw_places(axes: Axes, positions: Float32[np.ndarray, "sample 2"]) -> None:
    """Draw the map. positions: degrees of longitude and latitude, NaN where unknown.

    Longitude and latitude without a projection, over a graticule, without coastlines; larger points are more samples. A
    map of samples of one region shows that region only.
    """
    known = positions[~np.isnan(positions).any(axis=1)].astype(np.float64)
    axes.set_title(f"places of {len(known):,} of {len(positions):,} samples")
    if not len(known):
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no sample has a known position", ha="center", va="center", transform=axes.transAxes)
        return
    low, high = _shown(known)
    cells, counts = _in_cells(known, low, high)
    axes.set(xlabel="longitude (degrees)", ylabel="latitude (degrees)")
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    if high[0] - low[0] == 360:
        axes.set(xticks=range(-180, 181, 30), yticks=range(-90, 91, 30), aspect="equal")
    else:
        # a degree of longitude is shorter than one of latitude
        axes.set_aspect(1 / max(0.1, float(np.cos(np.radians((low[1] + high[1]) / 2)))))
    axes.grid(True, color="0.85")
    axes.set_axisbelow(True)
    axes.scatter(cells[:, 0], cells[:, 1], s=12 + 10 * np.log2(counts), color="tab:red", alpha=0.6, linewidth=0)


def _shown(known: Float64[np.ndarray, "sample 2"]) -> tuple[Float64[np.ndarray, " 2"], Float64[np.ndarray, " 2"]]:
    """The south-west and the north-east corner of the map."""
    low, high = known.min(axis=0), known.max(axis=0)
    if high[0] - low[0] > WHOLE_WORLD_FROM or high[1] - low[1] > WHOLE_WORLD_FROM / 2:
        return np.array([-180.0, -90.0]), np.array([180.0, 90.0])
    half = np.maximum((high - low) * 0.6, SMALLEST_SPAN / 2)
    middle = (low + high) / 2
    return middle - half, middle + half


def _in_cells(
    known: Float64[np.ndarray, "sample 2"], low: Float64[np.ndarray, " 2"], high: Float64[np.ndarray, " 2"]
) -> tuple[Float64[np.ndarray, "cell 2"], Int64[np.ndarray, " cell"]]:
    """Centres of the cells that hold samples, and their numbers of samples: a million samples need far fewer points."""
    size = float((high - low).max()) / CELLS
    at, counts = np.unique(np.floor((known - low) / size).astype(np.int64), axis=0, return_counts=True)
    return low + (at + 0.5) * size, counts.astype(np.int64)
