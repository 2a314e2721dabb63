"""The polygons of a map of classes, from its rows, in bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from affine import Affine
from jaxtyping import Bool, Float64, Shaped
from rasterio.features import shapes

from spectralgpt.raster.areas import row_areas
from spectralgpt.raster.geopackage import ClassPolygon
from spectralgpt.raster.grid import Grid

POLYGON_PIXELS = 2**28
"""Pixels of a map of which polygons are made together; of larger maps they are cut between strips of rows."""

POLYGON_EDGES = 2**22
"""Sides of pixels along which two classes meet, in a strip: GDAL holds all polygons of a strip in memory, which are
then at most about two million, of a pixel each."""

StripRows = Shaped[np.ndarray, "_ column"]


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Rows of a map. top: the first one; cut: whether the row above it, and the one below it, belong to the map too."""

    top: int
    values: StripRows
    cut: tuple[bool, bool]


def strips_of(blocks: Iterable[StripRows], height: int) -> Iterator[Strip]:
    """The rows of a map, from the top, in as few strips as the limits on pixels and edges allow."""
    waiting: list[StripRows] = []
    top = pixels = edges = 0
    for block in blocks:
        for part in _parts(block):
            count = _edges(part)
            if waiting and (pixels + part.size > POLYGON_PIXELS or edges + count > POLYGON_EDGES):
                yield (strip := _strip(waiting, top, height))
                top += len(strip.values)
                waiting, pixels, edges = [], 0, 0
            waiting.append(part)
            pixels, edges = pixels + part.size, edges + count
    yield _strip(waiting, top, height)


def _parts(block: StripRows) -> Iterator[StripRows]:
    """The block, in halves of its rows until each is within the limits."""
    if len(block) > 1 and (block.size > POLYGON_PIXELS or _edges(block) > POLYGON_EDGES):
        middle = len(block) // 2
        yield from _parts(block[:middle])
        yield from _parts(block[middle:])
    else:
        yield block


def _edges(rows: StripRows) -> int:
    return int(np.count_nonzero(rows[:, 1:] != rows[:, :-1]) + np.count_nonzero(rows[1:] != rows[:-1]))


def _strip(waiting: Sequence[StripRows], top: int, height: int) -> Strip:
    values = np.concatenate(waiting) if len(waiting) > 1 else np.ascontiguousarray(waiting[0])
    return Strip(top, values, (top > 0, top + len(values) < height))


def polygons_of(
    strip: Strip, inside: Bool[np.ndarray, "row column"], grid: Grid, min_area: float | int = 0
) -> Iterator[ClassPolygon]:
    """The connected parts (over sides, not over corners) of equal values of a strip, where `inside`.

    grid: of the map. min_area: parts of fewer square metres are left out, but not those that touch a cut, as they may
    go on beyond it. Points are corners of pixels; outer rings run against the clock in the CRS.
    """
    areas = row_areas(grid)[strip.top : strip.top + len(strip.values)]
    for shape, value in shapes(strip.values, mask=inside, connectivity=4):
        rings = [np.array(ring, np.float64) for ring in shape["coordinates"]]
        pixels = round(sum(abs(_doubled_area(ring)) * (1 if not index else -1) for index, ring in enumerate(rings)) / 2)
        low, high = rings[0][:, 1].min(), rings[0][:, 1].max()
        area = pixels * float(areas[int((low + high) / 2 - 0.25)])
        at_cut = (low == 0 and strip.cut[0]) or (high == len(areas) and strip.cut[1])
        if area < min_area and not at_cut:
            continue
        yield ClassPolygon(int(value), [_placed(ring, strip.top, grid.transform) for ring in rings], pixels, area)


def _doubled_area(ring: Float64[np.ndarray, "point 2"]) -> float:
    x, y = ring.T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1])


def _placed(ring: Float64[np.ndarray, "point 2"], top: int, transform: Affine) -> Float64[np.ndarray, "point 2"]:
    """Corners of pixels, as column and row of the strip, in the CRS."""
    column, row = ring[:, 0], ring[:, 1] + top
    return np.stack(
        [
            transform.a * column + transform.b * row + transform.c,
            transform.d * column + transform.e * row + transform.f,
        ],
        axis=1,
    )
