"""A scene into a coarse map of classes, by weights and probes that answer about whole images."""

import json

import numpy as np
import pytest
import rasterio
from made_rasters import NAMES, PLACE, land, write
from PIL import Image

from made_headed_weights import LAND, headed_weights
from made_labelled import class_folders, rows_of, table, values_of
from spectralgpt import Classifier, Window, open_raster, predict
from spectralgpt.features import ImageProbabilities, Probe
from spectralgpt.features.probe_files import read_probe


@pytest.fixture(scope="module")
def headed(weights, tmp_path_factory):
    return headed_weights(weights, tmp_path_factory.mktemp("headed"))


@pytest.fixture(scope="module")
def probes(weights, tmp_path_factory):
    """Probes by kind of labels, of images of 16 pixels."""
    from spectralgpt import probe

    folder = tmp_path_factory.mktemp("probes")
    rows = rows_of(folder, 10)
    labels = [{"image": each["image"], "labels": f"land;{each['label']}"} for each in rows]
    sources = {
        "class": class_folders(folder / "land", {"water": 5, "forest": 5, "soil": 5}),
        "classes": table(folder / "labels.csv", labels),
    }
    for name, source in sources.items():
        probe(source, weights=weights, method="ridge", repeats=1, folds=2, out=folder / name)
    return folder


def read(path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read()


@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (13, 15), (9, 16)])
def test_a_probe_answers_about_a_square_as_evaluate_does(rows, columns, probes, tmp_path):
    """A scene that is one square, also one that ends before the square does, with a hole."""
    values = values_of(1, 7, rows, columns)
    values[:, 2:6, 3:9] = 0
    path = write(tmp_path / "scene.tif", values, names=NAMES, nodata=0)
    with open_raster(path) as raster:
        likely = Probe.load(probes / "class").probabilities(raster)
    found = predict(path, tmp_path / "map.tif", weights=probes / "class", probabilities=True)
    assert (found.side, found.rows, found.columns) == (16, -(-rows // 8), 2)
    classes, percent = read(tmp_path / "map.tif")[0], read(tmp_path / "map.probabilities.tif")
    assert (classes == likely.argmax()).all()
    assert np.abs(percent - 100 * likely[:, None, None]).max() < 1
    assert (percent == percent[:, :1, :1]).all()


def test_a_pixel_of_the_map_is_the_mean_of_the_squares_that_hold_it(headed, tmp_path):
    """Of weights with a head: four squares inside the scene, two at its sides, one in its corners."""
    path = write(tmp_path / "scene.tif", land(88, 61), names=NAMES)
    found = predict(path, tmp_path / "map.tif", weights=headed / "class", probabilities=True, precision="fp32")
    assert (found.side, found.rows, found.columns) == (32, 6, 4)
    assert found.gsd == pytest.approx(160, rel=1e-3)
    maker = ImageProbabilities(Classifier.from_pretrained(headed / "class"), precision="fp32")
    total, count = np.zeros((3, 6, 4)), np.zeros((6, 4))
    with open_raster(path) as raster:
        for row in range(5):
            for column in range(3):
                window = Window(16 * row, 16 * column, min(32, 88 - 16 * row), min(32, 61 - 16 * column))
                (likely,) = maker.of([raster.read(window)])
                total[:, row : row + 2, column : column + 2] += likely[:, None, None]
                count[row : row + 2, column : column + 2] += 1
    assert sorted(np.unique(count)) == [1, 2, 4]
    wanted = total / count
    percent = read(tmp_path / "map.probabilities.tif").astype(int)
    assert (percent.sum(axis=0) == 100).all()
    assert np.abs(percent - 100 * wanted).max() < 1
    clear = np.diff(np.sort(wanted, axis=0)[-2:], axis=0)[0] > 1e-5
    assert clear.sum() > 20
    np.testing.assert_array_equal(read(tmp_path / "map.tif")[0][clear], wanted.argmax(axis=0)[clear])
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert (dataset.transform.a, dataset.transform.c, dataset.transform.f) == (160, PLACE.c, PLACE.f)
        assert dataset.colormap(1)[0][:3] == (0x11, 0x66, 0x11)


def test_the_coarse_map_lies_on_the_scene(probes, tmp_path):
    """Kinds of land in the shape of a flipped L: each place gets its own class, but for those at its edge."""
    kinds = np.zeros((12, 18), int)
    kinds[2:10, 3:7] = 1
    kinds[7:10, 3:15] = 1
    pixels = kinds.repeat(16, 0).repeat(16, 1)
    values = np.stack([values_of(kind, 3, *pixels.shape) for kind in range(2)])
    path = write(tmp_path / "scene.tif", np.where(pixels, values[1], values[0]), names=NAMES)
    found = predict(path, tmp_path / "map.tif", weights=probes / "class", side=16)
    names = [each.name for each in found.classes]
    written = np.array(names)[read(tmp_path / "map.tif")[0]]
    truth = np.array(["water", "forest"])[kinds.repeat(2, 0).repeat(2, 1)]
    inner = np.ones(truth.shape, bool)
    for axis in (0, 1):
        for shift in (1, -1):
            inner &= np.roll(truth, shift, axis) == truth
    assert (written == truth)[inner].mean() > 0.95
    assert (written == truth[::-1])[inner].mean() < 0.8


def test_places_without_a_valid_pixel_have_no_answer(headed, tmp_path, spectralgpt):
    values = land(96, 96)
    values[:, :48, 32:] = 0
    values[:, 40, 40] = 500
    path = write(tmp_path / "scene.tif", values, names=NAMES, nodata=0)
    ended = spectralgpt("predict", path, tmp_path / "map.tif", "--weights", headed / "class", "--polygons", "--json")
    assert ended.code == 0, ended.err
    known = np.ones((6, 6), bool)
    known[:3, 2:] = False
    known[2, 2] = True  # by a single pixel
    np.testing.assert_array_equal(read(tmp_path / "map.tif")[0] != 255, known)
    assert ended.json["valid"] == known.sum()
    assert ended.json["area"] == pytest.approx(known.sum() * 160**2)


@pytest.mark.parametrize("source", ["weights", "probe"])
def test_several_labels_have_a_band_each(source, headed, probes, tmp_path, spectralgpt):
    path = write(tmp_path / "scene.tif", land(64, 48), names=NAMES)
    given = headed / "classes" if source == "weights" else probes / "classes"
    command = ("predict", path, tmp_path / "map.tif", "--weights", given, "--precision", "fp32", "--json")
    ended = spectralgpt(*command, "--probabilities", "--entropy", "--polygons")
    assert ended.code == 0, ended.err
    assert ended.json["several"] is True
    with rasterio.open(tmp_path / "map.tif") as dataset:
        labels = dataset.read()
        names = [each["name"] for each in ended.json["classes"]]
        assert list(dataset.descriptions) == names
        assert (dataset.dtypes[0], dataset.nodata) == ("uint8", 255)
        assert [each["name"] for each in json.loads(dataset.tags()["SPECTRALGPT_CLASSES"])] == names
    percent = read(tmp_path / "map.probabilities.tif")
    least = Probe.load(given).thresholds if source == "probe" else [0.5] * 3
    for label, likely, threshold in zip(labels, percent, least, strict=True):
        assert (label == (likely >= 100 * threshold))[np.abs(likely - 100 * threshold) > 1].all()
    assert [each["pixels"] for each in ended.json["classes"]] == (labels == 1).sum(axis=(1, 2)).tolist()
    assert read(tmp_path / "map.entropy.tif").max() <= 100
    inspected = spectralgpt("inspect", tmp_path / "map.tif", "--json").json
    assert (inspected["kind"], inspected["classes"]) == ("labels", {})
    with Image.open(ended.json["picture"]) as picture:
        assert min(picture.size) > 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--side", "1"), "--side 1; expected 2 or more pixels along a square"),
        (("--overlap", "0.6"), "found answers about whole images; expected no overlap, as the squares of such maps"),
    ],
)
def test_options_that_mean_nothing_for_coarse_maps(options, words, scene, headed, tmp_path, spectralgpt):
    ended = spectralgpt("predict", scene, tmp_path / "map.tif", "--weights", headed / "class", *options)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert not list(tmp_path.glob("map*"))


