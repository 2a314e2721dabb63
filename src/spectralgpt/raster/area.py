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

from spectralgpt.errors import OptionError
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.handles import GDAL_ERRORS
from spectralgpt.raster.window import Window

STEPS = 1024
"""Places of a corner in a pixel: binary fractions, so that what is cut by a window keeps every bit."""

LONGITUDE_LATITUDE = CRS.from_epsg(4326)

PIECE = {True: 0.01, False: 1000.0}
"""Degrees, or metres, in which an edge is cut before it goes to another CRS, as there it is curved."""

FARTHEST = 1e12
"""No coordinate of a place on Earth, in any unit, is beyond."""

MOST_PIECES = 10_000

LOOKED_AT = 2**16
"""Pixels of a window in which it is checked that there is one to read."""

INSIDE = {"FeatureCollection": "features", "Feature": "geometry", "GeometryCollection": "geometries"}

Ring = Float64[np.ndarray, "_ 2"]
"""x, y of the corners; the last is the first again."""

Polygon = list[Ring]
"""The outer ring, then holes."""

Placed = tuple[tuple[tuple[tuple[float, float], ...], ...], ...]
"""Polygons of rings of (column, row)."""


@dataclass(frozen=True, slots=True)
class Area:
    """Polygons in pixels of a grid: rings of (column, row), the first of each the outer one, others holes."""

    polygons: Placed

    def mask(self, window: Window) -> Bool[np.ndarray, "row column"]:
        """Which pixels have their centre inside a polygon."""
        shapes = [
            {
                "type": "Polygon",
                "coordinates": [[(x - window.column, y - window.row) for x, y in ring] for ring in each],
            }
            for each in self.polygons
        ]
        return np.asarray(rasterize(shapes, window.shape, dtype="uint8") > 0)

    def fingerprint(self) -> str:
        """The same for the same area, in 16 hex digits."""
        return hashlib.sha256(repr(self.polygons).encode()).hexdigest()[:16]

    def seen_from(self, origin: Window) -> "Area":
        """The same area on the grid of a window."""
        return Area(
            tuple(
                tuple(tuple((x - origin.column, y - origin.row) for x, y in ring) for ring in each)
                for each in self.polygons
            )
        )


def read_area(path: str, grid: Grid) -> tuple[Window, Area]:
    """The window of a grid that holds the polygons of a GeoJSON file, and these in pixels of the whole grid.

    Coordinates are longitude and latitude, or of the CRS that the file names in `crs`. Polygons may cross themselves
    (the even-odd rule holds) and the antimeridian. OptionError, naming --aoi, when there are none, or none on the grid.
    """
    option = f"--aoi {path}"
    if grid.crs is None:
        raise OptionError(f"{option}: found an image without a CRS", "one, as the area is placed by it")
    document = _parsed(option, path)
    crs = _crs_of(option, document)
    polygons = _polygons(option, document)
    if not any(map(_size, polygons)):
        raise OptionError(f"{option}: found polygons whose area is 0", "one that encloses something")
    if crs.is_geographic:
        _refuse_beyond_earth(option, polygons, "crs" in document)
        polygons = [_over_the_antimeridian(option, each) for each in polygons]
    try:
        placed = _on_grid(crs, polygons, grid)
        window = _window(placed, grid)
        where = "" if window else f"it lies at {_extent(crs, polygons)}, the image at {_extent(*_border(grid))}"
    except GDAL_ERRORS as error:
        raise OptionError(
            f"{option}: found coordinates that cannot be brought to the image's CRS ({error})", "an area there"
        ) from error
    if window is None:
        raise OptionError(f"{option}: found an area that shares no place with the image: {where}", "one on it")
    area = Area(placed)
    if window.height * window.width <= LOOKED_AT and not area.mask(window).any():
        raise OptionError(
            f"{option}: found an area without the centre of any pixel",
            f"a larger one, as a pixel is {grid.gsd:.3g} metres",
        )
    return window, area


# -- what the file says ------------------------------------------------------------------------------------------------


def _parsed(option: str, path: str) -> dict[str, Any]:
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe may never end
        raise OptionError(f"{option}: found no file (it is a folder or a device)", "GeoJSON")
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise OptionError(f"{option}: found no file that can be read ({error.strerror})", "GeoJSON") from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{option}: found no JSON ({error})", "GeoJSON, a text file of polygons") from error
    if not isinstance(document, dict) or "type" not in document:
        raise OptionError(f"{option}: found JSON without a `type`", "GeoJSON")
    return document


def _crs_of(option: str, document: dict[str, Any]) -> CRS:
    """The CRS that the file names, as GeoJSON did before 2016; longitude and latitude where it names none."""
    told = document.get("crs")
    if told is None:
        return LONGITUDE_LATITUDE
    about = told.get("properties") if isinstance(told, dict) else None
    name = told if isinstance(told, str) else about.get("name", about.get("code")) if isinstance(about, dict) else None
    try:
        return CRS.from_user_input(f"EPSG:{name}" if str(name).isdigit() else name)
    except GDAL_ERRORS as error:
        raise OptionError(
            f"{option}: found the CRS {json.dumps(told)[:100]}, which is unknown", "a name like EPSG:32631"
        ) from error


def _polygons(option: str, document: dict[str, Any]) -> list[Polygon]:
    """All of them, in order, however deep they lie."""
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
            told = each.get("coordinates")
            for rings in [told] if kind == "Polygon" else told if isinstance(told, list) else [None]:
                if not isinstance(rings, list):
                    raise OptionError(f"{option}: found a {kind} without coordinates", "lists of them")
                found += [[_ring(option, ring) for ring in rings]] if rings else []
        else:
            others.add(kind)
    if not found:
        told = f"only {', '.join(sorted(others))}" if others else "none"
        raise OptionError(f"{option}: found no polygons ({told})", "at least one Polygon or MultiPolygon")
    return found


