"""Answers for an image in memory are those of its map, to the last bit."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch

from spectralgpt.bands import BandSet, sensor
from spectralgpt.checks import check
from spectralgpt.errors import BandError
from spectralgpt.nn import BandStatistics, DenseConfig, ModelConfig, Normalization, Size
from spectralgpt.products import open_raster
from spectralgpt.raster import OneDate, Raster, Window
from spectralgpt.scenes import embed_scene, map_scene, tiled
from spectralgpt.tasks import ChangeConfig, Class, ClassMap, Embeddings
from spectralgpt.weights import ChangeDetector, Segmenter, SpectralGPT

CONFIG = ModelConfig(Size(48, 2, 4, 32, 1, 4), BandSet.native(sensor("spectralgpt-12").bands))
UNITS = Normalization("standard", tuple(BandStatistics(band, 2.0, 1.0) for band in sensor("s2-l1c").bands))
SMALL = {"widths": (64, 64, 64, 64), "levels": (16, 32, 48), "channels": 32}


@pytest.fixture(scope="module")
def scene(demo_scene) -> Raster:
    """A part of the demo's scene, larger than a window and no multiple of a patch."""
    with open_raster(demo_scene, bands="s2-l1c") as raster:
        yield replace(raster, grid=raster.grid.window(Window(60, 108, 204, 180)))


def model_of(normalization: Normalization) -> SpectralGPT:
    torch.manual_seed(0)
    return SpectralGPT(CONFIG, normalization).eval()


@pytest.mark.parametrize("units", [UNITS, replace(UNITS, kind="min_max")], ids=["standard", "min_max"])
def test_embeddings_are_those_of_the_written_map(scene, units, tmp_path):
    model = model_of(units)
    embed_scene(scene, model, tmp_path / "e.tif", verdict=check(scene), overlap=0.4, batch=3)
    values, valid = tiled(scene, model, Embeddings.of(model), overlap=0.4, batch=3)
    with rasterio.open(tmp_path / "e.tif") as dataset:
        written = dataset.read()
    assert values.shape == written.shape
    assert np.array_equal(np.where(valid, values, np.nan), written, equal_nan=True)
    in_memory, _ = tiled(scene.read(), model, Embeddings.of(model), overlap=0.4, batch=3)
    assert np.array_equal(in_memory, values)
    other, _ = tiled(scene, model, Embeddings.of(model), overlap=0.0)
    assert not np.array_equal(other, values), "the overlap matters"


def test_one_date_of_two_is_that_date_alone(scene):
    model, pixels = model_of(UNITS), scene.read(Window(0, 0, 150, 60))
    other = replace(pixels, values=pixels.values[..., ::-1, ::-1])
    both = replace(pixels, values=np.concatenate([pixels.values, other.values]), days=np.array([9, 40], np.int32))
    for date, alone in enumerate((replace(pixels, days=both.days[:1]), replace(other, days=both.days[1:]))):
        one = OneDate(both, date)
        assert one.shape == alone.shape
        found, expected = (tiled(image, model, Embeddings.of(model))[0] for image in (one, alone))
        assert np.array_equal(found, expected)


def test_bands_that_the_model_does_not_know_are_refused(scene):
    model = model_of(UNITS)
    unknown = tuple(replace(band, wavelength=3000.0 + index) for index, band in enumerate(scene.bands))
    with pytest.raises(BandError, match="none of which the model recognizes"):
        tiled(replace(scene.read(), bands=unknown), model, Embeddings.of(model))


# -- maps of classes ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    classes = (Class("water", "#0000ff"), Class("land", "#00ff00"), Class("snow"))
    return Segmenter(CONFIG, DenseConfig(3, **SMALL), UNITS, classes=classes).eval()


def test_a_class_map_is_the_most_likely_class(scene, segmenter, tmp_path):
    answers = segmenter.task.answers(segmenter)
    map_scene(scene, segmenter, answers, tmp_path / "c.tif", verdict=check(scene), verb={"verb": "map"})
    with rasterio.open(tmp_path / "c.tif") as dataset:
        written = dataset.read(1)
        assert (dataset.dtypes, dataset.nodata) == (("uint8",), 255)
        assert "water" in dataset.tags()["SPECTRALGPT_CLASSES"]
    logits, valid = tiled(scene, segmenter, answers)
    assert logits.shape == (3, *scene.grid.shape)
    assert np.array_equal(written, np.where(valid[0], logits.argmax(axis=0), 255))
    assert len(np.unique(written)) > 1


def test_a_change_map_takes_two_dates(scene):
    torch.manual_seed(0)
    model = ChangeDetector(CONFIG, ChangeConfig(**SMALL), UNITS).eval()
    pixels = scene.read(Window(0, 0, 72, 61))
    valid = np.ones((2, *pixels.shape[1:]), bool)
    valid[1, :, 40:50, 8:20] = False
    values = np.concatenate([pixels.values, pixels.values[..., ::-1]])
    both = replace(pixels, values=values, valid=valid, days=np.array([9, 40], np.int32))
    answers = model.task.answers(model)
    assert [each.name for each in answers.classes] == ["class 0", "class 1"]
    logits, known = tiled(both, model, answers, precision="fp32")
    assert np.array_equal(known[0], valid.any(axis=1).all(axis=0))
    with torch.inference_mode():
        whole = model(model.cube(both))[0].numpy()
    assert np.allclose(logits[:, known[0]], whole[:, known[0]], atol=1e-5)


def test_more_classes_than_bytes_hold():
    few, many = (ClassMap(tuple(Class(f"c{index}") for index in range(count))) for count in (255, 256))
    assert (few.dtype, few.nodata) == (np.uint8, 255)
    assert (many.dtype, many.nodata) == (np.uint16, 65535)
    values, valid = np.zeros((256, 1, 2)), np.ones((256, 1, 2), bool)
    values[255, 0, 0], valid[:, 0, 1] = 1, False
    assert many.stored(values, valid).tolist() == [[[255, 65535]]]
