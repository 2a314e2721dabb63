"""Where pixels lie on the ground: CRS, affine transform, height, width."""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from spectralgpt.errors import OptionError
from spectralgpt.raster.handles import GDAL_ERRORS
from spectralgpt.raster.window import Window

EQUATOR, FLATTENING = 6378137.0, 1 / 298.257223563
"""The WGS 84 ellipsoid: radius in metres, flattening without unit."""

SAME = 1e-3
"""Two grids are the same when no corner differs by more than this share of a pixel: writers round their transforms."""

SLIVER = 1e-6
"""Share of a pixel; a last row or column of which the image covers no more is left out."""

MOST_PIXELS = 2**31
"""Largest grid that an option may make: more is a mistake."""


@dataclass(frozen=True, slots=True)
class Grid:
    """CRS (WKT, None where unknown), transform (column, row of pixel corners -> x, y of the CRS), height, width."""

    crs: str | None
    transform: Affine
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a grid has at least one pixel, not {self.height} x {self.width}")

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def whole(self) -> Window:
        """The window that covers the grid."""
        return _whole(self.height, self.width)

    @property
    def is_placed(self) -> bool:
        """Whether the pixels have a place; an image without georeference has the identity as its transform."""
        return self.crs is not None or self.transform not in (Affine.identity(), Affine.scale(1, -1))

    @property
    def crs_name(self) -> str | None:
        """EPSG:32618 if the CRS has a code, otherwise its name; None without a CRS."""
        if self.crs is None:
            return None
        code = re.search(r'(?:AUTHORITY|ID)\["EPSG",\s*"?(\d+)"?\]\]$', self.crs.strip())
        if code is not None:
            return f"EPSG:{code[1]}"
        name = re.search(r'\["([^"]*)"', self.crs)
        return name[1] if name is not None else self.crs

    @property
    def pixel_area(self) -> float:
        """Area of one pixel, in squared units of the CRS."""
        return abs(self.transform.determinant)

    @property
    def gsd(self) -> float:
        """Metres on the ground at the image's centre: the square root of a pixel's area; nan without a CRS."""
        return _ground_sampling(self)

    @property
    def metres(self) -> tuple[float, float]:
        """Metres on the ground of one row and of one column at the image's centre; nan without a CRS."""
        sides = _sides(self)
        return (math.nan, math.nan) if sides is None else (math.hypot(*sides[1]), math.hypot(*sides[0]))

    @property
    def pixel_metres(self) -> float:
        """Square metres of one pixel: of the CRS where its metres differ by less than 1 % from those on the ground, as
        in UTM, otherwise on the ground at the image's centre; nan without a CRS."""
        if self.crs is None or not math.isfinite(self.gsd):
            return math.nan
        rows, columns = _metres_of_steps(self)
        return rows * columns

    def window(self, window: Window) -> "Grid":
        """The grid of a window, which may reach beyond this one."""
        own = self.transform
        x, y = applied(own, window.column, window.row)
        return Grid(self.crs, Affine(own.a, own.b, x, own.d, own.e, y), window.height, window.width)

    def coarsened(self, factor: int) -> "Grid":
        """factor x factor pixels become one; the last row and column may reach beyond this grid."""
        if factor < 1:
            raise ValueError(f"a grid is coarsened by a whole number of at least 1, not {factor}")
        transform = composed(self.transform, Affine.scale(factor))
        return Grid(self.crs, transform, -(-self.height // factor), -(-self.width // factor))

    def same_crs(self, other: "Grid") -> bool:
        """Whether both name the same CRS, however it is written, or neither names one."""
        if self.crs is None or other.crs is None:
            return self.crs == other.crs
        return self.crs == other.crs or bool(CRS.from_wkt(self.crs) == CRS.from_wkt(other.crs))

    def coincides(self, other: "Grid") -> bool:
        """Whether every pixel lies where the other's lies, except for rounding in the transforms."""
        return self.shape == other.shape and self.offset_on(other) == (0, 0)

    def offset_on(self, other: "Grid") -> tuple[int, int] | None:
        """Row and column of this grid's first pixel on the other grid, when both are cut from the same pixels, except
        for rounding in the transforms; None when they are not. The grids need not overlap.
        """
        return _offset(self, other)

    def at_gsd(self, gsd: float | int) -> "Grid":
        """The same ground, from the same first corner, in square pixels of `gsd` metres on the ground.

        Where the metres of the CRS differ by less than 1 % from those on the ground, as in UTM, they count: 20 gives
        pixels of exactly 20. The last row and column may reach beyond this grid. OptionError, naming `gsd`, without
        georeference, and when the grid would have less than one pixel or more than 2^31.
        """
        option = f"gsd={gsd:g}"
        if not (math.isfinite(gsd) and gsd > 0):
            raise OptionError(option, "a number of metres on the ground above 0, like 10")
        if self.crs is None or not math.isfinite(self.gsd):
            raise OptionError(
                f"{option}: found an image without a georeference that gives metres on the ground",
                "a CRS and a transform",
                "Leave gsd out",
            )
        steps = _metres_of_steps(self)
        extent = self.height * steps[0], self.width * steps[1]
        if min(extent) < gsd * (1 - SLIVER):
            raise OptionError(
                f"{option}: found an image of {extent[0]:.4g} x {extent[1]:.4g} metres, less than one such pixel",
                "a smaller gsd",
            )
        # min: larger grids are refused, and infinity is no integer
        height, width = (math.ceil(min(metres / gsd, 2.0 * MOST_PIXELS) - SLIVER) for metres in extent)
        if height * width > MOST_PIXELS:
            raise OptionError(
                f"{option}: found a grid of {height} x {width} pixels",
                "at most 2^31",
                "Choose a larger gsd, or a part of the image with",
                ("aoi", "area.geojson"),
            )
        return Grid(self.crs, composed(self.transform, Affine.scale(gsd / steps[1], gsd / steps[0])), height, width)


@lru_cache(maxsize=256)
def _whole(height: int, width: int) -> Window:
    """Kept, as each read of a window asks for it."""
    return Window(0, 0, height, width)


def applied(transform: Affine, column: float | int, row: float | int) -> tuple[float, float]:
    """Where a transform takes a point. Written out, because affine 2 spells it `*` and affine 3 `@`."""
    return (
        transform.a * column + transform.b * row + transform.c,
        transform.d * column + transform.e * row + transform.f,
    )


def composed(outer: Affine, inner: Affine) -> Affine:
    """The transform that applies inner, then outer."""
    return Affine(
        outer.a * inner.a + outer.b * inner.d,
        outer.a * inner.b + outer.b * inner.e,
        outer.a * inner.c + outer.b * inner.f + outer.c,
        outer.d * inner.a + outer.e * inner.d,
        outer.d * inner.b + outer.e * inner.e,
        outer.d * inner.c + outer.e * inner.f + outer.f,
    )


@lru_cache(maxsize=256)
def _offset(one: Grid, other: Grid) -> tuple[int, int] | None:
    if not one.same_crs(other):
        return None
    back = composed(~other.transform, one.transform)
    column, row = applied(back, 0.0, 0.0)
    if not (math.isfinite(column) and math.isfinite(row)):
        return None
    offset = round(row), round(column)
    for corner in product((0.0, float(one.width)), (0.0, float(one.height))):
        there = applied(back, *corner)
        if max(abs(there[0] - corner[0] - offset[1]), abs(there[1] - corner[1] - offset[0])) >= SAME:
            return None
    return offset


@lru_cache(maxsize=256)
def _ground_sampling(grid: Grid) -> float:
    """The square root of a pixel's area on the ground, from its sides."""
    sides = _sides(grid)
    if sides is None:
        return math.nan
    (ax, ay), (bx, by) = sides
    return math.sqrt(abs(ax * by - ay * bx))


def _metres_of_steps(grid: Grid) -> tuple[float, float]:
    """Metres of one row and of one column, to measure pixels of another size by; their product is a pixel's area."""
    t = grid.transform
    rows, columns = math.hypot(t.b, t.e), math.hypot(t.a, t.d)
    crs, area = CRS.from_wkt(grid.crs), grid.gsd**2
    if crs.is_projected and crs.linear_units_factor[1] == 1.0 and abs(math.sqrt(grid.pixel_area) / grid.gsd - 1) < 0.01:
        area = grid.pixel_area
    elif (sides := _sides(grid)) is not None:
        columns, rows = (math.hypot(*side) for side in sides)
    sheared = math.sqrt(area / (rows * columns))
    return rows * sheared, columns * sheared


def _sides(grid: Grid) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Metres east and north of one column and one row at the image's centre; None where the CRS does not give them.

    Half a pixel to each side of the centre, taken to longitude and latitude, then to metres on the ellipsoid.
    """
    if grid.crs is None:
        return None
    column, row = grid.width / 2, grid.height / 2
    places = [(column, row), (column - 0.5, row), (column + 0.5, row), (column, row - 0.5), (column, row + 0.5)]
    xs, ys = zip(*(applied(grid.transform, *place) for place in places), strict=True)
    try:
        longitudes, latitudes, *_ = to_crs(CRS.from_wkt(grid.crs), CRS.from_epsg(4326), xs, ys)
    except GDAL_ERRORS:
        return None  # a local or engineering CRS lies nowhere on Earth
    if not all(map(math.isfinite, (*longitudes, *latitudes))):
        return None
    east, north = _metres_per_degree(latitudes[0])

    def step(start: int, stop: int) -> tuple[float, float]:
        around = (longitudes[stop] - longitudes[start] + 180) % 360 - 180  # a pixel may lie across the date line
        return around * east, (latitudes[stop] - latitudes[start]) * north

    return step(1, 2), step(3, 4)


def _metres_per_degree(latitude: float) -> tuple[float, float]:
    """Eastward and northward on the WGS 84 ellipsoid."""
    squared = FLATTENING * (2 - FLATTENING)
    bend = 1 - squared * math.sin(math.radians(latitude)) ** 2
    east = EQUATOR / math.sqrt(bend) * math.cos(math.radians(latitude))
    north = EQUATOR * (1 - squared) / bend**1.5
    return math.radians(east), math.radians(north)
