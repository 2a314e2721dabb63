"""Where an image lies in longitude and latitude, and its outline as Well-Known Binary or Text."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from spectralgpt.raster.grid import Grid, applied
from spectralgpt.raster.handles import GDAL_ERRORS

Position = tuple[float, float]
"""Longitude and latitude in degrees."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """The outline of an image on the ground: its four corners in a row, starting at its first pixel. An image across
    the date line has longitudes beyond 180, so that its outline is one polygon."""

    corners: tuple[Position, Position, Position, Position]

    @property
    def ring(self) -> tuple[Position, ...]:
        """The corners against the clock, the first one again at the end, as GeoJSON and OGC want an outer ring."""
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = self.corners
        area = ax * by - bx * ay + bx * cy - cx * by + cx * dy - dx * cy + dx * ay - ax * dy
        turned = self.corners if area > 0 else tuple(reversed(self.corners))
        return (*turned, turned[0])

    @property
    def wkb(self) -> bytes:
        """The outline as Well-Known Binary: a polygon, little endian (OGC 06-103r4, 8.2.8)."""
        ring = self.ring
        return struct.pack("<BIII", 1, 3, 1, len(ring)) + b"".join(struct.pack("<dd", *corner) for corner in ring)

    @property
    def wkt(self) -> str:
        """The outline as Well-Known Text, to about a centimetre."""
        return f"POLYGON (({', '.join(f'{x:.7f} {y:.7f}' for x, y in self.ring)}))"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        xs, ys = zip(*self.corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)


def footprint(grid: Grid) -> Footprint | None:
    """The outline of a grid; None where its CRS does not give longitude and latitude."""
    if grid.crs is None:
        return None
    height, width = float(grid.height), float(grid.width)
    corners = [
        applied(grid.transform, *corner) for corner in ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    ]
    placed = _longitudes_latitudes(grid.crs, corners)
    if placed is None:
        return None
    first = placed[0][0]
    # within half a turn of the first corner: an image across the date line stays in one piece
    near = [(first + math.remainder(x - first, 360.0), y) for x, y in placed]
    return Footprint((near[0], near[1], near[2], near[3]))


def _longitudes_latitudes(crs: str, points: Sequence[tuple[float, float]]) -> list[Position] | None:
    xs, ys = zip(*points, strict=True)
    try:
        longitudes, latitudes, *_ = to_crs(CRS.from_wkt(crs), CRS.from_epsg(4326), xs, ys)
    except GDAL_ERRORS:
        return None  # a local or engineering CRS lies nowhere on Earth
    if not all(map(math.isfinite, (*longitudes, *latitudes))):
        return None
    return list(zip(map(float, longitudes), map(float, latitudes), strict=True))