def _ring(option: str, corners: Any) -> Ring:
    """Closed, whether the file closes it or not."""
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
    """Of its outer ring, in squared units."""
    with np.errstate(over="ignore", invalid="ignore"):  # coordinates of no CRS, which it refuses
        x, y = (polygon[0] - polygon[0][0]).T
        return abs(float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())) / 2


def _refuse_beyond_earth(option: str, polygons: list[Polygon], named: bool) -> None:
    for ring in (ring for each in polygons for ring in each):
        beyond = (np.abs(ring) > (360, 90)).any(axis=1)
        if beyond.any():
            x, y = ring[beyond.argmax()]
            do = "mend it." if named else "metres of UTM need their CRS named in a member `crs`."
            raise OptionError(f"{option}: found the corner {x:.10g}, {y:.10g}; expected longitude and latitude; {do}")


def _over_the_antimeridian(option: str, polygon: Polygon) -> Polygon:
    """Longitudes without a jump from 180 to -180, on beyond them. A step of 360 is an edge around the Earth."""
    result: Polygon = []
    for ring in polygon:
        step = np.diff(ring[:, 0])
        jump = np.where((np.abs(step) > 180) & (np.abs(step) < 360), -360 * np.sign(step), 0)
        moved = ring.copy()
        moved[1:, 0] += np.cumsum(jump)
        if moved[0, 0] != moved[-1, 0]:
            raise OptionError(
                f"{option}: found a polygon around a pole", "one that does not hold it", "Name a projected CRS"
            )
        if result:  # a hole beside the outer ring, not once around the Earth from it
            moved[:, 0] += 360 * np.rint((result[0][:, 0].mean() - moved[:, 0].mean()) / 360)
        result.append(moved)
    return result


# -- where it lies -----------------------------------------------------------------------------------------------------


def _on_grid(crs: CRS, polygons: list[Polygon], grid: Grid) -> Placed:
    """Polygons in pixels. What lies farther from the grid than its own size is cut off: projections end somewhere."""
    target = CRS.from_wkt(grid.crs)
    border = _taken(*_border(grid), crs)
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
                x, y = (ring if crs == target else _taken(crs, _in_pieces(ring, crs.is_geographic), target, grid)).T
                pixels = np.stack([back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f], axis=1)
                found.append(tuple((float(u), float(v)) for u, v in np.rint(pixels * STEPS) / STEPS))
            placed.append(tuple(found))
    return tuple(placed)


def _border(grid: Grid) -> tuple[CRS, Ring]:
    """The outline of a grid, in many pieces, as it is curved in another CRS."""
    along, zeros = np.linspace(0, 1, 65), np.zeros(65)
    u = np.concatenate([along, zeros + 1, along[::-1], zeros]) * grid.width
    v = np.concatenate([zeros, along, zeros + 1, along[::-1]]) * grid.height
    t = grid.transform
    return CRS.from_wkt(grid.crs), np.stack([t.a * u + t.b * v + t.c, t.d * u + t.e * v + t.f], axis=1)


def _taken(crs: CRS, places: Ring, target: CRS, grid: Grid | None = None) -> Ring:
    """Points in another CRS, those that it knows. Longitudes lie within half the Earth of the grid's middle.

    Without a grid, of the points' first.
    """
    if crs == target:
        found = places
    else:
        found = np.stack(to_crs(crs, target, *places.T)[:2], axis=1)
        found = found[np.isfinite(found).all(axis=1)]
        if not len(found):
            raise CRSError("no place of it is known there")
    if target.is_geographic:
        middle = _middle(grid) if grid is not None else found[0, 0]
        found = found.copy()
        found[:, 0] = middle + (found[:, 0] - middle + 180) % 360 - 180
    return found


def _middle(grid: Grid) -> float:
    return grid.transform.a * grid.width / 2 + grid.transform.b * grid.height / 2 + grid.transform.c


def _clipped(ring: Ring, low: np.ndarray, high: np.ndarray) -> Ring:
    """What of a ring lies in a box, along whose sides it is closed; empty when nothing does."""
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
    """The ring with corners along its edges, which are straight in its CRS alone."""
    longest = np.abs(np.diff(ring, axis=0)).max(axis=1)
    pieces = np.clip(np.ceil(longest / PIECE[degrees]), 1, MOST_PIECES).astype(int)
    start = np.repeat(np.arange(len(pieces)), pieces)
    share = (np.arange(len(start)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[start]
    return np.concatenate([ring[start] + share[:, None] * (ring[start + 1] - ring[start]), ring[-1:]])


def _window(placed: Placed, grid: Grid) -> Window | None:
    """The pixels of the grid in which polygons lie."""
    corners = np.array([corner for each in placed for corner in each[0]]).reshape(-1, 2)
    if not len(corners):
        return None
    (left, top), (right, bottom) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    right, bottom = max(right, left + 1), max(bottom, top + 1)  # smaller than a corner's rounding
    return grid.whole.intersection(Window(int(top), int(left), int(bottom - top), int(right - left)))


def _extent(crs: CRS, polygons: list[Polygon] | Ring) -> str:
    """In longitude and latitude."""
    points = polygons if isinstance(polygons, np.ndarray) else np.concatenate([each[0] for each in polygons])
    x, y = _taken(crs, points, LONGITUDE_LATITUDE).T
    return f"longitude {x.min():.4f} to {x.max():.4f}, latitude {y.min():.4f} to {y.max():.4f}"
