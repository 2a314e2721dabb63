"""`clouds='auto'`: the layer that a product has, whatever its name; an image without one is refused."""

import numpy as np
import pytest
from made_rasters import NAMES, land, write

from spectralgpt.errors import OptionError
from spectralgpt.products import cloud_options, open_raster

LAYERS = {"SCL": (9, 8), "QA_PIXEL": (8, 16), "Fmask": (2, 32)}
"""Layer -> a value that is cloud, and the rows that hold it."""


def folder_with(folder, *layers):
    folder.mkdir()
    for name in ("B02", "B03", "B04"):
        write(folder / f"x_{name}.tif", land(64, 64, bands=1))
    for name in layers:
        value, rows = LAYERS[name]
        values = np.zeros((1, 64, 64), np.uint16)
        values[:, :rows] = value
        write(folder / f"x_{name}.tif", values, names=(name,))
    return folder


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("option", ["auto", "AUTO"])
def test_auto_takes_the_layer_that_is_there(tmp_path, layer, option):
    folder = folder_with(tmp_path / "bands", layer)
    rows = LAYERS[layer][1]
    with open_raster(folder, bands="s2-l2a", clouds=option) as raster:
        assert raster.warnings == ()
        valid = raster.read().valid[0]
    assert not valid[:, :rows].any()
    assert valid[:, rows:].all()


def test_of_several_layers_auto_takes_the_one_that_is_read_without_the_option(tmp_path):
    folder = folder_with(tmp_path / "bands", *LAYERS)
    with open_raster(folder, bands="s2-l2a") as looked, open_raster(folder, bands="s2-l2a", clouds="auto") as raster:
        assert raster.clouds == looked.clouds
        assert (looked.without_clouds, raster.without_clouds) == (False, True)


def test_auto_takes_a_layer_among_the_bands_of_a_file(tmp_path):
    values = np.concatenate([land(64, 64, bands=3), np.zeros((1, 64, 64), np.uint16)])
    values[3, :8] = 9
    path = write(tmp_path / "scene.tif", values, names=("B2", "B3", "B4", "SCL"))
    with open_raster(path, bands="s2-l2a:B2,B3,B4", clouds="auto") as raster:
        assert not raster.read().valid[0, :, :8].any()


def test_each_date_has_its_own_layer(tmp_path):
    first, second = folder_with(tmp_path / "a", "SCL"), folder_with(tmp_path / "b", "Fmask")
    dated = [f"{first}@2020-05-01", f"{second}@2020-06-01"]
    with open_raster(dated, bands="s2-l2a", clouds="auto") as raster:
        valid = raster.read().valid
    assert [int((~valid[date, 0]).any(axis=1).sum()) for date in (0, 1)] == [8, 32]


def test_an_image_without_a_layer_is_refused_with_advice(tmp_path):
    folder = folder_with(tmp_path / "bands")
    with pytest.raises(OptionError, match="clouds='auto': found no cloud layer in") as raised:
        open_raster(folder, bands="s2-l2a", clouds="auto")
    assert raised.value.advice == (("clouds", "mask.tif"),)
    assert all(name in raised.value.expected for name in ("scl", "qa", "fmask"))
    assert "auto" not in raised.value.expected


def test_auto_is_among_the_options():
    assert cloud_options()[0] == "auto"
    assert {"scl", "qa", "fmask"} < set(cloud_options())


def test_clouds_of_other_pixels_need_a_place(tmp_path):
    image = write(tmp_path / "a.tif", land(64, 64), names=NAMES)
    cloudy = np.ones((1, 32, 32), np.uint8)
    write(tmp_path / "nowhere.tif", cloudy, crs=None)
    for without, clouds in (
        (image, "nowhere.tif"),
        (write(tmp_path / "b.tif", land(64, 64), names=NAMES, crs=None), "m.tif"),
    ):
        write(tmp_path / "m.tif", cloudy)
        with pytest.raises(OptionError, match="no georeference"):
            open_raster(without, clouds=tmp_path / clouds)
    write(tmp_path / "same.tif", np.ones((1, 64, 64), np.uint8), crs=None, transform=None)
    with pytest.raises(OptionError, match="no georeference"):
        open_raster(image, clouds=tmp_path / "same.tif")
