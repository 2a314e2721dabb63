"""Weights with a head, or a probe, on labelled data: the scores are those of their answers, whatever the batches."""

import json

import numpy as np
import pytest
import torch
from made_rasters import listing

from made_labelled import class_folders, masked, metrics, pairs, rows_of, scores, table
from spectralgpt import SpectralGPT, open_raster
from spectralgpt.features import heads
from spectralgpt.features import images as features_images
from spectralgpt.nn import DenseConfig, PooledConfig
from spectralgpt.tasks import ChangeConfig, Class
from spectralgpt.weights import ChangeDetector, Classifier, Segmenter

DENSE = {"widths": (32, 32, 64, 64), "levels": (16, 16, 16), "channels": 16}


@pytest.fixture(scope="module")
def headed(weights, tmp_path_factory):
    """Weights with a random head, by task."""
    folder = tmp_path_factory.mktemp("headed")
    base = SpectralGPT.from_pretrained(weights)
    torch.manual_seed(1)
    models = {
        "class": Classifier.from_encoder(base, PooledConfig(classes=2), (Class("forest"), Class("water"))),
        "classes": Classifier.from_encoder(base, PooledConfig(classes=2, several=True)),
        "mask": Segmenter.from_encoder(base, DenseConfig(classes=3, **DENSE)),
        "change": ChangeDetector.from_encoder(base, ChangeConfig(**DENSE)),
    }
    for name, model in models.items():
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        model.eval().save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return class_folders(tmp_path_factory.mktemp("labelled") / "land", {"water": 5, "forest": 4})


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, weights):
    """A table with a given split, a probe of it, and what the probe scored on the test part."""
    from spectralgpt import probe

    folder = tmp_path_factory.mktemp("fitted")
    # the last two have the other's label: not all answers are right
    rows = rows_of(folder, 12)
    rows[-1]["label"], rows[-2]["label"] = rows[-2]["label"], rows[-1]["label"]
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
    labels = table(folder / "labels.csv", [{**row, "split": part} for row, part in zip(rows, splits, strict=True)])
    found = probe(labels, weights=weights, method="logistic", out=folder / "probe")
    return labels, folder / "probe", found


def test_a_probe_scores_what_it_scored_when_it_was_fitted(fitted, tmp_path, spectralgpt):
    labels, kept, found = fitted
    ended = spectralgpt("evaluate", labels, "--weights", kept, "--out", tmp_path / "out", "--json")
    assert scores(ended) == dict(found.scores)
    assert ended.json["part"] == "the part test"
    assert (ended.json["counts"], ended.json["marks"]) == (
        {"images": 4, "classes": 2, "classes_present": 2, "places": 4}, []
    )  # fmt: skip
    assert (ended.json["value"], ended.json["accuracy"]) == (0.5, 0.5)
    assert ended.json["intervals"]["accuracy"] == [ended.json["low"], ended.json["high"]]
    assert listing(tmp_path / "out") == ["metrics.json", "report.html"]
    assert metrics(tmp_path / "out")["confusion"] == [[1, 1], [1, 1]]


def test_parts(fitted, spectralgpt):
    labels, kept, _ = fitted
    counts = {"auto": 4, "test": 4, "val": 2, "train": 6, "all": 12}
    marked = {"auto": 0, "test": 0, "val": 2, "train": 6, "all": 8}
    for part, count in counts.items():
        ended = spectralgpt("evaluate", labels, "--weights", kept, "--part", part, "--json")
        assert ended.json["counts"]["images"] == count
        # validation has chosen the strength
        assert len(ended.json["marks"]) == (marked[part] > 0)
        if marked[part]:
            assert f"fitted to {marked[part]} of {count} images" in ended.json["marks"][0]


