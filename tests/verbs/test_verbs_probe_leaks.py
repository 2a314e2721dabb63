"""What makes a number too good is refused or marked: copies, neighbours, images of the pretraining, the probe's own.

Each test first breaks the rule in one line, and sees its assertion fail.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from made_labelled import QUICK, class_folders, copied, metrics, pairs, picture, rows_of, table
from made_labelled import at as place
from spectralgpt import SpectralGPT, evaluation, open_raster
from spectralgpt.data import sample_hashes as hashing
from spectralgpt.evaluation import Places, leaks
from spectralgpt.evaluation.protocol import Protocol

COUNTS = {"water": 4, "forest": 4}


@pytest.fixture
def parts(tmp_path):
    """Training and test folders."""
    return class_folders(tmp_path / "train", COUNTS), class_folders(tmp_path / "test", COUNTS, first=50)


def broken_in_one_line(monkeypatch, where, name: str, by, check) -> None:
    """Assert that the check fails while the code is broken, and holds else."""
    with monkeypatch.context() as patched:
        patched.setattr(where, name, by)
        with pytest.raises((AssertionError, ValueError)):  # ValueError: not one warning
            check()
    check()


def test_a_copy_in_another_part_is_refused_by_name(parts, weights, monkeypatch, spectralgpt):
    train, test = parts
    copied(train / "water" / "water_2.tif", test / "water" / "another_name.tif")

    def check():
        ended = spectralgpt("probe", train, "--test", test, "--weights", weights, "--method", "ridge")
        assert ended.code == 2, ended.err
        assert "the same pixels" in ended.err
        assert "water/water_2.tif = water/another_name.tif" in ended.err
        assert "Remove the copies" in ended.err

    broken_in_one_line(monkeypatch, Protocol, "check", lambda self, used: None, check)


def test_a_copy_in_validation_is_refused_too(parts, weights, tmp_path, monkeypatch, spectralgpt):
    train, test = parts
    val = class_folders(tmp_path / "val", COUNTS, first=70)
    copied(test / "water" / "water_2.tif", val / "water" / "another_name.tif")

    def check():
        given = ("--val", val, "--test", test, "--weights", weights, "--method", "ridge")
        ended = spectralgpt("probe", train, *given)
        assert ended.code == 2, ended.err
        assert "water/another_name.tif = water/water_2.tif" in ended.err

    broken_in_one_line(monkeypatch, Protocol, "check", lambda self, used: None, check)


def test_a_copied_pair_is_refused(weights, tmp_path, monkeypatch, spectralgpt):
    train, test = pairs(tmp_path / "train"), pairs(tmp_path / "test", count=2)
    for name in ("before", "after"):
        for number in range(2):
            (test / name / f"{number}.tif").unlink()
            copied(train / name / f"{number + 1}.tif", test / name / f"{number}.tif")
    for number in range(2):
        (test / "masks" / f"{number}.tif").unlink()
        copied(train / "masks" / f"{number + 1}.tif", test / "masks" / f"{number}.tif")

    def check():
        ended = spectralgpt("probe", train, "--test", test, "--weights", weights, "--method", "ridge")
        assert ended.code == 2, ended.err
        assert "the same pixels as one to report" in ended.err
        assert "before/1.tif = before/0.tif" in ended.err

    broken_in_one_line(monkeypatch, Protocol, "check", lambda self, used: None, check)


def test_copies_in_cross_validation_share_a_fold(weights, tmp_path, monkeypatch, spectralgpt):
    folder = class_folders(tmp_path / "land", COUNTS)
    copied(folder / "water" / "water_0.tif", folder / "water" / "copy.tif")

    def check():
        ended = spectralgpt("probe", folder, "--weights", weights, *QUICK, "--json")
        assert ended.code == 0, ended.err
        assert "joined to others, as some images occur more than once" in ended.err

    # a copy in another fold is refused even then, by the protocol
    broken_in_one_line(monkeypatch, Places, "joined", lambda self, contents: self, check)


def parted(folder: Path, apart: float) -> Path:
    """A table of two parts whose images lie so many km from each other, edge to edge."""
    rows = rows_of(folder, 8)
    for number, row in enumerate(rows):
        north = apart + 0.16 if number >= 4 else 0.0  # images are 160 m wide
        picture(folder / row["image"], number % 2, number, transform=place(5.0 * (number % 4), north))
        row["split"] = "test" if number >= 4 else "train"
    return table(folder / "labels.csv", rows)


@pytest.mark.parametrize(
    ("apart", "words"),
    [(-0.08, "8 images overlap one of another part"), (0.5, "8 images lie less than 1 km from one of another part")],
)
def test_parts_that_overlap_or_lie_near(apart, words, weights, tmp_path, monkeypatch, spectralgpt):
    labels = parted(tmp_path, apart)

    def check():
        ended = spectralgpt("probe", labels, "--weights", weights, "--method", "ridge", "--json")
        assert ended.code == 0, ended.err
        (found,) = (each for each in ended.json["warnings"] if "of another part" in each)
        assert words in found
        assert "0.tif (train) and 4.tif (test)" in found
        assert f"warning: {found}" in ended.err

    broken_in_one_line(monkeypatch, leaks, "near", lambda *given: leaks_of_none(), check)


def leaks_of_none():
    none = leaks.AcrossParts(0, ())
    return leaks.Neighbours(none, none, 1.0, 0)


def test_parts_far_apart_have_no_warning(weights, tmp_path, spectralgpt):
    ended = spectralgpt("probe", parted(tmp_path, 1.5), "--weights", weights, "--method", "ridge", "--json")
    assert not any("another part" in each for each in ended.json["warnings"])


def test_neighbours_share_a_fold(weights, tmp_path, monkeypatch, spectralgpt):
    """Images of one class lie within metres of each other, so each class is a place and is never learned."""
    folder = class_folders(tmp_path / "land", COUNTS, apart=0.02)

    def check():
        ended = spectralgpt("probe", folder, "--weights", weights, *QUICK, "--json")
        assert ended.code == 0, ended.err
        assert ended.json["counts"]["places"] == 2
        assert ended.json["accuracy"] == 0

    alone = Places(np.arange(8), "positions")
    broken_in_one_line(monkeypatch, evaluation, "places_of", lambda *given: alone, check)


def with_images(weights: Path, target: Path, hashes, chips=()) -> Path:
    """The same weights, with a provenance that lists images."""
    model = SpectralGPT.from_pretrained(weights)
    provenance = {**model.provenance, "images": sorted(hashes), "chips": list(chips)}
    type(model)(model.config, model.normalization, provenance).save_pretrained(target)
    state = model.state_dict()
    made = SpectralGPT.from_pretrained(target)
    made.load_state_dict(state)
    made.save_pretrained(target)
    return target


def hashes_in(path: Path, sides=()) -> frozenset[str]:
    return hashing.sample_hashes(open_raster(path), sides)


def test_images_that_pretraining_saw_are_marked(weights, tmp_path, monkeypatch, spectralgpt):
    """One as a whole, after re-encoding; and a chip of another."""
    folder = class_folders(tmp_path / "land", COUNTS)
    whole = hashes_in(copied(folder / "water" / "water_1.tif", tmp_path / "copy.tif"))
    path = folder / "forest" / "forest_2.tif"
    chip = sorted(hashes_in(path, (8,)) - hashes_in(path))[0]
    seen = with_images(weights, tmp_path / "seen", {*whole, chip}, (8,))

    def check():
        ended = spectralgpt("probe", folder, "--weights", seen, *QUICK)
        assert ended.code == 0, ended.err
        assert "NOT COMPARABLE: pretraining saw 2 of these images" in ended.out

    none = leaks.SeenImages(0, 8, ())
    broken_in_one_line(monkeypatch, leaks, "seen_share", lambda *given: none, check)
    ended = spectralgpt("probe", folder, "--weights", seen, *QUICK, "--out", tmp_path / "out", "--json")
    assert ended.json["seen"] == metrics(tmp_path / "out")["seen_in_pretraining"] == 2
    (mark,) = metrics(tmp_path / "out")["marks"]
    assert "saw 2 of 8 images" in mark
    assert mark in (tmp_path / "out" / "report.html").read_text()
    judged = spectralgpt("evaluate", folder, "--weights", tmp_path / "out", "--json")
    assert judged.json["seen"] == 2
    assert "Training of the weights saw 2 of 8 images without labels" in judged.json["marks"][0]


def test_weights_that_saw_nothing_have_no_mark(weights, tmp_path, spectralgpt):
    folder = class_folders(tmp_path / "land", COUNTS)
    ended = spectralgpt("probe", folder, "--weights", weights, *QUICK, "--out", tmp_path / "out", "--json")
    assert ended.json["seen"] == 0
    assert metrics(tmp_path / "out")["marks"] == []
    assert metrics(tmp_path / "out")["facts"]["Images seen in training"] == "unknown", "the weights list no images"


def test_images_that_a_probe_was_fitted_to_are_marked(parts, weights, tmp_path, monkeypatch, spectralgpt):
    train, test = parts
    command = ("--test", test, "--weights", weights, "--method", "ridge", "--out", tmp_path / "probe")
    assert spectralgpt("probe", train, *command).code == 0
    mixed = class_folders(tmp_path / "mixed", COUNTS, first=70)
    copied(train / "water" / "water_2.tif", mixed / "water" / "other.tif")
    copied(train / "forest" / "forest_0.tif", mixed / "forest" / "other.tif")

    command = ("evaluate", mixed, "--weights", tmp_path / "probe", "--json")

    def check():
        ended = spectralgpt(*command)
        assert ended.code == 0, ended.err
        (mark,) = ended.json["marks"]
        assert "The probe was fitted to 2 of 10 images" in mark

    none = leaks.SeenImages(0, 10, ())
    broken_in_one_line(monkeypatch, leaks, "seen_share", lambda *given: none, check)
    (mark,) = spectralgpt(*command, "--out", tmp_path / "judged").json["marks"]
    assert metrics(tmp_path / "judged")["marks"] == [mark]
    assert mark in (tmp_path / "judged" / "report.html").read_text()
    clean = spectralgpt("evaluate", test, "--weights", tmp_path / "probe", "--json")
    assert clean.json["marks"] == []
    assert json.loads((tmp_path / "probe" / "probe.json").read_text())["made"]["split"].startswith("given split")
