"""A table of vectors, one row per image: GeoParquet or CSV."""

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float32

from spectralgpt.disk import atomic_write
from spectralgpt.errors import counted
from spectralgpt.free_space import refusal, require_space
from spectralgpt.raster import Footprint

TABLE_SUFFIXES = (".parquet", ".csv")
"""Endings of a table of vectors."""

VECTOR_COLUMN, CSV_VALUE = "vector", "e"
"""Name of the column of vectors, and what the names of its values in CSV begin with."""

CSV_COMMON = {"fingerprint": "", "rules": ""}
"""Columns of a table of `embed` with one value for all rows."""

LONGEST_ROW = 2**20
"""Bytes of a row of CSV at most: vectors have some hundred values."""

BYTES_PER_VALUE = {".parquet": 3.5, ".csv": 12.0}
"""That a table takes at least: values are random in all but their first bits, which is little to compress."""

MOST_SHARE = 1.5
"""Of these, that it may take."""

ROWS_TOGETHER = 1024
"""Rows of a row group: a reader of a few rows reads no more than these."""


@dataclass(frozen=True, slots=True, eq=False)
class VectorRow:
    """An image and its vector. path: as it was found. footprint: None without georeference. date: ISO, empty where
    unknown; of several dates, all, separated by commas. valid: the valid share of its values, from 0 to 1. beside: by
    name, other vectors of the image."""

    path: str
    footprint: Footprint | None
    date: str
    valid: float
    vector: Float32[np.ndarray, " value"]
    beside: Mapping[str, Float32[np.ndarray, "_"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VectorTable:
    """What a table of vectors holds: images (rows), values per vector, the weights and the rules that made them, the
    first and the last date (empty where none is known), and the mean valid share. beside: by name, the values of other
    vectors."""

    images: int
    values: int
    fingerprint: str
    rules: str
    dates: tuple[str, str]
    valid: float
    beside: Mapping[str, int] = field(default_factory=dict)


def is_table(target: Path) -> bool:
    """Whether a target is a table by its ending."""
    return target.suffix.lower() in TABLE_SUFFIXES


def is_own_csv(target: Path, paths: Container[str]) -> bool:
    """Whether a file is a CSV table of vectors of these images, as CSV has no place for a mark: by its columns, and by
    the paths in its first and its last row."""
    try:
        with open(target, "rb") as file:
            first = list(csv.reader([file.readline().decode(), file.readline().decode()]))
            file.seek(max(0, os.path.getsize(target) - LONGEST_ROW))
            last = next(csv.reader([file.read().decode(errors="replace").splitlines()[-1]]))
    except (OSError, UnicodeDecodeError, csv.Error, IndexError, StopIteration):
        return False
    if len(first) < 2 or not first[1] or not last:
        return False
    return _sizes(first[0]) is not None and first[1][0] in paths and last[0] in paths


def table_in(path: Path) -> VectorTable | None:
    """What a table of `embed` holds; None for any other file, and for one that cannot be read."""
    try:
        columns = _parquet_columns(path) if path.suffix.lower() == ".parquet" else _csv_columns(path)
        if columns is None:
            return None
        sizes, rows = columns
        shares = [float(row["valid_share"]) for row in rows]
    except (OSError, csv.Error, TypeError, ValueError, pa.ArrowException):  # also of what is no UTF-8
        return None
    dates = sorted(day for row in rows for day in str(row["date"] or "").split(",") if day)
    return VectorTable(
        images=len(rows),
        values=sizes.pop(VECTOR_COLUMN),
        fingerprint=", ".join(dict.fromkeys(str(row["fingerprint"]) for row in rows)),
        rules=", ".join(dict.fromkeys(str(row["rules"]) for row in rows)),
        dates=(dates[0], dates[-1]) if dates else ("", ""),
        valid=sum(shares) / len(shares) if shares else 0.0,
        beside=sizes,
    )


def _csv_columns(path: Path) -> tuple[dict[str, int], list[dict[str, Any]]] | None:
    """The values of its vectors by name, and per row its other columns."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        sizes = _sizes(header)
        if sizes is None:
            return None
        rows = list(reader)
        if any(len(row) != len(header) for row in rows):  # cut off
            return None
        return sizes, [dict(zip(header, row[: len(header) - sum(sizes.values())], strict=False)) for row in rows]


def _sizes(header: Sequence[str]) -> dict[str, int] | None:
    """The values of the vectors of a CSV table by name; None where it is no table of ours."""
    known = _columns({}, CSV_COMMON)
    counted = Counter(re.sub(r"\d+$", "", name) for name in header[len(known) :])
    sizes = {VECTOR_COLUMN: counted.pop(CSV_VALUE, 0), **counted}
    return sizes if sizes[VECTOR_COLUMN] and list(header) == _columns(sizes, CSV_COMMON) else None


def _parquet_columns(path: Path) -> tuple[dict[str, int], list[dict[str, Any]]] | None:
    schema = pq.read_schema(path)
    if not {VECTOR_COLUMN, *_columns({}, CSV_COMMON)} <= set(schema.names):
        return None
    kept = ["date", "valid_share", *CSV_COMMON]
    sizes = {each.name: each.type.list_size for each in schema if pa.types.is_fixed_size_list(each.type)}
    return sizes, pq.read_table(path, columns=kept).to_pylist()


def write_vectors(
    target: Path,
    rows: Iterable[VectorRow],
    values: int,
    common: Mapping[str, Any],
    tags: Mapping[str, str],
    beside: Mapping[str, int] | None = None,
    expected: int = 0,
) -> int:
    """Write the table by atomic write and return the number of rows.

    values: per vector; beside: by name, per other vector of a row. common: columns with one value for all rows, like
    the fingerprint. tags: the metadata of a Parquet table; CSV has no place for them. expected: rows for which the disk
    must have room. Parquet has the outline as the geometry of GeoParquet 1.1.0 (WKB, OGC:CRS84) and each vector as one
    list column; CSV has the outline as WKT and a column per value. TargetError when the disk refuses, or has no
    room, before a row is written.
    """
    suffix = target.suffix.lower()
    kind = _Parquet if suffix == ".parquet" else _Csv
    count, sizes = 0, {VECTOR_COLUMN: values, **(beside or {})}
    needed = int(expected * sum(sizes.values()) * BYTES_PER_VALUE[suffix])
    require_space(target, needed, f"a table of {counted(expected, 'image')}", "choose a target on another disk")
    try:
        with atomic_write(target) as file, closing(kind(file, sizes, common, tags)) as writer:
            for together in _batches(rows):
                writer.rows(together)
                count += len(together)
    except OSError as error:
        raise refusal(target, error, needed=int(MOST_SHARE * needed) or None) from None
    finally:
        target.with_name(target.name + ".partial").unlink(missing_ok=True)
    return count


def _batches(rows: Iterable[VectorRow]) -> Iterator[list[VectorRow]]:
    together: list[VectorRow] = []
    for row in rows:
        together.append(row)
        if len(together) == ROWS_TOGETHER:
            yield together
            together = []
    if together:
        yield together


class _Parquet:
    """GeoParquet 1.1.0, without a bounding-box column."""

    def __init__(self, file: BinaryIO, sizes: Mapping[str, int], common: Mapping[str, Any], tags: Mapping[str, str]):
        fields = [
            pa.field("path", pa.string()),
            pa.field("geometry", pa.binary()),
            pa.field("date", pa.string()),
            pa.field("valid_share", pa.float64()),
            *(pa.field(name, pa.list_(pa.float32(), values)) for name, values in sizes.items()),
            *(pa.field(name, pa.scalar(value).type) for name, value in common.items()),
        ]
        self._common, self._sizes = common, sizes
        # In the schema, not added at the end, where pyarrow's own reader would not see it; so without the optional box,
        # which is known only then. No crs: longitude and latitude, OGC:CRS84.
        geometry = {"encoding": "WKB", "geometry_types": ["Polygon"]}
        geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}}
        self._schema = pa.schema(fields, metadata={**tags, "geo": json.dumps(geo)})
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

    def rows(self, rows: Sequence[VectorRow]) -> None:
        footprints = [row.footprint for row in rows]
        columns = [
            pa.array([row.path for row in rows], pa.string()),
            pa.array([None if each is None else each.wkb for each in footprints], pa.binary()),
            pa.array([row.date or None for row in rows], pa.string()),
            pa.array([row.valid for row in rows], pa.float64()),
            *(_lists(np.stack([_vectors(row)[name] for row in rows])) for name in self._sizes),
            *(pa.array([value] * len(rows), pa.scalar(value).type) for value in self._common.values()),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


class _Csv:
    def __init__(self, file: BinaryIO, sizes: Mapping[str, int], common: Mapping[str, Any], tags: Mapping[str, str]):
        self._file, self._common, self._sizes = file, common, sizes
        self._write([_columns(sizes, common)])

    def rows(self, rows: Sequence[VectorRow]) -> None:
        self._write(
            [
                row.path,
                "" if row.footprint is None else row.footprint.wkt,
                row.date,
                f"{row.valid:.6f}",
                *self._common.values(),
                *(value for name in self._sizes for value in _vectors(row)[name].tolist()),
            ]
            for row in rows
        )

    def close(self) -> None:
        """Nothing is left to write."""

    def _write(self, rows: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._file.write(text.getvalue().encode())


def _columns(sizes: Mapping[str, int], common: Mapping[str, Any]) -> list[str]:
    """Of CSV. sizes: values of vectors by name."""
    of_values = (
        f"{CSV_VALUE if name == VECTOR_COLUMN else name}{index}"
        for name, values in sizes.items()
        for index in range(values)
    )
    return ["path", "geometry", "date", "valid_share", *common, *of_values]


def _vectors(row: VectorRow) -> dict[str, Float32[np.ndarray, "_"]]:
    """By the name of the column."""
    return {VECTOR_COLUMN: row.vector, **row.beside}


def _lists(vectors: Float32[np.ndarray, "row value"]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])
