"""Labelled images to a fine-tuned model and its report, of each kind of labels, by the command line."""

import json
import shutil

import numpy as np
import pytest
import torch
from affine import Affine

import spectralgpt as sg
from made_finetuning import OFTEN, SHORT, several_labels, water_masks
from made_labelled import SENSOR, class_folders, masked, metrics, pairs, picture, refused
from spectralgpt import ChangeDetector, Classifier, Segmenter, open_raster
from spectralgpt.data.sample_hashes import sample_hashes
from spectralgpt.errors import RasterError
from spectralgpt.weights import open_weights

WROTE = {"finetune.json", "shards", "run", "weights", "report.html", "metrics.json"}


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    """Two folders of class folders: to train on, and to report on."""
    folder = tmp_path_factory.mktemp("land")
    class_folders(folder / "train", {"water": 6, "forest": 6, "town": 6})
    class_folders(folder / "test", {"water": 2, "forest": 3, "town": 2}, first=50)
    return folder


@pytest.fixture
def fitted(land, weights, tmp_path, spectralgpt):
    out = tmp_path / "out"
    ended = spectralgpt(
        "finetune", land / "train", "--test", land / "test", "--weights", weights, "--out", out, "--json", *SHORT
    )
    assert ended.code == 0, ended.err
    return out, ended


def test_one_label_from_images_to_a_report(fitted, land, weights, spectralgpt):
    out, ended = fitted
    found = ended.json
    assert (found["target"], found["recipe"], found["finished"], found["score"]) == ("class", "own", True, "accuracy")
    assert found["counts"] == {"train": 14, "val": 4, "test": 7, "classes": 3, "places": 25}
    assert found["step"] == found["steps"] > 0
    assert {each.name for each in out.iterdir() if not each.name.startswith(".")} == WROTE
    assert (out / "run" / "pictures" / "loss.png").stat().st_size > 0
    # what is said before the run, and after
    assert "14 train, 4 val, 7 test" in ended.err
    assert "Estimated time" in ended.err
    assert found["seconds_expected"] > 0
    # the report names what it was made with
    numbers, page = metrics(out), (out / "report.html").read_text()
    start = open_weights(weights).fingerprint()
    assert (numbers["seed"], numbers["fraction"], numbers["recipe"]) == (0, 1.0, "own")
    assert numbers["parts"] == {"train": 14, "val": 4, "test": 7}
    assert len(numbers["data_hash"]) == 64
    assert numbers["weights"]["fingerprint"] == found["fingerprint"]
    for words in (start[:16], found["fingerprint"], numbers["data_hash"][:16], "the part val, 4 images", "seed 0"):
        assert words in page
    # and the same numbers come from evaluate
    again = spectralgpt("evaluate", land / "test", "--bands", SENSOR, "--weights", out / "weights", "--json")
    assert again.code == 0, again.err
    assert again.json["scores"] == pytest.approx(found["scores"], abs=1e-6)


def test_it_knows_which_images_it_saw_and_of_which_kind(fitted, land, tmp_path, spectralgpt):
    """Also those that the state was chosen by; and pixels of another size than it was fitted to are strange, although
    of the weights that it started from nothing is known."""
    out, _ = fitted
    seen = spectralgpt("evaluate", land / "train", "--bands", SENSOR, "--weights", out / "weights", "--json")
    assert seen.json["seen"] == 18
    assert "Training of the weights saw 18 of 18 images with their labels" in seen.json["marks"][0]
    assert list(open_weights(out / "weights").provenance["trained"]["sensors"]) == [SENSOR]
    image = picture(tmp_path / "coarse.tif", 0, 0, transform=Affine(30, 0, 435730, 0, -30, 4179460))
    other = spectralgpt("embed", image, tmp_path / "e.tif", "--bands", SENSOR, "--weights", out / "weights")
    assert other.code == 0, other.err
    assert "outside what the weights were trained on (s2-l1c; 9.89 to 10 m per pixel): 30 m" in other.err


@pytest.mark.parametrize("part", ["val", "test"])
def test_an_image_in_two_parts_is_refused(part, land, weights, tmp_path, spectralgpt):
    """One that is reported; of those that choose, its own part says which they are."""
    copies = tmp_path / "copies"
    shutil.copytree(land / "test", copies)
    copied = sorted((land / "train" / "water").iterdir())[0]
    shutil.copy(copied, copies / "water" / "another_name.tif")
    given = ["--test", copies] if part == "test" else ["--val", copies, "--test", copies]
    words = ["images to report on that are also trained on or chosen by", "no image in two parts"]
    command = ("finetune", land / "train", *given, "--bands", SENSOR, "--weights", weights, "--out", tmp_path / "out")
    refused(spectralgpt, tmp_path, [*words, "another_name"] if part == "test" else words, *command)


def test_an_image_that_cannot_be_compared_is_left_to_what_reads_it(land, weights, tmp_path, monkeypatch):
    asked = []

    def damaged(image, sides=()):
        asked.append(image)
        if len(asked) == 3:
            raise RasterError("water_2.tif: rows 0 to 15 cannot be read")
        return sample_hashes(image, sides)

    monkeypatch.setattr("spectralgpt.data.sample_hashes.sample_hashes", damaged)
    result = sg.finetune(land / "train", bands=SENSOR, weights=weights, out=tmp_path / "out", set=OFTEN)
    assert result.finished
    assert len(asked) >= 18


