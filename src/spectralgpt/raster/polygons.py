"""The polygons of a map of classes, from its rows, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from jaxtyping import Bool, Float64, Int64, Shaped
from rasterio.features import shapes

from spectralgpt.raster.areas import row_areas
from spectralgpt.raster.geopackage import ClassPolygon
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.rings import CornerPath, stitched, without_line

POLYGON_PIXELS, POLYGON_EDGES = 2**22, 2**19
"""Pixels of a strip of rows of which polygons are made together, and sides of pixels in it along which two classes
meet: GDAL holds all polygons of a strip in memory, at most about as many as a quarter of these."""

OPEN_POINTS = 2**22
"""Points of polygons that go on below a strip, which are in memory until they end; above, they are cut there."""

POINTS_PER_CURVE = 16
"""What a ring takes in memory beside its points, in points."""

StripRows = Shaped[np.ndarray, "_ column"]

Inside = Callable[[StripRows], Bool[np.ndarray, "_ column"]]
"""Which pixels of some rows belong to polygons."""


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """Rows of a map. top: the first one."""

    top: int
    values: StripRows

    @property
    def bottom(self) -> int:
        """The first row below."""
        return self.top + len(self.values)


@dataclass(frozen=True, slots=True, eq=False)
class PolygonPart:
    """A part of a polygon that reaches the upper or the lower end of its strip, or several that are joined.

    low, high: rows of the map, the first and the one after the last. rings, pieces: of its border, whole and cut.
    hanging: those that run along the lower end, with whether each is a ring. cut: whether it goes on where it was cut.
    """

    value: int
    pixels: int
    low: int
    high: int
    rings: tuple[CornerPath, ...] = ()
    pieces: tuple[CornerPath, ...] = ()
    hanging: tuple[tuple[CornerPath, bool], ...] = ()
    cut: bool = False

    @property
    def points(self) -> int:
        """In memory, about."""
        curves = (*self.rings, *self.pieces, *(curve for curve, _ in self.hanging))
        return sum(len(each) + POINTS_PER_CURVE for each in curves)

    def split(self, row: int, joined: Bool[np.ndarray, " column"], bottom: int) -> "PolygonPart":
        """Without the borders along a row where pixels above and below are joined. bottom: the next such row."""
        rings, pieces, hanging = list(self.rings), list(self.pieces), []
        for curve, is_ring in self.hanging:
            same, left = without_line(curve, is_ring, row, joined)
            for each in left:
                if (each[:, 1] == bottom).any():
                    hanging.append((each, is_ring and same))
                else:
                    (rings if is_ring and same else pieces).append(each)
        return replace(self, rings=tuple(rings), pieces=tuple(pieces), hanging=tuple(hanging))

    @classmethod
    def joined(cls, parts: Sequence["PolygonPart"]) -> "PolygonPart":
        if len(parts) == 1:
            return parts[0]
        return cls(
            parts[0].value,
            sum(each.pixels for each in parts),
            min(each.low for each in parts),
            max(each.high for each in parts),
            tuple(ring for each in parts for ring in each.rings),
            tuple(piece for each in parts for piece in each.pieces),
            tuple(curve for each in parts for curve in each.hanging),
            any(each.cut for each in parts),
        )

    def border(self) -> list[CornerPath]:
        """Its rings, the outer one first."""
        whole = [curve for curve, is_ring in self.hanging if is_ring]
        cut = [curve for curve, is_ring in self.hanging if not is_ring]
        rings = [*self.rings, *whole]
        if self.pieces or cut:
            rings = list(stitched([*self.pieces, *cut], rings))
        # the outer ring of a polygon encloses all others
        return sorted(rings, key=lambda ring: int(ring[:, 0].min()))


@dataclass(frozen=True, slots=True, eq=False)
class Above:
    """What reaches the lower end of the strips so far. owners, values: the part, and the value, along it; negative for
    none. cut: whether polygons are cut there."""

    parts: tuple[PolygonPart, ...]
    owners: Int64[np.ndarray, " column"]
    values: Int64[np.ndarray, " column"]
    cut: bool = False

    @classmethod
    def nothing(cls, width: int, cut: bool = False) -> "Above":
        return cls((), np.full(width, -1), np.full(width, -1), cut)


def polygons_of_rows(
    blocks: Iterable[StripRows],
    inside: Inside,
    grid: Grid,
    min_area: float | int = 0,
    cut_at: Callable[[int], None] = lambda row: None,
) -> Iterator[ClassPolygon]:
    """The connected parts (over sides, not over corners) of equal values, where `inside`: of all rows of a map, from
    the top, as they come.

    grid: of the map. min_area: parts of fewer square metres are left out. Points are corners of pixels; outer rings run
    against the clock in the CRS. Memory depends on the width of the map and on the polygons that meet one row, not on
    the height. Where these have more than OPEN_POINTS points, all are cut below a row: `cut_at` is called with the
    first row of the rest, and no part that touches the cut is left out.
    """
    areas = row_areas(grid)
    for part in _whole_parts(blocks, inside, grid.shape, cut_at):
        area = part.pixels * float(areas[int((part.low + part.high) / 2 - 0.25)])
        if area < min_area and not part.cut:
            continue
        rings = [_placed(ring, grid.transform) for ring in part.border()]
        yield ClassPolygon(part.value, rings, part.pixels, area)


def strips_of(blocks: Iterable[StripRows]) -> Iterator[Strip]:
    """The rows of a map, from the top, in as few strips as the limits on pixels and edges allow."""
    waiting: list[StripRows] = []
    top = pixels = edges = 0
    for block in blocks:
        for part in _halves(block):
            count = _edges(part)
            if waiting and (pixels + part.size > POLYGON_PIXELS or edges + count > POLYGON_EDGES):
                yield (strip := _strip(waiting, top))
                top = strip.bottom
                waiting, pixels, edges = [], 0, 0
            waiting.append(part)
            pixels, edges = pixels + part.size, edges + count
    yield _strip(waiting, top)


def _halves(block: StripRows) -> Iterator[StripRows]:
    """The block, in halves of its rows until each is within the limits."""
    if len(block) > 1 and (block.size > POLYGON_PIXELS or _edges(block) > POLYGON_EDGES):
        middle = len(block) // 2
        yield from _halves(block[:middle])
        yield from _halves(block[middle:])
    else:
        yield block


def _edges(rows: StripRows) -> int:
    return int(np.count_nonzero(rows[:, 1:] != rows[:, :-1]) + np.count_nonzero(rows[1:] != rows[:-1]))


def _strip(waiting: Sequence[StripRows], top: int) -> Strip:
    return Strip(top, np.concatenate(waiting) if len(waiting) > 1 else np.ascontiguousarray(waiting[0]))


def _whole_parts(
    blocks: Iterable[StripRows], inside: Inside, shape: tuple[int, int], cut_at: Callable[[int], None]
) -> Iterator[PolygonPart]:
    """Parts that are whole, or cut, as soon as they are."""
    height, width = shape
    above = Above.nothing(width)
    for strip in strips_of(blocks):
        known = inside(strip.values)
        upper, lower = (np.where(known[row], strip.values[row].astype(np.int64), -1) for row in (0, -1))
        joined = (above.values == upper) & (upper >= 0)
        last = strip.bottom == height
        owners = np.full((2, width), -1)
        below: list[PolygonPart] = []
        for part in _parts_of(strip, known):
            at_top, at_bottom = part.low == strip.top > 0, part.high == strip.bottom < height
            if not (at_top or at_bottom):
                yield part
                continue
            _own(owners, part, len(below), (strip.top, strip.bottom))
            below.append(
                replace(part, rings=part.rings[1:], hanging=((part.rings[0], True),), cut=at_top and above.cut)
            )
        groups = _groups(len(above.parts), len(below), above.owners[joined], owners[0][joined])
        parts = [each.split(strip.top, joined, strip.bottom) for each in (*above.parts, *below)]
        reaching = set(owners[1][owners[1] >= 0].tolist()) if not last else set()
        place, going_on = np.full(len(below) + 1, -1), list[PolygonPart]()
        for group in groups:
            whole = PolygonPart.joined([parts[member] for member in group])
            members = [member - len(above.parts) for member in group if member >= len(above.parts)]
            if reaching.isdisjoint(members):
                yield whole
            else:
                place[members] = len(going_on)
                going_on.append(whole)
        # the last place is that of no part, which owners count from the end
        above = Above(tuple(going_on), place[owners[1]], lower)
        if not last and sum(each.points for each in going_on) > OPEN_POINTS:
            cut_at(strip.bottom)
            yield from (replace(each, cut=True) for each in going_on)
            above = Above.nothing(width, cut=True)


def _parts_of(strip: Strip, inside: Bool[np.ndarray, "row column"]) -> Iterator[PolygonPart]:
    """Those of a strip alone, as GDAL finds them."""
    for shape, value in shapes(strip.values, mask=inside, connectivity=4):
        rings = tuple(np.array(ring, np.int32) + np.array([0, strip.top], np.int32) for ring in shape["coordinates"])
        doubled = [abs(_doubled_area(ring)) for ring in rings]
        rows = rings[0][:, 1]
        yield PolygonPart(int(value), (doubled[0] - sum(doubled[1:])) // 2, int(rows.min()), int(rows.max()), rings)


def _doubled_area(ring: CornerPath) -> int:
    x, y = ring.astype(np.int64).T
    return int(x[:-1] @ y[1:] - x[1:] @ y[:-1])


def _own(owners: Int64[np.ndarray, "2 column"], part: PolygonPart, index: int, lines: tuple[int, int]) -> None:
    """Say that a part lies along the lines, where it does."""
    ring = part.rings[0]
    for owner, row in zip(owners, lines, strict=True):
        for edge in np.flatnonzero((ring[:-1, 1] == row) & (ring[1:, 1] == row)):
            low, high = sorted(ring[edge : edge + 2, 0].tolist())
            owner[low:high] = index


def _groups(
    above: int, below: int, upper: Int64[np.ndarray, " pixel"], lower: Int64[np.ndarray, " pixel"]
) -> list[list[int]]:
    """Parts that are joined, numbered from above to below. above, below: their number; upper, lower: which of them meet
    at a pixel."""
    roots = list(range(above + below))

    def root(index: int) -> int:
        while roots[index] != index:
            roots[index] = roots[roots[index]]
            index = roots[index]
        return index

    for one, other in np.unique(np.stack([upper, above + lower], axis=1), axis=0).tolist():
        first, second = sorted((root(one), root(other)))
        roots[second] = first
    groups: dict[int, list[int]] = {}
    for index in range(above + below):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def _placed(ring: CornerPath, transform: Affine) -> Float64[np.ndarray, "point 2"]:
    """Corners of pixels, as column and row of the map, in the CRS."""
    column, row = ring.astype(np.float64).T
    return np.stack(
        [
            transform.a * column + transform.b * row + transform.c,
            transform.d * column + transform.e * row + transform.f,
        ],
        axis=1,
    )
