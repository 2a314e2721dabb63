"""Polygons as a GeoPackage, which is an SQLite file with agreed tables (OGC 12-128r19), without another library."""

import os
import sqlite3
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from defusedxml.ElementTree import fromstring
from jaxtyping import Float64
from rasterio.crs import CRS

from spectralgpt.free_space import refusals
from spectralgpt.raster.handles import GDAL_ERRORS

POLYGONS_SUFFIX = ".gpkg"

APPLICATION, GEOPACKAGE = 0x47504B47, 10300
"""`GPKG`, and version 1.3 of the standard: numbers in the header of the file."""

WRITTEN = "2000-01-01T00:00:00.000Z"
"""The same polygons are the same file, byte by byte; when it was written, the file system knows."""

OWN_CRS, NO_CRS = 100_000, -1
"""Numbers of a CRS without a code of EPSG, and of none."""

TABLES_OF_STANDARD = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
 organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
 description TEXT DEFAULT '', last_change DATETIME NOT NULL, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
 srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents(table_name),
 column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
 srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys(srs_id), z TINYINT NOT NULL, m TINYINT NOT NULL,
 PRIMARY KEY (table_name, column_name));
CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL,
 definition TEXT NOT NULL, scope TEXT NOT NULL, UNIQUE (table_name, column_name, extension_name));
CREATE TABLE gpkg_metadata (id INTEGER PRIMARY KEY, md_scope TEXT NOT NULL DEFAULT 'dataset',
 md_standard_uri TEXT NOT NULL, mime_type TEXT NOT NULL DEFAULT 'text/xml', metadata TEXT NOT NULL DEFAULT '');
CREATE TABLE gpkg_metadata_reference (reference_scope TEXT NOT NULL, table_name TEXT, column_name TEXT,
 row_id_value INTEGER, timestamp DATETIME NOT NULL, md_file_id INTEGER NOT NULL REFERENCES gpkg_metadata(id),
 md_parent_id INTEGER REFERENCES gpkg_metadata(id));
CREATE TABLE classes (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom POLYGON, value INTEGER, class TEXT,
 pixels INTEGER, area DOUBLE);
"""
"""`classes` is ours; all else is agreed."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassPolygon:
    """A connected part of a map of one class. rings: of points x, y in the CRS, closed, the outer one first. pixels:
    its number; area: in square metres, NaN unknown."""

    value: int
    rings: Sequence[Float64[np.ndarray, "_ 2"]]
    pixels: int
    area: float


def write_polygons(
    path: Path, polygons: Iterable[ClassPolygon], names: Sequence[str], crs: str | None, tags: Mapping[str, str]
) -> int:
    """Write the layer `classes` into a new file, and return the number of polygons. names: of the classes, by value.
    tags: kept as GDAL keeps its metadata. An earlier file is replaced. TargetError when the disk refuses."""
    with refusals(path, sqlite3.OperationalError):
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as file:
            file.execute(f"PRAGMA application_id = {APPLICATION}")
            file.execute(f"PRAGMA user_version = {GEOPACKAGE}")
            file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;" + TABLES_OF_STANDARD)
            number = _add_crs(file, crs)
            extent = _Extent(np.array([np.inf, np.inf, -np.inf, -np.inf]))
            rows = (_row(each, names, number, extent) for each in polygons)
            file.executemany("INSERT INTO classes (geom, value, class, pixels, area) VALUES (?, ?, ?, ?, ?)", rows)
            ((count,),) = file.execute("SELECT count(*) FROM classes")
            bounds = extent.bounds.tolist() if count else [None] * 4
            file.execute(
                "INSERT INTO gpkg_contents VALUES ('classes', 'features', 'classes', '', ?, ?, ?, ?, ?, ?)",
                (WRITTEN, *bounds, number),
            )
            file.execute("INSERT INTO gpkg_geometry_columns VALUES ('classes', 'geom', 'POLYGON', ?, 0, 0)", (number,))
            _add_tags(file, tags)
            file.commit()
        with open(path, "rb+") as written:
            os.fsync(written.fileno())
    return int(count)


