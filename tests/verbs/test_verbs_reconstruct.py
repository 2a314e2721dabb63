"""A scene rebuilt, through the command line."""

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, land, listing, write
from PIL import Image
from rio_cogeo.cogeo import cog_validate

from spectralgpt import reconstruct

MODEL_NAMES = tuple(name for name in NAMES if name != "B10")
TAKEN = [NAMES.index(name) for name in MODEL_NAMES]


def opened(path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_input_where_visible_prediction_where_hidden(scene, weights, tmp_path, spectralgpt):
    target = tmp_path / "out.tif"
    ended = spectralgpt("reconstruct", scene, target, "--hide", "B12,B11", "--weights", weights, "--json")
    assert ended.code == 0, ended.err
    told = ended.json
    assert list(told["error"]) == ["B12", "B11", "B9"], "named bands first, then the rest of their group"
    before, after = opened(scene)[TAKEN], opened(target)
    with rasterio.open(scene) as source, rasterio.open(target) as result:
        assert result.descriptions == MODEL_NAMES
        assert (result.dtypes[0], result.nodata) == ("uint16", 0)
        assert (result.crs, result.transform, result.shape) == (source.crs, source.transform, source.shape)
        assert set(result.scales) == {1e-4}
        assert result.tags()["ACQUISITION_DATE"] == "2020-05-01"
    assert cog_validate(target, strict=True)[0]
    np.testing.assert_array_equal(after[:9], before[:9])
    hole = (before == 0).all(axis=0)
    assert (after[:, hole] == 0).all()
    assert (after[:, ~hole] > 0).all(), "a prediction is never taken for nodata"
    for row, name in ((11, "B12"), (10, "B11"), (9, "B9")):
        error = (after[row].astype(float) - before[row])[~hole] * 1e-4
        # blending happens in floats, the file holds whole numbers
        assert told["error"][name] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-3, abs=5e-5)
        assert told["spread"][name] == pytest.approx(before[row][~hole].std() * 1e-4, rel=1e-3)
        assert not np.array_equal(after[row], before[row])
    with Image.open(told["figure"]) as figure:
        assert figure.size[0] > 1000


def test_a_share_hides_the_same_places_whatever_the_windows(scene, weights, tmp_path):
    hidden = {}
    for overlap in (0.0, 0.5):
        result = reconstruct(scene, tmp_path / "out.tif", hide=0.6, weights=weights, overlap=overlap, seed=3)
        assert result.hidden == pytest.approx(0.6, abs=0.05)
        changed = opened(tmp_path / "out.tif") != opened(scene)[TAKEN]
        # a token of 8 x 8 pixels whose three bands come back unchanged was visible
        hidden[overlap] = changed[:, :200, :136].reshape(4, 3, 25, 8, 17, 8).any(axis=(1, 3, 5))
    np.testing.assert_array_equal(hidden[0.0], hidden[0.5])
    reconstruct(scene, tmp_path / "other.tif", hide=0.6, weights=weights, seed=4)
    assert not np.array_equal(opened(tmp_path / "other.tif"), opened(tmp_path / "out.tif"))


def test_a_date_of_three(weights, tmp_path):
    days = ("2019-11-03", "2020-05-01", "2020-07-01")
    paths = [write(tmp_path / f"{day}.tif", land(48, 40, i), names=NAMES) for i, day in enumerate(days)]
    reconstruct(paths[::-1], tmp_path / "out.tif", hide="2020-05-01", weights=weights)
    after = opened(tmp_path / "out.tif").reshape(3, 12, 48, 40)
    for date, path in enumerate(paths):
        same = np.array_equal(after[date], opened(path)[TAKEN])
        assert same is (date != 1)
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.descriptions[0] == "B1, 2019-11-03"


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
def test_other_number_types(dtype, weights, tmp_path):
    values = land(40, 40) / (1e4 if dtype == "float32" else 100 if dtype == "uint8" else 1)
    how = {"scales": (0.01,) * 13, "offsets": (-0.1,) * 13} if dtype == "uint8" else {}
    path = write(tmp_path / "in.tif", values.astype(dtype), names=NAMES, **how)
    reconstruct(path, tmp_path / "out.tif", hide=0.5, weights=weights)
    before, after = opened(path)[TAKEN], opened(tmp_path / "out.tif")
    assert after.dtype == dtype
    assert 0.2 < (before == after).mean() < 0.9
    if dtype == "uint8":
        with rasterio.open(tmp_path / "out.tif") as dataset:
            assert set(dataset.scales) == {0.01}
            assert set(dataset.offsets) == {-0.1}


def test_averaged_bands_become_reflectance(weights, tmp_path, monkeypatch):
    """Two bands in one of the model's: there is no stored value of the average."""
    from dataclasses import replace

    import spectralgpt.raster.raster as raster_room
    from spectralgpt import open_raster

    path = write(tmp_path / "in.tif", land(40, 40), names=NAMES)
    plain = open_raster(path)
    near = replace(plain.bands[4], wavelength=plain.bands[3].wavelength + 2)
    layers = tuple(replace(layer, band=near if i == 4 else layer.band) for i, layer in enumerate(plain.layers[0]))
    monkeypatch.setattr("spectralgpt.products.open_raster", lambda *_, **__: replace(plain, layers=(layers,)))
    assert raster_room.Raster is type(plain)
    reconstruct(path, tmp_path / "out.tif", hide="B11", weights=weights)
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.dtypes[0] == "float32"
        assert np.isnan(dataset.nodata)
        assert dataset.descriptions[:4] == ("B1", "B2", "B3", "B4")
        red = dataset.read(4)
    values = opened(path) * 1e-4
    assert (red >= np.minimum(values[3], values[4]) - 1e-6).all()
    assert (red <= np.maximum(values[3], values[4]) + 1e-6).all()


@pytest.mark.parametrize("hide", ["B42", "B10", "2021-01-01", "1.5", "0", ""])
def test_what_cannot_be_hidden_is_refused(hide, scene, weights, tmp_path, spectralgpt):
    before = listing(tmp_path)
    ended = spectralgpt("reconstruct", scene, tmp_path / "out.tif", "--hide", hide, "--weights", weights)
    assert ended.code == 2
    assert "--hide" in ended.err
    assert "Traceback" not in ended.err
    assert listing(tmp_path) == before


def test_zeros_beside_a_mask_stay_values(weights, tmp_path):
    """Without a declared nodata the result takes a number that no valid pixel has."""
    values = land(40, 40)
    values[:, 5:9, 5:9] = 0
    mask = np.ones((40, 40), bool)
    mask[20:30, 20:30] = False
    path = write(tmp_path / "in.tif", values, names=NAMES, mask=mask)
    reconstruct(path, tmp_path / "out.tif", hide="B11", weights=weights)
    with rasterio.open(tmp_path / "out.tif") as dataset:
        after, nodata = dataset.read(), dataset.nodata
    np.testing.assert_array_equal((after == nodata).all(axis=0), ~mask)
    np.testing.assert_array_equal((after == nodata).any(axis=0), ~mask)
    assert (after[0, 5:9, 5:9] == 0).all()


def test_all_or_nothing_hidden_is_said(weights, tmp_path):
    path = write(tmp_path / "in.tif", land(40, 40), names=NAMES)
    assert "everything" in reconstruct(path, tmp_path / "o.tif", hide="B1,B4,B7,B9", weights=weights).warnings[-1]
    assert "nothing" in reconstruct(path, tmp_path / "o.tif", hide="0.000001", weights=weights).warnings[-1]