def test_copies_are_of_one_place(land, weights, tmp_path):
    """Wherever a copy lies, it is not reported on when the image is trained on."""
    copies = tmp_path / "copies"
    shutil.copytree(land / "train", copies)
    for each in sorted(copies.glob("*/*.tif")):
        shutil.copy(each, each.with_name(f"copy_of_{each.name}"))
    result = sg.finetune(copies, bands=SENSOR, weights=weights, out=tmp_path / "out", set=OFTEN)
    assert result.counts["places"] == 18
    assert not result.marks


def test_what_comes_out_opens_everywhere(fitted, land, tmp_path, spectralgpt):
    out, _ = fitted
    model = Classifier.from_pretrained(out / "weights")
    assert [one.name for one in model.classes] == ["forest", "town", "water"]
    image = land / "test" / "town" / "town_0.tif"
    with open_raster(image, bands=SENSOR) as raster:
        answer = model.predict(model.cube(raster.read()))
    assert int(answer.classes[0]) in range(3)
    assert torch.allclose(answer.probabilities.sum(dim=1), torch.ones(1))
    assert list(model.provenance["trained"]["sensors"]) == [SENSOR]
    shown = spectralgpt("inspect", out / "weights", "--json")
    assert shown.code == 0, shown.err
    assert (shown.json["classes"], shown.json["thresholds"]) == (3, [])
    assert "forest, town, water" in shown.json["text"]
    embedded = spectralgpt("embed", image, tmp_path / "embedded.tif", "--bands", SENSOR, "--weights", out / "weights")
    assert embedded.code == 0, embedded.err
    assert (tmp_path / "embedded.tif").exists()


def test_several_labels_have_thresholds_of_the_part_val(weights, tmp_path, spectralgpt):
    data = several_labels(tmp_path / "data")
    ended = spectralgpt("finetune", data, "--weights", weights, "--out", tmp_path / "out", "--json", *SHORT)
    assert ended.code == 0, ended.err
    found = ended.json
    assert found["target"] == "classes"
    assert len(found["thresholds"]) == 2
    model = open_weights(tmp_path / "out" / "weights")
    assert list(model.thresholds) == found["thresholds"]
    assert model.provenance["thresholds"] == "chosen on the part val"
    assert (
        model.fingerprint() == found["fingerprint"] != open_weights(tmp_path / "out" / "run" / "weights").fingerprint()
    )
    assert metrics(tmp_path / "out")["thresholds"] == found["thresholds"]


@pytest.mark.parametrize(
    ("make", "kind", "target", "score", "thresholds"),
    [
        (water_masks, Segmenter, "mask", "mean_iou", 1),
        (lambda folder: masked(folder, 8), Segmenter, "mask", "mean_iou", 0),
        (lambda folder: pairs(folder, 6), ChangeDetector, "change", "f1", 1),
    ],
)
def test_masks(make, kind, target, score, thresholds, weights, tmp_path, spectralgpt):
    make(tmp_path / "data")
    ended = spectralgpt(
        "finetune", tmp_path / "data", "--weights", weights, "--out", tmp_path / "out", "--json", *SHORT
    )
    assert ended.code == 0, ended.err
    found = ended.json
    assert (found["target"], found["score"], len(found["thresholds"])) == (target, score, thresholds)
    model = kind.from_pretrained(tmp_path / "out" / "weights")
    assert len(model.thresholds) == thresholds
    assert (tmp_path / "out" / "report.html").exists()
    assert np.isfinite(list(found["scores"].values())).all()


def test_a_new_model_a_frozen_one_and_the_result_in_python(land, weights, tmp_path):
    short = ["stages.0.epochs=1"]
    new = sg.finetune(land / "train", out=tmp_path / "new", weights="untrained", bands=SENSOR, set=short)
    assert new.start == "untrained"
    assert "untrained" in str(new)
    sizes = json.loads((tmp_path / "new" / "weights" / "config.json").read_text())["model"]["size"]
    assert (sizes["dim"], sizes["depth"]) == (192, 12)
    # pixels of another size lie outside what it was trained on; of the weights of the other tests that is not known
    for kind, name in enumerate(("water", "forest")):
        picture(tmp_path / "other" / name / "0.tif", kind, 9, transform=Affine(60, 0, 435730, 0, -60, 4179460))
    judged = sg.evaluate(tmp_path / "other", weights=tmp_path / "new" / "weights", bands=SENSOR)
    assert any("outside what the weights were trained on (s2-l1c; " in each for each in judged.warnings)
    sg.finetune(land / "train", out=tmp_path / "frozen", weights=weights, freeze=True, bands=SENSOR, set=short)
    before, after = open_weights(weights), open_weights(tmp_path / "frozen" / "weights")
    for (name, one), (_, other) in zip(
        before.encoder.state_dict().items(), after.encoder.state_dict().items(), strict=True
    ):
        assert torch.equal(one, other), name
