"""The rows of a table, whatever its format: CSV, Parquet, GeoJSON."""

import csv
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spectralgpt.errors import DataError
from spectralgpt.raster.footprint import Position

LABEL_TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".geoparquet", ".geojson")

Cell = str | list[str]
"""A value of a table: text, empty where there is none, or a list of texts."""


@dataclass(frozen=True, slots=True)
class TableRows:
    """columns: by their names, in the table's order. positions: of the rows' geometries, longitude and latitude."""

    columns: Mapping[str, Sequence[Cell]]
    positions: Sequence[Position | None] = ()

    def __len__(self) -> int:
        return max(map(len, self.columns.values()), default=0)


def read_rows(path: str) -> TableRows:
    """All rows of a table. DataError for a file that is no such table, has no row, or has a column name twice."""
    ending = os.path.splitext(path)[1].lower()
    try:
        rows = {".csv": _csv, ".tsv": _csv, ".geojson": _geojson}.get(ending, _parquet)(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})", do="Check the path") from None
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError, pa.ArrowException, RecursionError) as error:
        raise DataError(f"{path}: is not a {ending[1:]} table ({error})", do="Save it again, in UTF-8") from None
    if not len(rows):
        raise DataError(f"{path}: found no row", "one per image")
    lower = [name.strip().lower() for name in rows.columns]
    repeated = sorted({name for name in lower if lower.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: found several columns called {', '.join(repeated)}", "different names")
    return rows


def _csv(path: str) -> TableRows:
    with open(path, newline="", encoding="utf-8-sig") as file:
        first = file.readline()
        file.seek(0)
        separator = max(",;\t", key=first.count)  # spreadsheets of many countries separate with semicolons
        lines = csv.reader(file, delimiter=separator)
        header = [name.strip() for name in next(lines, [])]
        rows = [row for row in lines if any(cell.strip() for cell in row)]
    _refuse_repeated(path, header)
    for number, row in enumerate(rows):
        if len(row) > len(header):
            raise DataError(
                f"{path}: found {len(row)} values in row {number + 1}", f"{len(header)}, as in its first line"
            )
    return TableRows(
        {
            name: [row[index].strip() if index < len(row) else "" for row in rows]
            for index, name in enumerate(header)
            if name
        }
    )


def _refuse_repeated(path: str, header: Sequence[str]) -> None:
    repeated = sorted({name for name in header if name and list(header).count(name) > 1})
    if repeated:
        raise DataError(f"{path}: found several columns called {', '.join(repeated)}", "different names")


def _parquet(path: str) -> TableRows:
    table = pq.read_table(path)
    _refuse_repeated(path, table.column_names)
    texts = {
        field.name: [_cell(value) for value in table.column(field.name).to_pylist()]
        for field in table.schema
        if not pa.types.is_binary(field.type) and not pa.types.is_large_binary(field.type)
    }
    return TableRows(texts)


def _geojson(path: str) -> TableRows:
    with open(path, encoding="utf-8-sig") as file:
        document = json.load(file)
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or not all(isinstance(each, dict) for each in features):
        raise DataError(f"{path}: found no list of features", "a FeatureCollection with one feature per image")
    _refuse_crs(path, document)
    properties = [each.get("properties") or {} for each in features]
    if not all(isinstance(each, dict) for each in properties):
        raise DataError(f"{path}: found properties that are no names with values", "an object in each feature")
    names = list(dict.fromkeys(name for each in properties for name in each))
    columns = {name: [_cell(each.get(name)) for each in properties] for name in names}
    return TableRows(columns, [centroid(each.get("geometry")) for each in features])


def _refuse_crs(path: str, document: Mapping[str, Any]) -> None:
    name = json.dumps(document.get("crs"))
    if document.get("crs") is not None and not any(known in name for known in ("CRS84", "4326")):
        raise DataError(f"{path}: found the CRS {name}", "longitude and latitude (EPSG:4326), as GeoJSON requires")


def _cell(value: Any) -> Cell:
    """A value as text: a whole number without a decimal point, a list as a list."""
    if isinstance(value, list | tuple):
        return [str(_cell(each)) for each in value]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def centroid(geometry: Any) -> Position | None:
    """Longitude and latitude of a GeoJSON geometry's centroid: of polygons by area, of points and lines the mean."""
    if not isinstance(geometry, Mapping) or not isinstance(geometry.get("coordinates"), list):
        return None
    coordinates, kind = geometry["coordinates"], geometry.get("type")
    try:
        if kind in ("Polygon", "MultiPolygon"):
            rings = [coordinates[0]] if kind == "Polygon" else [polygon[0] for polygon in coordinates]
            return _centroid_of_rings(rings)
        points = list(_points(coordinates))
        return (sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points))
    except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError):
        return None


def _points(coordinates: Any) -> Iterator[Position]:
    if isinstance(coordinates[0], int | float):
        yield float(coordinates[0]), float(coordinates[1])
    else:
        for each in coordinates:
            yield from _points(each)


def _centroid_of_rings(rings: Sequence[Any]) -> Position:
    """By the shoelace formula, about the first corner, as degrees are large beside a chip."""
    x0, y0 = float(rings[0][0][0]), float(rings[0][0][1])
    total = along = up = 0.0
    for ring in rings:
        corners = [(float(x) - x0, float(y) - y0) for x, y, *_ in ring]
        twice = x_sum = y_sum = 0.0
        for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
            cross = x1 * y2 - x2 * y1
            twice, x_sum, y_sum = twice + cross, x_sum + (x1 + x2) * cross, y_sum + (y1 + y2) * cross
        sign = -1.0 if twice < 0 else 1.0  # rings run either way round
        total, along, up = total + sign * twice, along + sign * x_sum, up + sign * y_sum
    return x0 + along / (3 * total), y0 + up / (3 * total)
