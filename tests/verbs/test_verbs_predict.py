"""A scene into a map of classes per pixel: by weights with a head on pixels, and by a probe of pixels."""

import json
import sqlite3
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, PLACE, land, listing, write
from PIL import Image
from rio_cogeo.cogeo import cog_validate

from made_finetuning import water_masks
from made_headed_weights import headed_weights
from made_labelled import QUICK, pairs
from spectralgpt import open_raster, predict
from spectralgpt.features import PixelProbabilities, Probe
from spectralgpt.weights import Segmenter


@pytest.fixture(scope="module")
def headed(weights, tmp_path_factory):
    return headed_weights(weights, tmp_path_factory.mktemp("headed"))


@pytest.fixture(scope="module")
def water_probe(weights, tmp_path_factory):
    """A probe of masks of water, which is dark in the infrared."""
    from spectralgpt import probe

    folder = tmp_path_factory.mktemp("water")
    images = water_masks(folder / "data", count=6)
    probe(images, weights=weights, bands="s2-l1c", method="ridge", repeats=1, folds=2, out=folder / "probe")
    return folder / "probe"


def read(path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


def test_the_map_is_the_answer_of_the_weights(scene, headed, tmp_path, spectralgpt):
    target = tmp_path / "map.tif"
    ended = spectralgpt("predict", scene, target, "--weights", headed / "mask", "--precision", "fp32", "--json")
    assert ended.code == 0, ended.err
    with open_raster(scene) as raster:
        likely, known = PixelProbabilities(Segmenter.from_pretrained(headed / "mask"), precision="fp32").of(raster)
    wanted = np.where(known, likely.argmax(axis=-1), 255)
    assert len(np.unique(wanted)) > 2
    with rasterio.open(scene) as before, rasterio.open(target) as after:
        np.testing.assert_array_equal(after.read(1), wanted)
        assert (after.crs, after.transform, after.shape) == (before.crs, before.transform, before.shape)
        assert (after.dtypes, after.nodata, after.descriptions) == (("uint8",), 255, ("class",))
        colours, tags = after.colormap(1), after.tags()
    assert colours[0] == (0x11, 0x66, 0x11, 255)
    assert colours[1] == (0x11, 0x33, 0xEE, 255)
    classes = json.loads(tags["SPECTRALGPT_CLASSES"])
    assert [each["name"] for each in classes] == ["forest", "water", "bare soil"]
    assert tuple(bytes.fromhex(classes[2]["colour"][1:])) == colours[2][:3]
    assert tags["SPECTRALGPT_WEIGHTS"] == ended.json["fingerprint"]
    categories = ElementTree.parse(f"{target}.aux.xml").iter("Category")
    assert [each.text for each in categories] == ["forest", "water", "bare soil"]
    assert cog_validate(target, strict=True)[0]
    assert (ended.json["rows"], ended.json["columns"], ended.json["side"]) == (200, 136, None)
    assert sum(each["pixels"] for each in ended.json["classes"]) == ended.json["valid"] == known.sum()
    assert sum(each["area"] for each in ended.json["classes"]) == pytest.approx(ended.json["area"])
    assert ended.json["area"] == pytest.approx(100 * known.sum())
    assert listing(tmp_path) == ["map.png", "map.tif", "map.tif.aux.xml", scene.name]
    with Image.open(ended.json["picture"]) as picture:
        assert picture.info["SPECTRALGPT_VERB"] == "predict"


def test_colours_and_names_survive_in_overviews(headed, tmp_path):
    path = write(tmp_path / "scene.tif", land(40, 1100), names=NAMES)
    predict(path, tmp_path / "map.tif", weights=headed / "mask")
    whole = read(tmp_path / "map.tif")[0]
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.overviews(1) == [2, 4]
        colours = dataset.colormap(1)
    for level, factor in enumerate((2, 4)):
        with rasterio.open(tmp_path / "map.tif", overview_level=level) as dataset:
            assert dataset.colormap(1) == colours
            assert "bare soil" in dataset.tags()["SPECTRALGPT_CLASSES"]
            found = dataset.read(1)
        assert found.shape == (40 // factor, 1100 // factor)
        assert set(np.unique(found)) <= set(np.unique(whole)), "nearest makes no class between two"
    assert cog_validate(tmp_path / "map.tif", strict=True)[0]


def asymmetric(path, rows: int = 90, columns: int = 170):
    """A scene with water in the shape of a flipped L, and where it is. Returns both."""
    wet = np.zeros((rows, columns), bool)
    wet[13:71, 21:40] = True
    wet[58:71, 21:131] = True
    rng = np.random.default_rng(5)
    values = rng.integers(1500, 2500, (13, rows, columns)).astype("uint16")
    values[7:, wet] //= 8
    return write(path, values, names=NAMES), wet


def test_a_probe_of_pixels_lies_on_the_scene_to_the_pixel(water_probe, tmp_path):
    """Over several windows; a map that is shifted or mirrored fits worse by far."""
    path, wet = asymmetric(tmp_path / "scene.tif")
    found = predict(path, tmp_path / "map.tif", weights=water_probe, bands="s2-l1c")
    written = read(tmp_path / "map.tif")[0]
    assert [each.name for each in found.classes] == ["class 0", "class 1"]
    wrong = (written != wet).sum()
    edge = (wet[1:] != wet[:-1]).sum() + (wet[:, 1:] != wet[:, :-1]).sum()
    assert wrong < edge / 4
    for other in (np.roll(wet, 1, 0), np.roll(wet, -1, 0), np.roll(wet, 1, 1), np.roll(wet, -1, 1)):
        assert (written != other).sum() > wrong + edge / 8
    assert (written != wet[::-1]).sum() > 5 * edge


@pytest.mark.parametrize("dates", [1, 2])
def test_a_probe_of_pixels_answers_as_it_does_about_an_image(dates, water_probe, tmp_path):
    """The same to the last bit of what is written, on a scene that is one window, with holes."""
    paths = []
    for date in range(dates):
        values = land(53, 61, date)
        values[7:, 10:30, 5:25] //= 8
        values[:, 40:45, 30:50] = 0
        if date:
            values[:, :8] = 0
        paths.append(write(tmp_path / f"2020-05-0{date + 1}.tif", values, names=NAMES, nodata=0))
    kept = Probe.load(water_probe)
    with open_raster(paths, bands="s2-l1c") as raster:
        image = raster.read()
        likely, answer = kept.probabilities(image), kept.predict(image)
    predict(paths, tmp_path / "map.tif", weights=water_probe, bands="s2-l1c", probabilities=True)
    np.testing.assert_array_equal(read(tmp_path / "map.tif")[0], np.where(answer < 0, 255, answer))
    percent = read(tmp_path / "map.probabilities.tif")
    known = answer >= 0
    assert known.sum() == 53 * 61 - 5 * 20
    assert np.abs(percent[:, known] - 100 * likely[known].T).max() < 1
    assert len(np.unique(answer)) == 3


def test_probabilities_and_entropy(scene, headed, tmp_path, spectralgpt):
    command = ("predict", scene, tmp_path / "map.tif", "--weights", headed / "mask", "--precision", "fp32")
    ended = spectralgpt(*command, "--probabilities", "--entropy", "--json")
    assert ended.code == 0, ended.err
    with open_raster(scene) as raster:
        likely, known = PixelProbabilities(Segmenter.from_pretrained(headed / "mask"), precision="fp32").of(raster)
    with rasterio.open(ended.json["probabilities"]) as dataset:
        percent = dataset.read().astype(int)
        assert dataset.descriptions == ("forest", "water", "bare soil")
        assert (dataset.dtypes[0], dataset.nodata) == ("uint8", 255)
        assert dataset.transform == PLACE
    assert (percent[:, ~known] == 255).all()
    assert (percent[:, known].sum(axis=0) == 100).all()
    assert np.abs(percent[:, known] - 100 * likely[known].T).max() < 1.001
    with rasterio.open(ended.json["entropy"]) as dataset:
        entropy = dataset.read(1).astype(int)
        assert dataset.nodata == 255
    expected = -(likely * np.log(np.maximum(likely, 1e-12))).sum(axis=-1) / np.log(3)
    assert np.abs(entropy - 100 * expected)[known].max() < 0.51
    assert (entropy[~known] == 255).all()
    for name in ("probabilities", "entropy"):
        assert cog_validate(ended.json[name], strict=True)[0]
    assert "probabilities in percent" in spectralgpt(*command, "--probabilities").out


def polygons_in(path) -> list[tuple]:
    with sqlite3.connect(path) as file:
        return list(file.execute("SELECT value, class, pixels, area FROM classes"))


def test_polygons_have_the_area_of_their_pixels(scene, headed, tmp_path, spectralgpt):
    command = ("predict", scene, tmp_path / "map.tif", "--weights", headed / "mask", "--polygons", "--json")
    ended = spectralgpt(*command)
    assert ended.code == 0, ended.err
    found = polygons_in(ended.json["polygons"])
    assert len(found) == ended.json["polygons_count"] > 5
    for each in ended.json["classes"]:
        mine = [row for row in found if row[0] == each["value"]]
        assert {row[1] for row in mine} <= {each["name"]}
        assert sum(row[2] for row in mine) == each["pixels"]
        assert sum(row[3] for row in mine) == pytest.approx(each["area"])
    with sqlite3.connect(ended.json["polygons"]) as file:
        ((crs,),) = file.execute("SELECT srs_id FROM gpkg_geometry_columns")
    assert crs == 32618
    least = sorted(row[3] for row in found)[len(found) // 2] + 1
    again = spectralgpt(*command, "--min-area", least)
    assert again.code == 0, again.err
    assert polygons_in(again.json["polygons"]) == [row for row in found if row[3] >= least]
    assert not list(tmp_path.glob(".*"))


def test_only_the_same_command_replaces_its_results(scene, headed, tmp_path, spectralgpt):
    command = ("predict", scene, tmp_path / "map.tif", "--weights", headed / "mask", "--polygons", "--entropy")
    assert spectralgpt(*command).code == 0
    assert spectralgpt(*command).code == 0
    for name in ("map.tif", "map.gpkg", "map.entropy.tif", "map.png"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(b"mine")
        ended = spectralgpt(*command)
        assert ended.code == 2, name
        assert f"{name}: exists, and is no result of spectralgpt" in ended.err
        assert (tmp_path / name).read_bytes() == b"mine"
        assert spectralgpt(*command, "--overwrite").code == 0
        if name != "map.png":
            assert (tmp_path / name).read_bytes() == whole


def test_weights_that_answer_nothing_about_classes(scene, headed, weights, water_probe, tmp_path, spectralgpt):
    changes = tmp_path / "changes"
    made = pairs(tmp_path / "pairs")
    fit = ("probe", made / "before", "--after", made / "after", "--masks", made / "masks", "--weights", weights)
    assert spectralgpt(*fit, *QUICK, "--out", changes).code == 0
    before = listing(tmp_path)
    for given, words in (
        (weights, "found weights for pretraining, which have no classes; expected weights for classification or segm"),
        (headed / "change", "found weights for change; expected weights for classification or segmentation"),
        (changes, "found a probe of changes; expected weights"),
    ):
        ended = spectralgpt("predict", scene, tmp_path / "map.tif", "--weights", given, "--polygons", "--entropy")
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err
        assert ("`change`" in ended.err) == (given != weights)
        assert listing(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--min-area", "100"),
            "found no polygons to be written. It leaves out small polygons; give",
        ),
        (("--polygons", "--min-area", "-1"), "expected square metres, 0 or more"),
        (("--side", "64"), "found answers about pixels, which are not given per square"),
    ],
)
def test_options_that_mean_nothing_here(options, words, scene, headed, tmp_path, spectralgpt):
    before = listing(tmp_path)
    ended = spectralgpt("predict", scene, tmp_path / "map.tif", "--weights", headed / "mask", *options)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert listing(tmp_path) == before


def test_a_target_that_cannot_be_written_leaves_nothing(scene, headed, tmp_path, spectralgpt):
    (tmp_path / "map.gpkg").mkdir()
    before = listing(tmp_path)
    for target, options in ((tmp_path / "map.tif", ("--polygons",)), (tmp_path / "none" / "map.tif", ())):
        ended = spectralgpt("predict", scene, target, "--weights", headed / "mask", *options)
        assert (ended.code, ended.out) == (2, "")
        assert listing(tmp_path) == before


def test_a_disk_that_refuses_polygons_leaves_nothing(scene, headed, tmp_path, spectralgpt, monkeypatch):
    """The last thing that is written before the rasters."""

    def full(*arguments):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("spectralgpt.raster.geopackage._add_tags", full)
    before = listing(tmp_path)
    ended = spectralgpt("predict", scene, tmp_path / "map.tif", "--weights", headed / "mask", "--polygons")
    assert (ended.code, ended.out) == (2, "")
    assert "cannot be written to (No space left on device)" in ended.err
    assert [name for name in listing(tmp_path) if ".partial" not in name] == before


def test_a_map_is_no_scene_and_inspect_says_what_it_is(scene, headed, tmp_path, spectralgpt):
    options = ("--weights", headed / "mask", "--probabilities", "--entropy")
    assert spectralgpt("predict", scene, tmp_path / "map.tif", *options).code == 0
    for name, kind in (
        ("map.tif", "classes"),
        ("map.probabilities.tif", "class probabilities"),
        ("map.entropy.tif", "entropies"),
    ):
        ended = spectralgpt("inspect", tmp_path / name, "--json")
        assert ended.json["kind"] == kind
        assert bool(ended.json["classes"]) == (kind == "classes")
        again = spectralgpt("predict", tmp_path / name, tmp_path / "again.tif", *options)
        assert again.code == 2
        assert f"{name}: found a map of" in again.err


def test_a_scene_without_a_place_has_counts_and_no_areas(headed, tmp_path):
    path = write(tmp_path / "scene.tif", land(40, 48), names=NAMES, crs=None, transform=rasterio.Affine.identity())
    found = predict(path, tmp_path / "map.tif", weights=headed / "unnamed", polygons=True, gsd=None)
    assert (found.area, found.gsd, found.valid) == (None, None, 40 * 48)
    assert [each.name for each in found.classes] == ["class 0", "class 1"]
    assert {row[3] for row in polygons_in(found.polygons)} == {None}
    assert sum(row[2] for row in polygons_in(found.polygons)) == 40 * 48


@pytest.mark.parametrize("which", ["probe", "mask"])
def test_each_scene_has_a_map(which, headed, water_probe, tmp_path, spectralgpt):
    (tmp_path / "in").mkdir()
    scenes = [write(tmp_path / "in" / f"{name}.tif", land(48, 40, seed), names=NAMES) for seed, name in enumerate("ab")]
    answers = water_probe if which == "probe" else headed / which
    given = ("predict", tmp_path / "in", tmp_path / "out", "--each", "--polygons", "--weights", answers, "--json")
    ended = spectralgpt(*given)
    assert ended.code == 0, ended.err
    assert [row["state"] for row in ended.json["rows"]] == ["done"] * 2
    predict(scenes[1], tmp_path / "alone.tif", weights=answers)
    np.testing.assert_array_equal(read(tmp_path / "out" / "b.tif"), read(tmp_path / "alone.tif"))
    assert {"a.gpkg", "b.gpkg", "predict.vrt"} <= set(listing(tmp_path / "out"))
    assert [row["state"] for row in spectralgpt(*given).json["rows"]] == ["skipped"] * 2


def test_without_weights_it_says_which_are_needed(scene, tmp_path, spectralgpt):
    ended = spectralgpt("predict", scene, tmp_path / "map.tif")
    assert ended.code == 2
    assert ended.err.startswith(
        "no weights are given; expected weights for classification or segmentation, or a folder"
    )
    assert "`demo`" not in ended.err, "its weights have no classes"


def test_a_probe_is_no_weights_of_other_verbs(scene, water_probe, tmp_path, spectralgpt):
    ended = spectralgpt("embed", scene, tmp_path / "map.tif", "--weights", water_probe)
    assert ended.code == 2
    assert "found what `probe` wrote; expected a folder of spectralgpt weights. Give the weights that" in ended.err


def test_leaving_clouds_out_is_no_other_reading(scene, water_probe, tmp_path):
    clouds = write(tmp_path / "clouds.tif", np.zeros((1, 200, 136), np.uint8))
    found = predict(scene, tmp_path / "map.tif", weights=water_probe, clouds=clouds, nodata=7)
    assert not any("read with other options" in warning for warning in found.warnings)


def test_weights_without_classes_are_refused_once_for_all_scenes(scene, weights, tmp_path, spectralgpt):
    ended = spectralgpt("predict", scene, tmp_path / "out", "--each", "--weights", weights)
    assert (ended.code, ended.err.count("which have no classes")) == (2, 1)
    assert listing(tmp_path) == [scene.name]