def test_the_report_has_the_notes_on_the_data(tmp_path, headed, spectralgpt):
    folder = class_folders(tmp_path / "land", {"water": 2, "forest": 2})
    (folder / "bare").mkdir()
    ended = spectralgpt("evaluate", folder, "--weights", headed / "class", "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    note = "left out: 1 folder without images (bare)"
    assert note in metrics(tmp_path / "out")["notes"]
    assert note in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_images_of_one_place_have_no_interval(tmp_path, headed, spectralgpt):
    folder = class_folders(tmp_path / "land", {"water": 2, "forest": 2})
    command = ("evaluate", folder, "--weights", headed / "class", "--apart", "1000", "--out", tmp_path / "out")
    ended = spectralgpt(*command)
    assert ended.code == 0, ended.err
    assert "4 images at 1 place, " in ended.out
    assert "(no interval)" in ended.out
    assert "nan" not in ended.out
    assert metrics(tmp_path / "out")["intervals"] == "none, as all images are of one place"


def test_weights_that_have_moved(fitted, weights, tmp_path, headed, spectralgpt):
    labels, kept, _ = fitted
    (tmp_path / "probe").mkdir()
    for path in kept.iterdir():
        (tmp_path / "probe" / path.name).write_bytes(path.read_bytes())
    description = tmp_path / "probe" / "probe.json"
    described = json.loads(description.read_text())
    description.write_text(json.dumps({**described, "weights": str(tmp_path / "gone")}))
    command = ("evaluate", labels, "--weights", tmp_path / "probe", "--json")
    gone = spectralgpt(*command)
    assert (gone.code, str(tmp_path / "gone") in gone.err, "--encoder" in gone.err) == (2, True, True), gone.err
    there = spectralgpt(*command, "--encoder", weights)
    assert there.code == 0, there.err
    other = spectralgpt(*command, "--encoder", headed / "class")
    assert other.code == 2
    assert described["fingerprint"][:16] in other.err


def test_a_head_for_images(folder, headed, spectralgpt):
    ended = spectralgpt("evaluate", folder, "--weights", headed / "class", "--json", "--precision", "fp32")
    model = Classifier.from_pretrained(headed / "class").eval()
    right = []
    for kind, name in enumerate(("forest", "water")):
        for path in sorted((folder / name).iterdir()):
            with open_raster(path) as raster, torch.inference_mode():
                right.append(int(model(model.cube(raster.read())).argmax()) == kind)
    assert scores(ended)["accuracy"] == pytest.approx(np.mean(right))
    assert ended.json["name"].startswith("Classifier")


def test_a_head_without_names_of_classes(weights, folder, headed, tmp_path, spectralgpt):
    rows = [
        {"image": row["image"], "labels": "a;b" if row["label"] == "water" else "a"} for row in rows_of(tmp_path, 6)
    ]
    ended = spectralgpt("evaluate", table(tmp_path / "labels.csv", rows), "--weights", headed / "classes", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["target"] == "classes"
    assert "the model has no names for its 2 classes: they are taken in the order of the labels" in ended.err
    three = class_folders(tmp_path / "three", {"a": 2, "b": 2, "c": 2})
    wrong = spectralgpt("evaluate", three, "--weights", headed / "class")
    assert wrong.code == 2
    assert "3 kinds" not in wrong.err


def test_a_head_for_pixels_counts_every_labelled_pixel_once(headed, tmp_path, spectralgpt):
    """Also at the borders of images that are no multiple of a window or place (MATH.md 10, 29 and 34)."""
    folder = masked(tmp_path / "sea", count=3, sizes=((40, 19), (16, 24), (45, 45)))
    ended = spectralgpt("evaluate", folder, "--weights", headed / "mask", "--json", "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    assert sum(map(sum, metrics(tmp_path / "out")["confusion"])) == 40 * 19 + 16 * 24 + 45 * 45
    assert ended.json["target"] == "mask"


def test_a_class_that_is_absent_leaves_the_mean_a_number(headed, tmp_path, spectralgpt):
    """MATH.md 10, entry 36: the mean is over the classes in the truth, and how many is said."""
    folder = masked(tmp_path / "sea", count=2, codes=(0, 1))
    (tmp_path / "classes.toml").write_text('[classes]\n0 = "land"\n1 = "sea"\n2 = "ice"\n')
    given = ("--classes", tmp_path / "classes.toml", "--json")
    ended = spectralgpt("evaluate", folder, "--weights", headed / "mask", *given)
    assert 0 <= scores(ended)["mean_iou"] <= 1
    assert (ended.json["counts"]["classes"], ended.json["counts"]["classes_present"]) == (3, 2)
    printed = spectralgpt("evaluate", folder, "--weights", headed / "mask", *given[:-1])
    assert "2 of 3 classes in the truth" in printed.out


def test_a_head_for_change(headed, tmp_path, spectralgpt):
    """Nothing predicted, or nothing to find, is no division by zero (MATH.md 10, entry 34)."""
    folder = pairs(tmp_path / "town", count=2)
    ended = spectralgpt("evaluate", folder, "--weights", headed / "change", "--json")
    assert ended.code == 0, ended.err
    assert {"f1", "precision", "recall", "f1_per_image"} <= set(ended.json["scores"])
    assert all(value is None or 0 <= value <= 1 for value in ended.json["scores"].values())


@pytest.mark.parametrize("target", ["class", "mask"])
def test_scores_do_not_depend_on_batches(target, folder, headed, tmp_path, monkeypatch, spectralgpt):
    source = folder if target == "class" else masked(tmp_path / "sea", count=3)
    found = []
    for number, together in enumerate((1, 7, 100)):
        monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / f"cache{number}"))
        monkeypatch.setattr(features_images, "MADE_TOGETHER", together)
        for kind in (heads.ImageProbabilities, heads.PixelProbabilities):
            defaults = kind.__dataclass_fields__["batch"].default
            assert defaults > 1
        found.append(scores(spectralgpt("evaluate", source, "--weights", headed / target, "--json")))
    assert found[0] == found[1] == found[2]


def test_an_earlier_report_is_replaced_and_a_failed_run_leaves_it(fitted, tmp_path, spectralgpt):
    labels, kept, _ = fitted
    out = tmp_path / "out"
    command = ("evaluate", labels, "--weights", kept, "--out", out)
    assert spectralgpt(*command).code == 0
    before = (out / "metrics.json").read_bytes()
    assert spectralgpt(*command, "--part", "train", "--bands", "s2-l9z").code == 2
    assert (out / "metrics.json").read_bytes() == before
    assert spectralgpt(*command, "--part", "train").code == 0
    assert (out / "metrics.json").read_bytes() != before


def test_images_that_are_read_in_another_way_than_the_probe_s_are_said(fitted, spectralgpt):
    labels, folder, _ = fitted
    same = spectralgpt("evaluate", labels, "--weights", folder)
    other = spectralgpt("evaluate", labels, "--weights", folder, "--nodata", "1")
    assert (same.code, other.code) == (0, 0), other.err
    assert "other options" not in same.err
    assert "the probe was fitted to images that were read with other options: without such options; now" in other.err


def test_the_folder_of_a_probe_keeps_its_own_report(fitted, spectralgpt):
    labels, folder, _ = fitted
    before = (folder / "metrics.json").read_bytes()
    ended = spectralgpt("evaluate", labels, "--weights", folder, "--out", folder)
    assert ended.code == 2
    assert "holds a probe and the report on it" in ended.err
    assert (folder / "metrics.json").read_bytes() == before


def test_labels_without_measurements_are_not_scored_and_said(tmp_path, headed, spectralgpt):
    import rasterio

    data = masked(tmp_path / "sea")
    whole = spectralgpt("evaluate", data, "--weights", headed / "mask", "--json")
    paths = sorted((data / "images").glob("*.tif"))
    for path in paths:
        with rasterio.open(path, "r+") as file:
            file.nodata = 0
            values = file.read()
            values[:, : file.height // 2] = 0
            file.write(values)
    half = spectralgpt("evaluate", data, "--weights", headed / "mask", "--json", "--out", tmp_path / "out")
    assert (whole.code, half.code) == (0, 0), half.err
    assert "of the labelled pixels have no valid data in their image" in half.err
    assert "no valid data" not in whole.err
    found = metrics(tmp_path / "out")
    rows = [sum(row) for row in found["confusion"]]
    assert rows == [each["count"] for each in found["classes"]], "the matrix has all that is scored"
    assert 0 < sum(rows) < sum(whole.json["counts"].values()) * 10_000
