"""Tags with an offset that cannot be used, and floats that may still include what was added: both are said."""

import re

import numpy as np
import pytest
import rasterio
from made_rasters import land, write
from rasterio.rio.main import main_group

from spectralgpt.checks import check
from spectralgpt.products import open_raster

L2A = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]


def notes(path, **how) -> list[str]:
    with open_raster(path, **how) as raster:
        return [each for each in raster.warnings if "added" in each or "expected one number" in each]


@pytest.mark.parametrize(
    "key", ["BOA_ADD_OFFSET", "RADIO_ADD_OFFSET", "boa_add_offset_values_list", "BOA_ADD_OFFSET_B02"]
)
@pytest.mark.parametrize("text", ["abc", "-1000,-1000", "nan"])
@pytest.mark.parametrize("names", [L2A, L2A[1:8]])
def test_what_cannot_be_used_is_noted(tmp_path, key, text, names):
    path = write(tmp_path / "a.tif", land(16, 16, bands=len(names)), names=names, tags={key: text})
    (note,) = notes(path)
    assert f"{key} = " in note
    assert "-1000" in note
    with open_raster(path) as raster:
        assert set(raster.offset) == {0.0}
    command = re.search(r"`rio edit-info (--tag \S+) FILE`", note)
    main_group(["edit-info", *command[1].split(), str(path)], standalone_mode=False)
    assert not notes(path), "the advice works"


@pytest.mark.parametrize("text", ["-1000", "-1000.0", ",".join(["-1000"] * 12), " ".join(["-1000"] * 13), "[-1000]"])
def test_what_can_be_used_is_not(tmp_path, text):
    path = write(tmp_path / "a.tif", land(16, 16, bands=12), names=L2A, tags={"BOA_ADD_OFFSET": text})
    assert not notes(path)
    with open_raster(path) as raster:
        assert set(raster.offset) == {-0.1}


def test_a_list_on_a_band(tmp_path):
    path = write(tmp_path / "a.tif", land(16, 16, bands=3), names=L2A[1:4])
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(2, BOA_ADD_OFFSET="-1000,-1000,-1000")
    assert "BOA_ADD_OFFSET = '-1000,-1000,-1000'" in notes(path)[0]


@pytest.mark.parametrize(
    "tags", [{"BOA_ADD_OFFSET": "-1000"}, {"PROCESSING_BASELINE": "04.00"}, {"PRODUCT_URI": "x_N0510_y"}]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("names", [L2A, L2A[1:4]])
def test_floats_under_a_tag_are_noted_and_looked_at(tmp_path, tags, dtype, names):
    dark = land(40, 44, bands=len(names)) / 2e4 - 0.03
    values = (np.clip(dark, 0.001, 1) + 0.1).astype(dtype)
    path = write(tmp_path / "a.tif", values, names=names, tags=tags)
    (note,) = notes(path)
    assert "1000 was added by" in note
    with open_raster(path) as raster:
        assert "offset" in [flag.kind for flag in check(raster).flags]
    scale, offset = map(float, re.search(r"`gdal_edit.py -scale (\S+) -offset (\S+) FILE`", note).groups())
    with rasterio.open(path, "r+") as dataset:
        dataset.scales, dataset.offsets = [scale] * len(names), [offset] * len(names)
    assert not notes(path)
    with open_raster(path) as raster:
        assert "offset" not in [flag.kind for flag in check(raster).flags]
        np.testing.assert_allclose(raster.read().reflectance()[0], values - 0.1, atol=1e-6)


@pytest.mark.parametrize("tags", [{"BOA_ADD_OFFSET": "0"}, {"PROCESSING_BASELINE": "03.01"}, {}])
def test_floats_to_which_nothing_was_added_are_not_noted(tmp_path, tags):
    path = write(tmp_path / "a.tif", (land(16, 16, bands=12) / 1e4).astype("float32"), names=L2A, tags=tags)
    assert not notes(path)
