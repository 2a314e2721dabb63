"""Hand-made numbers beside a model's features: judged with each alone, kept with the probe, written into tables."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from made_rasters import NAMES, land, listing, write
from real_rasters import IMAGES

import spectralgpt as package
from made_labelled import QUICK, class_folders, masked, metrics, pairs, refused, rows_of, scores, table
from spectralgpt import open_raster
from spectralgpt.errors import OptionError
from spectralgpt.features import EncoderImages
from spectralgpt.features.baselines import HandmadeImages

HANDMADE = "percentiles, gradients and band differences"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return class_folders(tmp_path_factory.mktemp("labelled") / "land", {"water": 6, "forest": 5, "town": 4})


# -- judged ------------------------------------------------------------------------------------------------------------


def test_both_and_each_alone_are_judged(folder, weights, tmp_path, spectralgpt):
    command = ("probe", folder, "--weights", weights, *QUICK, "--json")
    ended = spectralgpt(*command, "--beside", "handmade", "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    both, model, same, trees = ended.json["methods"]
    assert both["features"] == f"{model['features']} and hand-made features"
    assert [each["features"] for each in (same, trees)] == [HANDMADE] * 2
    assert [each["method"] for each in (both, model, same, trees)] == ["ridge", "ridge", "ridge", "trees"]
    for each in (model, same, trees):
        assert each["difference"] == pytest.approx(both["value"] - each["value"])
        assert each["difference_low"] <= each["difference"] <= each["difference_high"]
    alone = spectralgpt(*command, "--baselines").json["methods"]
    assert [model["value"], trees["value"]] == [alone[0]["value"], alone[-1]["value"]]
    assert len(alone) == 5
    everything = spectralgpt(*command, "--baselines", "--beside", "handmade").json["methods"]
    assert [each["value"] for each in everything[:3]] == [both["value"], model["value"], same["value"]]
    assert [each["value"] for each in everything[3:]] == [each["value"] for each in alone[1:]]
    kept = metrics(tmp_path / "out")
    assert kept["beside"] == "handmade"
    assert kept["facts"]["Features"] == both["features"]
    assert "share" in kept["probe"]["settings"]
    assert both["features"] in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize("method", ["knn", "logistic", "ridge", "trees", "auto"])
def test_a_kept_probe_scores_what_it_scored(weights, tmp_path, method, spectralgpt):
    """The test part is judged by the same numbers: those of the model, and those beside them."""
    rows = rows_of(tmp_path, 12)
    rows[-1]["label"], rows[-2]["label"] = rows[-2]["label"], rows[-1]["label"]
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
    labels = table(tmp_path / "labels.csv", [{**row, "split": part} for row, part in zip(rows, splits, strict=True)])
    kept = tmp_path / "probe"
    found = package.probe(labels, weights=weights, method=method, beside="handmade", out=kept)
    assert json.loads((kept / "probe.json").read_text())["beside"] == "handmade"
    ended = spectralgpt("evaluate", labels, "--weights", kept, "--json")
    assert scores(ended) == dict(found.scores)
    assert ended.json["name"].endswith(" and hand-made features")
    probe = package.Probe.load(kept)
    with open_raster(tmp_path / "9.tif") as raster:
        pixels = [raster.read()]
    maker = probe.image_maker()
    both = np.concatenate([maker.of(pixels), HandmadeImages().of(pixels)], axis=1)
    np.testing.assert_array_equal(probe.probabilities(pixels[0]), probe.fitted.probabilities(both)[0])


def test_several_labels(weights, tmp_path, spectralgpt):
    rows = rows_of(tmp_path, 10)
    several = [{"image": row["image"], "labels": row["label"] + ";land" * (at % 3 > 0)} for at, row in enumerate(rows)]
    labels = table(tmp_path / "labels.csv", several)
    ended = spectralgpt("probe", labels, "--weights", weights, *QUICK, "--beside", "handmade", "--json", "--shots", "2")
    assert ended.code == 0, ended.err
    assert ended.json["target"] == "classes"
    assert len(ended.json["methods"]) == 4
    assert list(ended.json["curve"]) == ["ridge"]


def test_features_that_were_made_before_are_used(folder, weights, tmp_path, monkeypatch, spectralgpt):
    """The cache keeps each maker's vectors under a key of their own."""
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))
    command = ("probe", folder, "--weights", weights, *QUICK, "--json")
    assert spectralgpt(*command).code == 0
    monkeypatch.setattr(EncoderImages, "of", lambda *_: pytest.fail("made again"))
    assert spectralgpt(*command, "--beside", "handmade").code == 0
    monkeypatch.setattr(HandmadeImages, "of", lambda *_: pytest.fail("made again"))
    assert spectralgpt(*command, "--beside", "handmade").code == 0
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) == 2 * 15


