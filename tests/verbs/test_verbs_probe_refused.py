"""What a user gets wrong about labels: exit 2, one message with the first files and their number, nothing left."""

import os
from pathlib import Path

import pytest
import rasterio
from made_rasters import write

from made_labelled import QUICK, at, class_folders, edited, masked, pairs, picture, refused, rows_of, table

COUNTS = {"water": 2, "forest": 2}


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    """Class folders that nothing is wrong with."""
    return class_folders(tmp_path_factory.mktemp("labelled") / "land", COUNTS)


@pytest.fixture
def probe(spectralgpt, weights, tmp_path, monkeypatch):
    """Assert that a command is refused, with these words, and leaves nothing in the working folder or elsewhere."""
    monkeypatch.chdir(tmp_path)

    def run(words, *arguments, verb="probe", weights=weights, out=tmp_path / "made" / "out") -> str:
        where = () if out is None else ("--out", out)
        return refused(spectralgpt, tmp_path, words, verb, *arguments, "--weights", weights, *where)

    return run


def test_a_label_outside_the_classes(probe, tmp_path):
    folder = class_folders(tmp_path / "land", {"water": 4, "forest": 4, "town": 6})
    (tmp_path / "classes.toml").write_text('[classes]\nwater = "Water"\nforest = "Forest"\n')
    error = probe(["found 6 images with a label outside the classes", "town/town_0.tif"], folder,
                  "--classes", tmp_path / "classes.toml")  # fmt: skip
    assert "and 2 more" in error, "the first four are named"


def test_a_code_outside_the_classes(probe, tmp_path):
    folder = masked(tmp_path / "sea", codes=(0, 1, 7))
    (tmp_path / "classes.toml").write_text('[classes]\n0 = "land"\n1 = "sea"\n')
    probe(
        ["found 6 images with mask codes outside the classes (7 (762 pixels))", "7", "images/0.tif"],
        folder,
        "--classes",
        tmp_path / "classes.toml",
    )


def test_an_empty_part(probe, tmp_path):
    rows = rows_of(tmp_path, 6)
    for parts, word in (("tttttt", "test"), ("eeeeee", "train"), ("vvvvvv", "train")):
        words = [{"t": "train", "e": "test", "v": "val"}[part] for part in parts]
        made = [{**row, "split": word} for row, word in zip(rows, words, strict=True)]
        probe([f"no sample in the part {word}"], table(tmp_path / "labels.csv", made), "--split", "given")


def test_a_split_that_the_data_do_not_have(probe, land):
    probe(["no sample in the part train"], land, "--split", "given")


def test_images_without_a_mask(probe, tmp_path):
    folder = masked(tmp_path / "sea", count=7)
    for number in range(6):
        (folder / "masks" / f"{number}.tif").unlink()
    probe(["found 6 images without a mask", "0.tif", "and 2 more"], folder)


def test_masks_of_another_size(probe, tmp_path):
    folder = masked(tmp_path / "sea")
    for number in (1, 2):
        with rasterio.open(folder / "masks" / f"{number}.tif") as dataset:
            values = dataset.read()
        write(folder / "masks" / f"{number}.tif", values[:, :-3], transform=at(5.0 * number))
    probe(["found 2 images with a mask of another size", "images/1.tif", "images/2.tif"], folder)


def test_a_class_that_training_does_not_have(probe, tmp_path):
    rows = rows_of(tmp_path, 6)
    made = [{**row, "split": "train" if row["label"] == "water" else "test"} for row in rows]
    probe(["forest"], table(tmp_path / "labels.csv", made))


def test_a_class_of_the_test_folder_that_training_does_not_have(probe, tmp_path):
    train = class_folders(tmp_path / "train", COUNTS)
    test = class_folders(tmp_path / "test", {**COUNTS, "town": 2}, first=50)
    probe(["test", "town", "town/town_0.tif"], train, "--test", test)
    probe(["town/town_0.tif"], train, "--val", test)


def test_parts_with_other_kinds_of_labels(probe, tmp_path):
    train = class_folders(tmp_path / "train", COUNTS)
    probe(["'mask'", "'class'"], train, "--test", masked(tmp_path / "sea"))


def test_pairs_that_do_not_overlap(probe, tmp_path):
    folder = pairs(tmp_path / "town")
    for number in (0, 2):
        path = folder / "after" / f"{number}.tif"
        picture(path, 0, 5, 16, 24, transform=at(300.0))
    error = probe(["0.tif"], folder)
    assert "overlap" in error
    assert "2.tif" in error


