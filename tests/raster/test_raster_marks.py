"""Marks of results: which command wrote a file."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_rasters import land, write

from spectralgpt.raster import ResultMark, without_mark
from spectralgpt.raster.marks import tags_of
from spectralgpt.report import save_picture


def test_sources_count_by_their_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, two = tmp_path / "a.tif", tmp_path / "b.tif"
    mark = ResultMark.of("embed", [one, two])
    assert ResultMark.of("embed", [two, one, one]) == mark
    assert ResultMark.of("embed", ["a.tif", os.path.join("x", "..", "b.tif")]) == mark
    assert ResultMark.of("embed", [one]) != mark
    assert ResultMark.of("reconstruct", [one, two]) != mark
    assert len(mark.sources) == 32


def as_tif(path, tags):
    return write(path.with_suffix(".tif"), land(16, 16, bands=1), tags=tags)


def as_png(path, tags):
    save_picture(path.with_suffix(".png"), np.zeros((4, 5, 4), np.uint8), tags)
    return path.with_suffix(".png")


def as_table(path, tags):
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata(tags), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


@pytest.mark.parametrize("make", [as_tif, as_png, as_table])
def test_a_mark_is_found_again(make, tmp_path):
    mark = ResultMark.of("embed", [tmp_path / "a.tif"])
    assert ResultMark.among(tags_of(make(tmp_path / "marked", mark.tags))) == mark
    for missing in mark.tags:
        left = {name: text for name, text in mark.tags.items() if name != missing}
        assert ResultMark.among(tags_of(make(tmp_path / "half", left))) is None


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.parquet", "a.csv", "nowhere.tif", "nowhere.parquet", "folder"])
def test_other_files_have_no_tags(name, tmp_path):
    (tmp_path / "folder").mkdir()
    if name.startswith("a."):
        (tmp_path / name).write_text("notes")
    assert tags_of(tmp_path / name) == {}


def test_tags_that_a_result_may_inherit():
    tags = {**ResultMark.of("embed", ["a"]).tags, "AREA": "here", "SPECTRALGPT_SENSOR": "s2-l2a"}
    assert without_mark(tags) == {"AREA": "here", "SPECTRALGPT_SENSOR": "s2-l2a"}