def geopackage_tags(path: Path) -> Mapping[str, str]:
    """The tags of a GeoPackage that `write_polygons`, or GDAL, wrote; empty for other files."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            found = file.execute("SELECT metadata FROM gpkg_metadata WHERE md_standard_uri = 'http://gdal.org'")
            texts = [text for (text,) in found]
    except sqlite3.Error:
        return {}
    tags = {}
    for text in texts:
        for item in fromstring(text).iter("MDI"):
            tags[item.get("key", "")] = item.text or ""
    return tags


@dataclass(frozen=True, slots=True, eq=False)
class _Extent:
    """bounds: smallest x, smallest y, largest x, largest y so far."""

    bounds: Float64[np.ndarray, " 4"]

    def add(self, low: Float64[np.ndarray, " 2"], high: Float64[np.ndarray, " 2"]) -> None:
        self.bounds[:2] = np.minimum(self.bounds[:2], low)
        self.bounds[2:] = np.maximum(self.bounds[2:], high)


def _row(polygon: ClassPolygon, names: Sequence[str], crs: int, extent: _Extent) -> tuple[object, ...]:
    low, high = polygon.rings[0].min(axis=0), polygon.rings[0].max(axis=0)
    extent.add(low, high)
    area = None if np.isnan(polygon.area) else polygon.area
    geometry = _geometry(polygon.rings, crs, low, high)
    return geometry, polygon.value, names[polygon.value], polygon.pixels, area


def _geometry(
    rings: Sequence[Float64[np.ndarray, "_ 2"]],
    crs: int,
    low: Float64[np.ndarray, " 2"],
    high: Float64[np.ndarray, " 2"],
) -> bytes:
    """The standard's header (little endian, with an envelope of x and y), then well-known binary of a polygon."""
    header = struct.pack("<2sBBi4d", b"GP", 0, 0b11, crs, low[0], high[0], low[1], high[1])
    parts = [header, struct.pack("<BII", 1, 3, len(rings))]
    for ring in rings:
        parts += [struct.pack("<I", len(ring)), np.ascontiguousarray(ring, "<f8").tobytes()]
    return b"".join(parts)


def _add_crs(file: sqlite3.Connection, crs: str | None) -> int:
    """The CRS and those that every file has; the number of the CRS."""
    longitude = CRS.from_epsg(4326).to_wkt(version="WKT1_GDAL")
    known: dict[int, tuple[str, str, int, str]] = {
        NO_CRS: ("Undefined cartesian SRS", "NONE", -1, "undefined"),
        0: ("Undefined geographic SRS", "NONE", 0, "undefined"),
        4326: ("WGS 84 geodetic", "EPSG", 4326, longitude),
    }
    number = NO_CRS
    if crs is not None:
        parsed = CRS.from_wkt(crs)
        code = parsed.to_epsg()
        number = OWN_CRS if code is None else code
        known.setdefault(number, (crs.split('"')[1], "NONE" if code is None else "EPSG", number, _wkt(parsed)))
    rows = [(name, key, organization, own, text) for key, (name, organization, own, text) in known.items()]
    file.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", rows)
    return number


def _wkt(crs: CRS) -> str:
    """Well-known text of version 1, as the standard asks for, where the CRS has one."""
    try:
        text: str = crs.to_wkt(version="WKT1_GDAL")
    except GDAL_ERRORS:
        text = crs.to_wkt()
    return text


def _add_tags(file: sqlite3.Connection, tags: Mapping[str, str]) -> None:
    root = ElementTree.Element("GDALMultiDomainMetadata")
    metadata = ElementTree.SubElement(root, "Metadata")
    for name, text in tags.items():
        ElementTree.SubElement(metadata, "MDI", key=name).text = text
    file.execute(
        "INSERT INTO gpkg_metadata VALUES (1, 'dataset', 'http://gdal.org', 'text/xml', ?)",
        (ElementTree.tostring(root, encoding="unicode"),),
    )
    file.execute("INSERT INTO gpkg_metadata_reference VALUES ('geopackage', NULL, NULL, NULL, ?, 1, NULL)", (WRITTEN,))
    definition = "http://www.geopackage.org/spec121/#extension_metadata"
    file.executemany(
        "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_metadata', ?, 'read-write')",
        [(table, definition) for table in ("gpkg_metadata", "gpkg_metadata_reference")],
    )