def test_a_probe_says_what_differs_from_its_images(probes, weights, tmp_path, spectralgpt):
    """Other options of reading; its weights elsewhere; what it was fitted to is in the tags."""
    path = write(tmp_path / "scene.tif", land(64, 48), names=NAMES)
    given = ("--weights", probes / "class", "--encoder", weights, "--gsd", "20", "--json")
    ended = spectralgpt("predict", path, tmp_path / "map.tif", *given)
    assert ended.code == 0, ended.err
    assert "read with other options: without such options; now gsd='20.0'" in " ".join(ended.json["warnings"])
    with rasterio.open(tmp_path / "map.tif") as dataset:
        parameters = json.loads(dataset.tags()["SPECTRALGPT_PARAMETERS"])
    description, _ = read_probe(probes / "class")
    assert parameters["probe"] == description.answering[:16]
    assert (parameters["verb"], parameters["side"]) == ("predict", 16)


def test_the_text_lists_areas(scene, headed, tmp_path, spectralgpt):
    ended = spectralgpt("predict", scene, tmp_path / "map.tif", "--weights", headed / "class")
    assert ended.code == 0, ended.err
    assert "from squares of 32 x 32 pixels" in ended.out
    head, *rows = (line.split() for line in ended.out.splitlines() if line.startswith("  "))
    assert head == ["class", "share", "ha", "pixels"]
    *rows, (everything, area, count) = rows
    assert everything == "all"
    assert {" ".join(row[:-3]) for row in rows} <= {each.name for each in LAND}
    assert sum(int(row[-1]) for row in rows) == int(count)
    assert sum(float(row[-2].replace(",", "")) for row in rows) == pytest.approx(float(area.replace(",", "")))


def test_pixels_in_memory(headed, tmp_path):
    path = write(tmp_path / "scene.tif", land(64, 48), names=NAMES)
    with open_raster(path) as raster:
        pixels = raster.read()
    made = predict(pixels, tmp_path / "memory.tif", weights=headed / "class")
    same = predict(path, tmp_path / "file.tif", weights=headed / "class")
    assert made.classes == same.classes
    np.testing.assert_array_equal(read(tmp_path / "memory.tif"), read(tmp_path / "file.tif"))
