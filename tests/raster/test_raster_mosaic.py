"""VRTs over rasters: places, nodata, colours, scales; read by GDAL."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine
from made_rasters import PLACE, write

from spectralgpt.raster import ResultMark
from spectralgpt.raster.grid import composed
from spectralgpt.raster.mosaic import write_mosaics

MARK = ResultMark.of("predict", ["a", "b"])


def part(path, values, column=0.0, row=0.0, **how):
    return write(path, np.asarray(values)[None], transform=composed(PLACE, Affine.translation(column, row)), **how)


def joined(tmp_path, *parts):
    found = write_mosaics(parts, tmp_path / "all.vrt", MARK)
    assert found.files == (tmp_path / "all.vrt",)
    return found.notes


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint8", 255), ("uint16", 0), ("int8", -128), ("int16", -9999), ("float32", np.nan), ("float32", -1.5)],
)
def test_nodata_of_a_later_raster_does_not_cover_an_earlier_one(tmp_path, dtype, nodata):
    a, b = np.full((4, 6), 7, dtype), np.full((5, 6), 9, dtype)
    b[:, :2] = nodata
    joined(
        tmp_path,
        part(tmp_path / "a.tif", a, nodata=nodata),
        part(tmp_path / "b.tif", b, column=4, row=-2, nodata=nodata),
    )
    with rasterio.open(tmp_path / "all.vrt") as vrt:
        values, valid = vrt.read(1), vrt.read_masks(1) > 0
        assert vrt.dtypes == (dtype,)
        assert vrt.transform == composed(PLACE, Affine.translation(0, -2))
        assert vrt.crs.to_epsg() == 32618
    expected, known = np.zeros((6, 10)), np.zeros((6, 10), bool)
    expected[2:6, :6], known[2:6, :6] = 7, True
    expected[:5, 6:], known[:5, 6:] = 9, True
    assert np.array_equal(valid, known)
    assert np.array_equal(values[known], expected[known])


def test_colours_names_scale_and_common_tags_stay(tmp_path):
    colours = {0: (0, 0, 0, 255), 1: (10, 20, 30, 255), 3: (200, 100, 50, 255)}
    paths = []
    for column, name in enumerate("ab"):
        path = part(tmp_path / f"{name}.tif", np.full((4, 4), 1, np.uint8), 4 * column, nodata=255)
        with rasterio.open(path, "r+") as dataset:
            dataset.write_colormap(1, colours)
            dataset.set_band_description(1, "classes & <more>")
            dataset.update_tags(SAME="ü", OTHER=name)
            dataset.update_tags(SPECTRALGPT_CLASSES=json.dumps([{"name": "Wald & Wiese"}, {"name": "Fluß"}]))
            dataset.update_tags(SPECTRALGPT_PARAMETERS=json.dumps({"gsd": column, "per": "all", "bands": ["B2"]}))
        paths.append(path)
    joined(tmp_path, *paths)
    names = ElementTree.parse(tmp_path / "all.vrt").iter("Category")
    assert [each.text for each in names] == ["Wald & Wiese", "Fluß"]
    with rasterio.open(tmp_path / "all.vrt") as vrt, rasterio.open(paths[0]) as one:
        assert {value: vrt.colormap(1)[value] for value in colours} == colours
        assert vrt.colorinterp == one.colorinterp
        assert vrt.descriptions == ("classes & <more>",)
        assert json.loads(vrt.tags()["SPECTRALGPT_PARAMETERS"]) == {"per": "all", "bands": ["B2"]}
        assert (vrt.tags()["SAME"], "OTHER" in vrt.tags()) == ("ü", False)
        assert vrt.nodata == 255
        assert vrt.shape == (4, 8)
    scaled = part(tmp_path / "s.tif", np.ones((4, 4), np.int16), scales=[0.25], offsets=[-0.1])
    write_mosaics([scaled], tmp_path / "scaled.vrt", MARK)
    with rasterio.open(tmp_path / "scaled.vrt") as vrt:
        assert (vrt.scales, vrt.offsets) == ((0.25,), (-0.1,))


@pytest.mark.parametrize("differs", ["nodata", "dtype", "crs", "scale", "tag", "pixel", "bands"])
def test_what_differs_is_not_joined(tmp_path, differs):
    values = np.ones((4, 4), np.uint8)
    how = {
        "nodata": {"nodata": 3},
        "crs": {"crs": "EPSG:32619"},
        "scale": {"scales": [2.0]},
        "tag": {"tags": {"KEY": "x"}},
    }
    one = part(tmp_path / "a.tif", values)
    other = part(tmp_path / "b.tif", values.astype(np.uint16) if differs == "dtype" else values, **how.get(differs, {}))
    if differs == "pixel":
        other = write(tmp_path / "c.tif", values[None], transform=composed(PLACE, Affine.scale(2)))
    if differs == "bands":
        other = write(tmp_path / "c.tif", np.stack([values, values]), transform=PLACE)
    found = write_mosaics([one, other], tmp_path / "all.vrt", MARK, same=("KEY",))
    assert len(found.files) == 2
    assert len(set(found.files)) == 2
    assert not (tmp_path / "all.vrt").exists()
    assert "2 VRTs" in found.notes[-1]


def test_parts_off_the_grid_are_noted(tmp_path):
    values = np.ones((8, 8), np.uint8)
    one = part(tmp_path / "a.tif", values, nodata=0)
    assert joined(tmp_path, one, part(tmp_path / "b.tif", values, column=8, nodata=0)) == ()
    (note,) = joined(tmp_path, one, part(tmp_path / "c.tif", values * 2, column=8.25, row=0.25, nodata=0))
    assert "different grids" in note
    with rasterio.open(tmp_path / "all.vrt") as vrt:
        found = vrt.read(1)
    assert np.array_equal(found[:8, :8], values)
    assert (found[1:8, 9:16] == 2).all()


def test_a_file_of_others_is_left_alone(tmp_path):
    one = part(tmp_path / "a.tif", np.ones((4, 4), np.uint8))
    (tmp_path / "all.vrt").write_text("mine")
    found = write_mosaics([one], tmp_path / "all.vrt", MARK)
    assert found.files == ()
    assert "stays as it is" in found.notes[0]
    assert (tmp_path / "all.vrt").read_text() == "mine"


def test_south_up_and_without_place_are_left_out(tmp_path):
    south = write(tmp_path / "a.tif", np.ones((1, 4, 4), np.uint8), transform=Affine(10, 0, 0, 0, 10, 0))
    bare = write(tmp_path / "b.tif", np.ones((1, 4, 4), np.uint8), crs=None, transform=None)
    found = write_mosaics([south, bare], tmp_path / "all.vrt", MARK)
    assert found.files == ()
    assert found.notes[0].startswith("2 results without")
