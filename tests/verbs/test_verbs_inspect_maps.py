"""Our own results as sources: what `inspect` says of maps, which verbs refuse them, and which results open again."""

import json

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, land, write

from spectralgpt import inspect, open_raster
from spectralgpt.errors import OptionError, RasterError
from spectralgpt.verbs._inspected_map import InspectedMap
from spectralgpt.version import RULES


@pytest.fixture(scope="module")
def two_dates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    days = ("2019-01-05", "2020-05-01")
    return [write(folder / f"{day}.tif", land(56, 61, seed), names=NAMES) for seed, day in enumerate(days)]


@pytest.mark.parametrize(
    ("options", "values", "says"),
    [
        ((), 48, "embeddings, 48 values per place"),
        (("--dtype", "int8"), 48, "stored     int8, nodata -128"),
        (("--per", "date"), 96, "(96 values: one vector per date, stacked)"),
    ],
)
def test_a_map_of_embeddings_says_what_it_is(two_dates, weights, tmp_path, spectralgpt, options, values, says):
    made = spectralgpt("embed", *two_dates, tmp_path / "out.tif", "--weights", weights, *options, "--json")
    assert made.code == 0, made.err
    ended = spectralgpt("inspect", tmp_path / "out.tif", "--json")
    assert ended.code == 0, ended.err
    found = ended.json
    assert (found["kind"], found["weights"], found["rules"]) == ("embeddings", made.json["fingerprint"], RULES)
    assert (found["places"], found["values"]) == ([7, 8], values)
    assert found["dates"] == ["2019-01-05", "2020-05-01"]
    assert found["gsd"] == pytest.approx(80, rel=1e-3)
    assert found["valid"] == 1
    text = spectralgpt("inspect", tmp_path / "out.tif").out
    assert says in text
    assert "similarity search, clustering and classifiers" in text
    assert "7 x 8 places" in text


@pytest.mark.parametrize("verb", ["embed", "reconstruct"])
def test_a_map_is_no_scene(two_dates, weights, tmp_path, spectralgpt, verb):
    assert spectralgpt("embed", two_dates[0], tmp_path / "out.tif", "--weights", weights).code == 0
    ended = spectralgpt(verb, tmp_path / "out.tif", tmp_path / "again.tif", "--weights", weights)
    assert ended.code == 2
    assert "out.tif: found a map of embeddings (48 values per place), made by the weights" in ended.err
    assert not (tmp_path / "again.tif").exists()


def marked(path, values, **tags):
    """A map with the tags of a verb."""
    tags = {"SPECTRALGPT_WEIGHTS": "ab" * 32, "SPECTRALGPT_PARAMETERS": json.dumps({"verb": "predict"})} | tags
    return write(path, values, tags=tags)


def test_a_map_of_classes(tmp_path):
    values = np.array([[[0, 0, 1, 1], [0, 0, 1, 255]]], "uint8")
    classes = json.dumps([{"name": "water", "colour": "#0000ff"}, {"name": "land", "colour": None}])
    path = marked(tmp_path / "c.tif", values, SPECTRALGPT_CLASSES=classes, SPECTRALGPT_RULES="1")
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = 255
    found = inspect(path)
    assert isinstance(found, InspectedMap)
    assert found.classes == pytest.approx({"water": 4 / 7, "land": 3 / 7})
    assert (found.valid, found.rules, found.places) == (7 / 8, 1, (2, 4))
    assert f"by rules {RULES}, which do not compare" in str(found)
    with pytest.raises(RasterError, match="found a map of 2 classes"):
        open_raster(path)
    with pytest.raises(OptionError, match="picture="):
        inspect(path, picture=tmp_path / "p.png")


@pytest.mark.parametrize(
    "tags",
    [
        {"SPECTRALGPT_PARAMETERS": "{"},
        {"SPECTRALGPT_PARAMETERS": json.dumps({"verb": "reconstruct"})},
        {"SPECTRALGPT_CLASSES": "[]"},
    ],
)
def test_other_tags_make_no_map(tmp_path, tags):
    path = write(tmp_path / "a.tif", land(20, 20), names=NAMES, tags={"SPECTRALGPT_WEIGHTS": "ab"} | tags)
    with open_raster(path) as raster:
        assert raster.shape == (1, 13, 20, 20)


@pytest.mark.parametrize("dates", [1, 2])
def test_rebuilt_scenes_open_again(two_dates, weights, tmp_path, spectralgpt, dates):
    target = tmp_path / "rebuilt.tif"
    made = spectralgpt("reconstruct", *two_dates[:dates], target, "--weights", weights, "--hide", "0.5")
    assert made.code == 0, made.err
    found = spectralgpt("inspect", target, "--json")
    assert found.code == 0, found.err
    assert found.json["dates"] == ["2019-01-05", "2020-05-01"][:dates]
    assert len(found.json["bands"]) == 12
    again = spectralgpt("embed", target, tmp_path / "vectors.tif", "--weights", weights, "--json")
    assert again.code == 0, again.err
    with rasterio.open(target) as file, open_raster(target) as raster:
        read = raster.read()
        assert np.array_equal(read.values.reshape(12 * dates, 56, 61), file.read())


def test_counted_dates_go_through_the_verbs(weights, tmp_path, spectralgpt):
    names = [f"B{number:02}_{date}" for number in (2, 3, 4, 8) for date in (1, 2, 3)]
    path = write(tmp_path / "stack.tif", land(40, 40, bands=12), names=names)
    target = tmp_path / "rebuilt.tif"
    made = spectralgpt("reconstruct", path, target, "--weights", weights, "--bands", "s2-l1c", "--hide", "0.5")
    assert made.code == 0, made.err
    with open_raster(target) as raster:
        assert raster.shape[:2] == (3, 4)
        assert raster.dates == ("", "", "")
