"""Answers that are not finite are an error of every verb, never a number in a result.

The weights here are finite, so they are read; what they compute overflows.
"""

import numpy as np
import pytest
import rasterio
import torch
from made_rasters import NAMES, land, listing, write

from made_finetuning import water_masks
from made_headed_weights import headed_weights
from made_labelled import picture
from spectralgpt import embed, open_raster
from spectralgpt.weights import open_weights

ODD = "NaN or infinite"


@pytest.fixture(scope="module")
def overflowing(weights, tmp_path_factory):
    """A folder of weights per kind of answer, whose last block answers with what float32 cannot hold."""
    folder = headed_weights(weights, tmp_path_factory.mktemp("odd"))
    open_weights(weights).save_pretrained(folder / "pretraining")
    for each in folder.iterdir():
        model = open_weights(each)
        with torch.no_grad():
            model.encoder.blocks[-1].mlp.fc2.weight[:] = 3e38
            model.encoder.blocks[-1].mlp.fc1.weight[:] = 3e38
        model.save_pretrained(each)
    return folder


@pytest.fixture
def pair(tmp_path):
    for number, seed in enumerate((0, 1), 1):
        write(tmp_path / f"scene_2020-05-0{number}.tif", land(64, 72, seed), names=NAMES)
    return [tmp_path / f"scene_2020-05-0{number}.tif" for number in (1, 2)]


@pytest.mark.parametrize(
    ("verb", "kind", "options"),
    [
        ("embed", "pretraining", []),
        ("embed", "pretraining", ["--dtype", "int8"]),
        ("embed", "pretraining", ["--dtype", "int8", "--scale", "file"]),
        ("embed", "pretraining", ["--per", "group"]),
        ("reconstruct", "pretraining", []),
        ("reconstruct", "pretraining", ["--hide", "B11"]),
        ("predict", "class", ["--side", "32"]),
        ("predict", "classes", ["--side", "32"]),
        ("predict", "mask", ["--probabilities", "--entropy", "--polygons"]),
        ("change", "change", []),
        ("change", "pretraining", []),
    ],
)
def test_a_scene(overflowing, pair, tmp_path, spectralgpt, verb, kind, options):
    before = listing(tmp_path)
    sources = pair if verb == "change" else pair[:1]
    ended = spectralgpt(verb, *sources, tmp_path / "map.tif", "--weights", overflowing / kind, *options)
    assert ended.code == 2, ended.err
    assert ODD in ended.err
    assert "Traceback" not in ended.err
    assert listing(tmp_path) == before


def test_a_table_of_images(overflowing, pair, tmp_path, spectralgpt):
    folder = tmp_path / "images"
    folder.mkdir()
    for each in pair:
        each.rename(folder / each.name)
    ended = spectralgpt("embed", folder, tmp_path / "vectors.parquet", "--weights", overflowing / "pretraining")
    assert ended.code == 2, ended.err
    assert ODD in ended.err
    assert listing(tmp_path) == ["images", *(f"images/{each.name}" for each in pair)]


@pytest.mark.parametrize(("verb", "kind"), [("probe", "pretraining"), ("evaluate", "unnamed"), ("evaluate", "class")])
def test_labelled_images(overflowing, tmp_path, spectralgpt, verb, kind):
    asked = ["--bands", "s2-l1c", "--weights", overflowing / kind, "--out", tmp_path / "out"]
    if kind == "class":
        named = ("forest", "water", "bare soil")
        for number in range(6):
            (tmp_path / "data" / named[number % 3]).mkdir(parents=True, exist_ok=True)
            picture(tmp_path / "data" / named[number % 3] / f"{number}.tif", number % 2, number)
        data = tmp_path / "data"
    else:
        data = water_masks(tmp_path / "data", count=4)
    ended = spectralgpt(verb, data, *asked)
    assert ended.code == 2, ended.err
    assert "finite" in ended.err, ended.err


@pytest.mark.parametrize("kind", ["class", "classes", "mask", "change"])
def test_classes_in_python(overflowing, pair, kind):
    """-1, or no label: what has no answer must not become a class."""
    model = open_weights(overflowing / kind)
    with open_raster(pair if kind == "change" else pair[:1]) as raster:
        prediction = model.predict(model.cube(raster.read()))
    assert not prediction.logits.isfinite().any()
    found = np.unique(prediction.classes.numpy())
    assert found.tolist() == ([False] if kind == "classes" else [-1])


def test_a_value_that_is_always_zero_has_a_code(weights, pair, tmp_path):
    """Its scale is 0, and 0 / 0 would be nodata in places that are valid."""
    model = open_weights(weights)
    with torch.no_grad():
        model.encoder.norm.weight[3] = model.encoder.norm.bias[3] = 0
    model.save_pretrained(tmp_path / "w")
    embed(pair[0], tmp_path / "map.tif", weights=tmp_path / "w", dtype="int8")
    with rasterio.open(tmp_path / "map.tif") as dataset:
        codes = dataset.read()
    assert not codes[3].any()
    assert (codes != -128).all()
