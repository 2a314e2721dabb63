"""Tables of vectors: GeoParquet and CSV."""

import csv
import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from affine import Affine
from rasterio.crs import CRS

from spectralgpt.errors import TargetError
from spectralgpt.features.vector_table import (
    BYTES_PER_VALUE,
    MOST_SHARE,
    ROWS_TOGETHER,
    VectorRow,
    is_own_csv,
    table_in,
    write_vectors,
)
from spectralgpt.raster import Grid, footprint

COMMON = {"fingerprint": "0d57", "rules": 1}
TAGS = {"SPECTRALGPT_VERB": "embed"}


def rows(count, values=3):
    outline = footprint(Grid(CRS.from_epsg(4326).to_wkt(), Affine(1, 0, 5, 0, -1, 47), 2, 2))
    vectors = np.random.default_rng(0).normal(size=(count, values)).astype(np.float32)
    return [
        VectorRow(f"image {i}.tif", outline if i % 2 else None, "2020-05-01" if i % 3 else "", i / count, vectors[i])
        for i in range(count)
    ]


@pytest.mark.parametrize("count", [1, 5, ROWS_TOGETHER + 1])
def test_parquet_comes_back(tmp_path, count):
    target, written = tmp_path / "out.parquet", rows(count)
    assert write_vectors(target, iter(written), 3, COMMON, TAGS) == count
    table = pq.read_table(target)
    assert table["path"].to_pylist() == [row.path for row in written]
    assert table["geometry"].to_pylist() == [row.footprint and row.footprint.wkb for row in written]
    assert table["date"].to_pylist() == [row.date or None for row in written]
    assert np.array_equal(np.array(table["vector"].to_pylist(), np.float32), np.stack([row.vector for row in written]))
    assert set(table["fingerprint"].to_pylist()) == {"0d57"}
    assert set(table["rules"].to_pylist()) == {1}
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_geoparquet_metadata(tmp_path):
    write_vectors(tmp_path / "out.parquet", rows(4), 3, COMMON, TAGS)
    geo = json.loads(pq.read_schema(tmp_path / "out.parquet").metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["primary_column"] == "geometry"
    assert geo["columns"]["geometry"] == {"encoding": "WKB", "geometry_types": ["Polygon"]}


def test_csv_has_a_column_per_value(tmp_path):
    written = rows(3)
    write_vectors(tmp_path / "out.csv", written, 3, COMMON, TAGS)
    with open(tmp_path / "out.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == ["path", "geometry", "date", "valid_share", "fingerprint", "rules", "e0", "e1", "e2"]
    read = np.array([[float(row[f"e{i}"]) for i in range(3)] for row in found], np.float32)
    assert np.array_equal(read, np.stack([row.vector for row in written]))
    assert found[1]["geometry"].startswith("POLYGON ((")
    assert found[0]["geometry"] == ""


def test_a_csv_is_recognized_by_its_columns_and_paths(tmp_path):
    target, images = tmp_path / "out.csv", [f"image {index}.tif" for index in range(3)]
    assert not is_own_csv(target, images)
    target.write_text("mine")
    assert not is_own_csv(target, images)
    write_vectors(target, rows(3), 3, COMMON, TAGS)
    assert is_own_csv(target, images)
    assert not is_own_csv(target, images[:2])
    assert not is_own_csv(target, images[1:])
    lines = target.read_text().splitlines()
    for changed in (
        [f"{line},wood" if index else f"{line},label" for index, line in enumerate(lines)],
        [*lines, lines[-1].replace("image 2", "another")],
        lines[:1],
        [lines[0].replace("rules", "rule"), *lines[1:]],
    ):
        target.write_text("\n".join(changed) + "\n")
        assert not is_own_csv(target, images)


def test_a_failure_leaves_nothing_behind(tmp_path):
    def failing():
        yield from rows(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_vectors(tmp_path / "out.parquet", failing(), 3, COMMON, TAGS)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TargetError, match="cannot be written"):
        write_vectors(tmp_path / "nowhere" / "out.csv", rows(2), 3, COMMON, TAGS)


@pytest.mark.parametrize(("ending", "values"), [("csv", "720 kB"), ("parquet", "210 kB")])
def test_a_disk_without_room_is_refused_before_a_row(tmp_path, monkeypatch, ending, values):
    monkeypatch.setattr("spectralgpt.free_space.shutil.disk_usage", lambda _: SimpleNamespace(free=100_000))
    both = f"found 100 kB free on its disk; expected {values}, for a table of 20000 images"
    with pytest.raises(TargetError, match=both):
        write_vectors(tmp_path / f"out.{ending}", iter(rows(1)), 3, COMMON, TAGS, expected=20_000)
    assert list(tmp_path.iterdir()) == []
    write_vectors(tmp_path / f"out.{ending}", iter(rows(1)), 3, COMMON, TAGS, expected=2_000)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_room_for_a_table_is_less_than_it_takes(tmp_path, ending):
    rng = np.random.default_rng(0)
    many = [
        VectorRow(f"{index}.tif", None, "", 1.0, each)
        for index, each in enumerate(rng.normal(size=(50, 4000)).astype(np.float32))
    ]
    target = tmp_path / f"out.{ending}"
    write_vectors(target, many, 4000, COMMON, TAGS)
    needed = 50 * 4000 * BYTES_PER_VALUE[f".{ending}"]
    assert needed < target.stat().st_size < MOST_SHARE * needed * 1.2


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_damaged_table_is_none(tmp_path, ending):
    path = tmp_path / f"out.{ending}"
    write_vectors(path, rows(3), 3, COMMON, TAGS)
    assert table_in(path).images == 3
    content = path.read_bytes()
    if ending == "csv":
        for other in (content[:-30], content + b"x\n", content.replace(b",0.333", b",a third"), b"\xff" + content):
            assert other != content
            path.write_bytes(other)
            assert table_in(path) is None
    else:
        names = ["path", "geometry", "date", "valid_share", "fingerprint", "rules"]
        vectors = pa.FixedSizeListArray.from_arrays(pa.array([1.0, 2.0]), 2)
        table = pa.table([["a"], ["b"], [5], [None], ["f"], [1], vectors], [*names, "vector"])
        pq.write_table(table, path)
        assert table_in(path) is None
