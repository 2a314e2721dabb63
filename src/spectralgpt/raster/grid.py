"""Where pixels lie on the ground: CRS, affine transform, height, width."""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from spectralgpt.raster.handles import GDAL_ERRORS
from spectralgpt.raster.window import Window

EQUATOR, FLATTENING = 6378137.0, 1 / 298.257223563
"""The ellipsoid of WGS 84: metres, and without unit."""

SAME = 1e-3
"""Two grids are one when no corner differs by more than this share of a pixel: writers round their transforms."""


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
        """The window that covers it."""
        return Window(0, 0, self.height, self.width)

    @property
    def is_placed(self) -> bool:
        """Whether it says where its pixels lie; an image without georeference has the identity for a transform."""
        return self.crs is not None or self.transform not in (Affine.identity(), Affine.scale(1, -1))

    @property
    def pixel_area(self) -> float:
        """Of one pixel, in squared units of the CRS."""
        return abs(self.transform.determinant)

    @property
    def gsd(self) -> float:
        """Metres on the ground at the image's centre: the square root of a pixel's area; nan without a CRS."""
        return _ground_sampling(self)

    def window(self, window: Window) -> "Grid":
        """The grid of a window, which may reach beyond this one."""
        transform = composed(self.transform, Affine.translation(window.column, window.row))
        return Grid(self.crs, transform, window.height, window.width)

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
        """Whether every pixel lies where the other's lies, but for rounding in the transforms."""
        if self.shape != other.shape or not self.same_crs(other):
            return False
        if self.transform == other.transform:
            return True
        back = composed(~self.transform, other.transform)
        corners = tuple(product((0.0, float(self.width)), (0.0, float(self.height))))
        return all(
            max(abs(a - b) for a, b in zip(applied(back, *corner), corner, strict=True)) < SAME for corner in corners
        )


def applied(transform: Affine, column: float, row: float) -> tuple[float, float]:
    """Where a transform takes a point. Written out, as affine 2 says `*` for it and affine 3 `@`."""
    return (
        transform.a * column + transform.b * row + transform.c,
        transform.d * column + transform.e * row + transform.f,
    )


def composed(outer: Affine, inner: Affine) -> Affine:
    """First inner, then outer."""
    return Affine(
        outer.a * inner.a + outer.b * inner.d,
        outer.a * inner.b + outer.b * inner.e,
        outer.a * inner.c + outer.b * inner.f + outer.c,
        outer.d * inner.a + outer.e * inner.d,
        outer.d * inner.b + outer.e * inner.e,
        outer.d * inner.c + outer.e * inner.f + outer.f,
    )


@lru_cache(maxsize=256)
def _ground_sampling(grid: Grid) -> float:
    """Half a pixel to each side of the centre, taken to longitude and latitude, then to metres on the ellipsoid."""
    if grid.crs is None:
        return math.nan
    column, row = grid.width / 2, grid.height / 2
    places = [(column, row), (column - 0.5, row), (column + 0.5, row), (column, row - 0.5), (column, row + 0.5)]
    xs, ys = zip(*(applied(grid.transform, *place) for place in places), strict=True)
    try:
        longitudes, latitudes, *_ = to_crs(CRS.from_wkt(grid.crs), CRS.from_epsg(4326), xs, ys)
    except GDAL_ERRORS:
        return math.nan  # a local or engineering CRS lies nowhere on Earth
    if not all(map(math.isfinite, (*longitudes, *latitudes))):
        return math.nan
    east, north = _metres_per_degree(latitudes[0])

    def step(start: int, stop: int) -> tuple[float, float]:
        around = (longitudes[stop] - longitudes[start] + 180) % 360 - 180  # a pixel may lie across the date line
        return around * east, (latitudes[stop] - latitudes[start]) * north

    (ax, ay), (bx, by) = step(1, 2), step(3, 4)
    return math.sqrt(abs(ax * by - ay * bx))


def _metres_per_degree(latitude: float) -> tuple[float, float]:
    """Eastward and northward on the ellipsoid of WGS 84."""
    squared = FLATTENING * (2 - FLATTENING)
    bend = 1 - squared * math.sin(math.radians(latitude)) ** 2
    east = EQUATOR / math.sqrt(bend) * math.cos(math.radians(latitude))
    north = EQUATOR * (1 - squared) / bend**1.5
    return math.radians(east), math.radians(north)