def test_bands_that_the_model_cannot_place(probe, tmp_path):
    folder = class_folders(tmp_path / "land", COUNTS)
    for path in folder.rglob("*.tif"):
        edited(path, lambda values: values // 150)  # as dark as cirrus is
    for path in folder.rglob("*.tif"):
        with rasterio.open(path) as dataset:
            values, place = dataset.read([11]), dataset.transform
        write(path, values, names=("B10",), transform=place)
    probe(["B10"], folder, "--bands", "s2-l1c:B10")


@pytest.mark.parametrize("bands", ["s2-l9z", "B02,B03,B99", "B02,B03"])
def test_bands_that_do_not_fit(bands, probe, tmp_path):
    folder = class_folders(tmp_path / "land", COUNTS)
    for path in folder.rglob("*.tif"):
        with rasterio.open(path, "r+") as dataset:
            for index in range(1, 14):
                dataset.set_band_description(index, "")
    probe([], folder, "--bands", bands)


def test_paths_that_do_not_exist(probe, land):
    probe(["nowhere: does not exist"], "nowhere")
    for options in (("--test",), ("--val",), ("--masks",), ("--masks", ".", "--after")):
        probe(["nowhere", "does not exist"], land, *options, "nowhere")
    probe(["nowhere.toml"], land, "--classes", "nowhere.toml")
    probe(["nowhere"], land, weights="nowhere")


def test_rows_of_a_table_without_a_file(probe, tmp_path):
    rows = rows_of(tmp_path, 8)
    labels = table(tmp_path / "labels.csv", rows)
    for number in range(6):
        (tmp_path / f"{number}.tif").unlink()
    probe(["6", "0.tif"], labels)


def test_no_weights(spectralgpt, land, tmp_path, monkeypatch):
    monkeypatch.setattr("spectralgpt.weights.named.PACKAGED_FOLDER", tmp_path / "none")
    for verb in ("probe", "evaluate"):
        assert "--weights" in refused(spectralgpt, tmp_path, ["no weights are given"], verb, land)


def test_images_that_are_none(probe, tmp_path):
    folder = class_folders(tmp_path / "land", COUNTS)
    for number in range(2):
        (folder / "water" / f"water_{number}.tif").write_text("no pixels here")
    probe(["water/water_0.tif", "water/water_1.tif"], folder)


def test_empty_folders(probe, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    probe(["empty"], tmp_path / "empty")
    class_folders(tmp_path / "one", {"water": 3})
    probe(["water"], tmp_path / "one")


OPTIONS = [
    (("--shots", "0,5"), "--shots 0,5; expected whole numbers from 1"),
    (("--shots", "five"), "--shots five; expected whole numbers from 1"),
    (("--folds", 1), "--folds 1; expected 2 or more"),
    (("--repeats", 0), "--repeats 0; expected 1 or more"),
    (("--apart", "nan"), "--apart nan; expected kilometres"),
    (("--apart", -1), "--apart -1.0; expected kilometres"),
    (("--ignore", "none"), "--ignore none; expected whole numbers"),
    (("--nodata", "fill"), "--nodata fill; expected stored values"),
    (("--classes", "a,a"), "--classes a,a; expected different names"),
    (("--label", "class"), "class"),
]


@pytest.mark.parametrize(("options", "words"), OPTIONS)
def test_options(options, words, probe, land):
    probe([words], land, *options)


def test_folders_of_others(probe, tmp_path):
    folder = class_folders(tmp_path / "land", COUNTS)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "metrics.json").write_text("{}")
    (tmp_path / "file").write_text("mine")
    for name, words in (("taken", "notes.txt"), ("other", "metrics.json"), ("file", "file"), ("file/out", "file")):
        for verb in ("probe", "evaluate"):
            probe([name, words], folder, verb=verb, out=tmp_path / name)
    probe(["land"], folder, out=folder)


def test_a_folder_that_cannot_be_written(probe, tmp_path):
    if not os.path.isdir("/proc"):
        pytest.skip("no folder here refuses everybody")
    probe(["/proc/out"], class_folders(tmp_path / "land", COUNTS), *QUICK, out=Path("/proc/out"))


@pytest.fixture(scope="module")
def fitted(land, weights, tmp_path_factory):
    """A probe for labels of images."""
    from spectralgpt import probe

    folder = tmp_path_factory.mktemp("fitted") / "probe"
    probe(land, weights=weights, method="ridge", folds=2, repeats=1, out=folder)
    return folder


def test_a_probe_of_another_kind_of_labels(probe, fitted, tmp_path):
    """Classes of images are not taken for codes of masks."""
    sea = masked(tmp_path / "sea", count=2)
    probe(["kind 'mask'; expected 'class'"], sea, verb="evaluate", weights=fitted)


def test_classes_that_a_probe_does_not_have(probe, fitted, tmp_path):
    folder = class_folders(tmp_path / "land", {**COUNTS, "town": 6})
    words = ["found 6 images with a label outside the classes", "town/town_0.tif", "and 2 more"]
    probe(words, folder, verb="evaluate", weights=fitted)


def test_a_part_that_is_not_there(probe, land, fitted):
    probe(["no sample in the part test"], land, "--part", "test", verb="evaluate", weights=fitted)


def test_evaluating_with_weights_without_a_head(probe, land):
    probe(["found weights for pretraining", "spectralgpt probe DATA"], land, verb="evaluate")


@pytest.mark.parametrize("apart", ["nan", -1.0])
def test_distances_that_are_none(apart, probe, land):
    probe([f"--apart {apart}; expected kilometres"], land, "--apart", apart, verb="evaluate")


def test_a_validation_part_without_a_test_part(tmp_path, weights, spectralgpt):
    data = class_folders(tmp_path / "data", {"water": 2, "town": 2})
    val = class_folders(tmp_path / "val", {"water": 2, "town": 2}, first=50)
    ended = spectralgpt("probe", data, "--val", val, "--weights", weights)
    assert ended.code == 2
    assert "no test part to report on" in ended.err
    assert "Traceback" not in ended.err
