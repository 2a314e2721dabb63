"""The part of an image that a GeoJSON file outlines."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.features import rasterize
from rasterio.warp import transform as to_crs

from spectralgpt.errors import OptionError, argument
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.handles import GDAL_ERRORS
from spectralgpt.raster.window import Window

STEPS = 1024
"""Positions per pixel to which corners are rounded: binary fractions, so that cutting by a window changes no bit."""

LONGITUDE_LATITUDE = CRS.from_epsg(4326)

PIECE = {True: 0.01, False: 1000.0}
"""Length in degrees (True) or metres of the pieces of an edge that goes to another CRS, where it is curved."""

FARTHEST = 1e12
"""Limit of coordinates: no place on Earth lies beyond it, in any unit."""

MOST_PIECES = 10_000

LOOKED_AT = 2**16
"""Largest window, in pixels, that is searched for a pixel with its centre in the area."""

INSIDE = {"FeatureCollection": "features", "Feature": "geometry", "GeometryCollection": "geometries"}

Ring = Float64[np.ndarray, "_ 2"]
"""x, y of the corners; the last equals the first."""

Polygon = list[Ring]
"""The outer ring, then holes."""

Placed = tuple[tuple[tuple[tuple[float, float], ...], ...], ...]
"""Polygons of rings of (column, row)."""


@dataclass(frozen=True, slots=True)
class Area:
    """Polygons in pixels of a grid: rings of (column, row), first the outer ring, then holes."""

    polygons: Placed

    def mask(self, window: Window) -> Bool[np.ndarray, "row column"]:
        """Which pixels have their centre inside a polygon."""
        shapes = [
            {
                "type": "Polygon",
                "coordinates": [[(x - window.column, y - window.row) for x, y in ring] for ring in polygon],
            }
            for polygon in self.polygons
        ]
        return np.asarray(rasterize(shapes, window.shape, dtype="uint8") > 0)

    def fingerprint(self) -> str:
        """16 hex digits, equal for equal areas."""
        return hashlib.sha256(repr(self.polygons).encode()).hexdigest()[:16]

    def seen_from(self, origin: Window) -> "Area":
        """The same area on the grid of a window."""
        return Area(
            tuple(
                tuple(tuple((x - origin.column, y - origin.row) for x, y in ring) for ring in polygon)
                for polygon in self.polygons
            )
        )


def read_area(path: str, grid: Grid) -> tuple[Window, Area]:
    """The window of a grid that contains the polygons of a GeoJSON file, and the polygons in pixels of the whole grid.

    Coordinates are longitude and latitude, or in the CRS that the file names in `crs`. Polygons may cross themselves
    (even-odd rule) and the antimeridian. OptionError, naming `aoi`, when the file has no polygons, or none on the grid.
    """
    option = argument("aoi", path)
    if grid.crs is None:
        raise OptionError(f"{option}: found an image without a CRS", "one with a CRS, which places the area")
    document = _parsed(option, path)
    crs = _crs_of(option, document)
    polygons = _polygons(option, document)
    if not any(map(_size, polygons)):
        raise OptionError(f"{option}: found only polygons with an area of 0", "one that encloses something")
    if crs.is_geographic:
        _refuse_beyond_earth(option, polygons, "crs" in document)
        polygons = [_over_the_antimeridian(option, polygon) for polygon in polygons]
    try:
        placed = _on_grid(crs, polygons, grid)
        window = _window(placed, grid)
        where = "" if window else f"it lies at {_extent(crs, polygons)}, the image at {_extent(*_border(grid))}"
    except GDAL_ERRORS as error:
        raise OptionError(
            f"{option}: found coordinates that cannot be transformed to the image's CRS ({error})",
            "an area within that CRS",
        ) from error
    if window is None:
        raise OptionError(f"{option}: does not overlap the image: {where}")
    area = Area(placed)
    if window.height * window.width <= LOOKED_AT and not area.mask(window).any():
        raise OptionError(
            f"{option}: found an area without the centre of any pixel",
            f"a larger one, as a pixel is {grid.gsd:.3g} metres",
        )
    return window, area


# -- reading the file --------------------------------------------------------------------------------------------------


def _parsed(option: str, path: str) -> dict[str, Any]:
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe may never end
        raise OptionError(f"{option}: is not a file", do="Give a GeoJSON file")
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise OptionError(f"{option}: cannot be read ({error.strerror})", do="Give a GeoJSON file") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{option}: is not valid JSON ({error})", do="Give a GeoJSON file") from error
    if not isinstance(document, dict) or "type" not in document:
        raise OptionError(f"{option}: found JSON without a `type`", "GeoJSON")
    return document


def _crs_of(option: str, document: dict[str, Any]) -> CRS:
    """The CRS that the file names, as GeoJSON did before 2016; longitude and latitude where it names none."""
    named = document.get("crs")
    if named is None:
        return LONGITUDE_LATITUDE
    about = named.get("properties") if isinstance(named, dict) else None
    name = (
        named if isinstance(named, str) else about.get("name", about.get("code")) if isinstance(about, dict) else None
    )
    try:
        return CRS.from_user_input(f"EPSG:{name}" if str(name).isdigit() else name)
    except (*GDAL_ERRORS, ValueError) as error:
        raise OptionError(
            f"{option}: found the CRS {json.dumps(named)[:100]}, which is unknown", "a name like EPSG:32631"
        ) from error


def _polygons(option: str, document: dict[str, Any]) -> list[Polygon]:
    """All polygons, in the order of the file, at any depth."""
    found: list[Polygon] = []
    others: set[str] = set()
    waiting: list[Any] = [document]
    while waiting:
        each = waiting.pop()
        if each is None:  # a feature may have no geometry
            continue
        kind = str(each.get("type")) if isinstance(each, dict) else type(each).__name__
        if kind in INSIDE:
            inside = each.get(INSIDE[kind])
            waiting += reversed(inside) if isinstance(inside, list) else [inside]
        elif kind in ("Polygon", "MultiPolygon"):
            nested = each.get("coordinates")
            for rings in [nested] if kind == "Polygon" else nested if isinstance(nested, list) else [None]:
                if not isinstance(rings, list):
                    raise OptionError(f"{option}: found a {kind} without coordinates", "lists of [x, y]")
                found += [[_ring(option, ring) for ring in rings]] if rings else []
        else:
            others.add(kind)
    if not found:
        instead = f"only {', '.join(sorted(others))}" if others else "none"
        raise OptionError(f"{option}: found no polygons ({instead})", "at least one Polygon or MultiPolygon")
    return found


def _ring(option: str, corners: Any) -> Ring:
    """A closed ring, whether or not the file closes it."""
    try:
        ring = np.array([[_number(value) for value in corner[:2]] for corner in corners], np.float64)
    except (TypeError, ValueError, KeyError, OverflowError):
        ring = np.empty((0, 0))
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3 or not (np.abs(ring) < FARTHEST).all():
        raise OptionError(f"{option}: found a ring {json.dumps(corners)[:60]}", "at least 3 corners [x, y]")
    return ring if (ring[0] == ring[-1]).all() else np.concatenate([ring, ring[:1]])


def _number(value: Any) -> float:
    if not isinstance(value, int | float):
        raise TypeError(value)
    return float(value)


def _size(polygon: Polygon) -> float:
    """Area of the outer ring, in squared units."""
    with np.errstate(over="ignore", invalid="ignore"):  # coordinates beyond any CRS, refused later
        x, y = (polygon[0] - polygon[0][0]).T
        return abs(float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())) / 2


def _refuse_beyond_earth(option: str, polygons: list[Polygon], named: bool) -> None:
    for ring in (ring for polygon in polygons for ring in polygon):
        beyond = (np.abs(ring) > (360, 90)).any(axis=1)
        if beyond.any():
            x, y = ring[beyond.argmax()]
            do = "Correct the coordinates" if named else "Coordinates in metres need their CRS, in a member `crs`"
            raise OptionError(f"{option}: found the corner {x:.10g}, {y:.10g}", "longitude and latitude", do)


def _over_the_antimeridian(option: str, polygon: Polygon) -> Polygon:
    """Longitudes that continue beyond 180 or -180 instead of jumping. A step of 360 is an edge around the Earth."""
    result: Polygon = []
    for ring in polygon:
        step = np.diff(ring[:, 0])
        jump = np.where((np.abs(step) > 180) & (np.abs(step) < 360), -360 * np.sign(step), 0)
        moved = ring.copy()
        moved[1:, 0] += np.cumsum(jump)
        if moved[0, 0] != moved[-1, 0]:
            raise OptionError(
                f"{option}: found a polygon around a pole", "one without it", "Use a projected CRS, named in `crs`"
            )
        if result:  # keeps a hole near its outer ring, not a whole turn away
            moved[:, 0] += 360 * np.rint((result[0][:, 0].mean() - moved[:, 0].mean()) / 360)
        result.append(moved)
    return result


# -- where it lies -----------------------------------------------------------------------------------------------------


def _on_grid(crs: CRS, polygons: list[Polygon], grid: Grid) -> Placed:
    """Polygons in pixels, cut off where they are farther from the grid than its own size: projections have limits."""
    target = CRS.from_wkt(grid.crs)
    border = _transformed(*_border(grid), crs)
    low, high = border.min(axis=0), border.max(axis=0)
    low, high = low - (high - low), high + (high - low)
    back, placed = ~grid.transform, []
    for around in (-360, 0, 360) if crs.is_geographic else (0,):
        for polygon in polygons:
            rings = [_clipped(ring + np.array((around, 0)), low, high) for ring in polygon]
            if not len(rings[0]):
                continue
            found = []
            for ring in (ring for ring in rings if len(ring)):
                x, y = (
                    ring if crs == target else _transformed(crs, _in_pieces(ring, crs.is_geographic), target, grid)
                ).T
                pixels = np.stack([back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f], axis=1)
                found.append(tuple((float(u), float(v)) for u, v in np.rint(pixels * STEPS) / STEPS))
            placed.append(tuple(found))
    return tuple(placed)


def _border(grid: Grid) -> tuple[CRS, Ring]:
    """The outline of a grid, in many pieces, because it is curved in another CRS."""
    along, zeros = np.linspace(0, 1, 65), np.zeros(65)
    u = np.concatenate([along, zeros + 1, along[::-1], zeros]) * grid.width
    v = np.concatenate([zeros, along, zeros + 1, along[::-1]]) * grid.height
    t = grid.transform
    return CRS.from_wkt(grid.crs), np.stack([t.a * u + t.b * v + t.c, t.d * u + t.e * v + t.f], axis=1)


def _transformed(crs: CRS, places: Ring, target: CRS, grid: Grid | None = None) -> Ring:
    """Points in another CRS, without those that do not exist there.

    Longitudes are within half a turn of the grid's middle or, without a grid, of the first point.
    """
    if crs == target:
        found = places
    else:
        found = np.stack(to_crs(crs, target, *places.T)[:2], axis=1)
        found = found[np.isfinite(found).all(axis=1)]
        if not len(found):
            raise CRSError("none of its points exists there")
    if target.is_geographic:
        middle = _middle(grid) if grid is not None else found[0, 0]
        found = found.copy()
        found[:, 0] = middle + (found[:, 0] - middle + 180) % 360 - 180
    return found


def _middle(grid: Grid) -> float:
    return grid.transform.a * grid.width / 2 + grid.transform.b * grid.height / 2 + grid.transform.c


def _clipped(ring: Ring, low: np.ndarray, high: np.ndarray) -> Ring:
    """The part of a ring inside a box, closed along the sides of the box; empty when no part is inside."""
    for axis in (0, 1):
        for side, bound in ((1, low[axis]), (-1, high[axis])):
            depth = side * (ring[:, axis] - bound)
            inside = depth >= 0
            if inside.all():
                continue
            crossed = inside[:-1] != inside[1:]
            step = np.where(crossed, depth[:-1] - depth[1:], 1)
            crossings = ring[:-1] + (depth[:-1] / step)[:, None] * (ring[1:] - ring[:-1])
            both = np.stack([ring[:-1], crossings], axis=1)
            kept = both[np.stack([inside[:-1], crossed], axis=1)]
            if len(kept) < 3:
                return np.empty((0, 2))
            ring = np.concatenate([kept, kept[:1]])
    return ring


def _in_pieces(ring: Ring, degrees: bool) -> Ring:
    """The ring with more corners along its edges, which are straight only in its own CRS."""
    longest = np.abs(np.diff(ring, axis=0)).max(axis=1)
    pieces = np.clip(np.ceil(longest / PIECE[degrees]), 1, MOST_PIECES).astype(int)
    start = np.repeat(np.arange(len(pieces)), pieces)
    share = (np.arange(len(start)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[start]
    return np.concatenate([ring[start] + share[:, None] * (ring[start + 1] - ring[start]), ring[-1:]])


def _window(placed: Placed, grid: Grid) -> Window | None:
    """The window of the grid that contains the polygons."""
    corners = np.array([corner for polygon in placed for corner in polygon[0]]).reshape(-1, 2)
    if not len(corners):
        return None
    (left, top), (right, bottom) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    right, bottom = max(right, left + 1), max(bottom, top + 1)  # for an area smaller than the rounding of corners
    return grid.whole.intersection(Window(int(top), int(left), int(bottom - top), int(right - left)))


def _extent(crs: CRS, polygons: list[Polygon] | Ring) -> str:
    """The extent in longitude and latitude, as text."""
    points = polygons if isinstance(polygons, np.ndarray) else np.concatenate([polygon[0] for polygon in polygons])
    x, y = _transformed(crs, points, LONGITUDE_LATITUDE).T
    return f"longitude {x.min():.4f} to {x.max():.4f}, latitude {y.min():.4f} to {y.max():.4f}"