@pytest.mark.parametrize("made", [masked, pairs])
def test_labels_of_pixels_are_refused(made, weights, tmp_path, spectralgpt):
    data = made(tmp_path / "data")
    words = ("--beside handmade", "labels of pixels", "labels of whole images", "--baselines")
    refused(spectralgpt, tmp_path, words, "probe", data, "--weights", weights, "--beside", "handmade")


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def scenes(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "scenes").mkdir()
    for index in range(3):
        write(tmp_path / "scenes" / f"{index}.tif", land(32 + 8 * (index == 1), 32, index), names=NAMES)
    return tmp_path / "scenes"


def test_a_table_has_a_column_of_that_name(scenes, tmp_path, weights):
    plain, both, text = (tmp_path / name for name in ("plain.parquet", "both.parquet", "both.csv"))
    package.embed(scenes, plain, weights=weights)
    result = package.embed(scenes, both, weights=weights, beside="handmade")
    package.embed(scenes, text, weights=weights, beside="handmade")
    assert (result.values, result.beside) == (48, {"handmade": 227})
    assert "3 images, 48 values each, 227 of handmade" in str(result)
    found = pq.read_table(both)
    assert found.drop_columns("handmade").equals(pq.read_table(plain))
    numbers = np.array(found["handmade"].to_pylist(), np.float32)
    for path, row in zip(found["path"].to_pylist(), numbers, strict=True):
        with open_raster(path) as raster:
            np.testing.assert_array_equal(row, HandmadeImages().of([raster.read()])[0])
    with open(text, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[6 + 47 : 6 + 49] == ["e47", "handmade0"]
    read = np.array([[row[f"handmade{index}"] for index in range(227)] for row in rows], np.float32)
    np.testing.assert_array_equal(read, numbers)
    for path in (both, text):
        about = package.inspect(path)
        assert (about.values, about.beside) == (48, {"handmade": 227})
        assert "beside     handmade, 227 values each" in str(about)
        package.embed(scenes, path, weights=weights)  # its own result is replaced
        assert package.inspect(path).beside == {}


def test_real_images_of_one_kind(tmp_path, monkeypatch):
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))
    target = tmp_path / "out.parquet"
    package.embed(IMAGES / "eurosat_ms", target, weights="untrained", bands="eurosat", beside="handmade")
    found = np.array(pq.read_table(target)["handmade"].to_pylist())
    assert found.shape == (2, 227)
    assert np.isfinite(found).all()


def test_an_image_with_other_bands_is_left_out_and_said(scenes, tmp_path, weights):
    fewer = write(tmp_path / "scenes" / "3.tif", land(32, 32, 5)[:-2], names=NAMES[:-2])
    target = tmp_path / "out.csv"
    assert package.embed(scenes, target, weights=weights).images == 4
    result = package.embed(scenes, target, weights=weights, beside="handmade")
    assert result.images == 3
    (left,) = result.failed
    assert left.path == str(fewer)
    assert "values of handmade; expected 227, as the first image has" in left.reason


def test_a_map_is_refused(scenes, tmp_path, weights, spectralgpt):
    before = listing(tmp_path)
    ended = spectralgpt("embed", scenes / "0.tif", tmp_path / "out.tif", "--weights", weights, "--beside", "handmade")
    assert (ended.code, ended.out) == (2, "")
    assert "--beside handmade: found a map as the target" in ended.err
    assert "expected a table (.parquet, .csv)" in ended.err
    assert listing(tmp_path) == before
    with pytest.raises(OptionError, match=r"^beside="):
        package.embed(scenes / "0.tif", tmp_path / "out.tif", weights=weights, beside="handmade")
