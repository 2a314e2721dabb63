"""Where the centre of an image lies, and how far its corners are from it."""

import math
from functools import lru_cache

from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from spectralgpt.raster import Grid
from spectralgpt.raster.grid import applied
from spectralgpt.raster.handles import GDAL_ERRORS

WGS_84 = CRS.from_epsg(4326)

MEAN_EARTH_RADIUS = 6371008.8
"""Metres, of the sphere with the mean radius of WGS 84."""


@lru_cache(maxsize=64)
def _crs(wkt: str) -> CRS:
    return CRS.from_wkt(wkt)


def centre_and_extent(grid: Grid) -> tuple[tuple[float, float], float] | None:
    """Longitude and latitude of the centre, and metres on the ground to the farthest corner; None without a place."""
    if grid.crs is None:
        return None
    height, width = float(grid.height), float(grid.width)
    places = [(width / 2, height / 2), (0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
    xs, ys = zip(*(applied(grid.transform, *place) for place in places), strict=True)
    try:
        longitudes, latitudes, *_ = to_crs(_crs(grid.crs), WGS_84, xs, ys)
    except GDAL_ERRORS:
        return None  # a local CRS lies nowhere on Earth
    points = [(float(lon), float(lat)) for lon, lat in zip(longitudes, latitudes, strict=True)]
    if not all(math.isfinite(value) for point in points for value in point):
        return None
    return points[0], max(ground_distance(points[0], corner) for corner in points[1:])


def ground_distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres between two places (longitude, latitude) on a sphere (haversine formula)."""
    lon1, lat1, lon2, lat2 = map(math.radians, (*one, *other))
    inner = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * MEAN_EARTH_RADIUS * math.asin(min(1.0, math.sqrt(inner)))
