"""A read-out of frozen features, judged and kept: what is printed, what lies in the report folder, which split."""

import re

import pytest
from made_rasters import listing

from made_labelled import QUICK, SENSOR, class_folders, metrics, rows_of, scores, table
from spectralgpt.verbs import _probe_run

KEPT = ["metrics.json", "probe.json", "probe.safetensors", "report.html"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return class_folders(tmp_path_factory.mktemp("labelled") / "land", {"water": 6, "forest": 5, "town": 4})


def test_a_folder_of_class_folders(folder, weights, spectralgpt):
    before = listing(folder.parent)
    ended = spectralgpt(
        "probe", folder, "--bands", SENSOR, "--weights", weights, "--folds", 2, "--repeats", 2, "--json"
    )
    assert ended.code == 0, ended.err
    assert len(ended.out.splitlines()) == 1
    found = ended.json
    assert 0 <= found["low"] <= found["accuracy"] <= found["high"] <= 1
    assert found["accuracy"] == found["value"] == found["scores"]["accuracy"]
    assert found["accuracy"] > 0.8, "kinds of images that differ in their bands"
    assert found["counts"] == {
        "images": 15, "reported": 15, "classes": 3, "classes_present": 3, "places": 15, "repeats": 2,
    }  # fmt: skip
    assert found["per_class"] == {"forest": 5, "town": 4, "water": 6}
    assert (found["target"], found["score"], found["seen"], found["out"]) == ("class", "accuracy", 0, None)
    names = ["auto", "knn", "ridge", "logistic"]
    assert [each["method"] for each in found["methods"]] == names
    assert listing(folder.parent) == before, "nothing is written beside the data"


def test_what_is_printed(folder, weights, spectralgpt):
    ended = spectralgpt("probe", folder, "--weights", weights, *QUICK)
    assert ended.code == 0, ended.err
    assert "15 samples, one label each" in ended.err, "before anything is computed"
    assert re.search(r"^chosen: ridge, strength \S+: \d of 2 rounds", ended.out, re.MULTILINE)
    assert re.search(
        r"^accuracy [01]\.\d{3} \(95 % interval [01]\.\d{3} to [01]\.\d{3}\): .*ridge$", ended.out, re.MULTILINE
    )
    assert "2 folds over 15 places (by position)" in ended.out


def test_training_and_test_in_two_folders(folder, weights, tmp_path, spectralgpt):
    other = class_folders(tmp_path / "other", {"water": 2, "forest": 3}, first=50)
    ended = spectralgpt("probe", folder, "--test", other, "--weights", weights, "--method", "ridge", "--json")
    assert scores(ended)["accuracy"] > 0.5
    assert ended.json["split"] == "given split: 15 train, 0 val, 5 test"
    assert (ended.json["counts"]["images"], ended.json["counts"]["reported"]) == (20, 5)
    assert ended.json["per_class"] == {"forest": 3, "town": 0, "water": 2}
    assert ended.json["counts"]["classes_present"] == 2
    assert any("the test part holds no town" in each for each in ended.json["warnings"])


def test_validation_in_a_folder_of_its_own(folder, weights, tmp_path, spectralgpt):
    val = class_folders(tmp_path / "val", {"water": 2, "forest": 2, "town": 2}, first=50)
    test = class_folders(tmp_path / "test", {"water": 2, "forest": 3}, first=60)
    ended = spectralgpt(
        "probe", folder, "--val", val, "--test", test, "--weights", weights, "--method", "knn", "--json"
    )
    assert ended.code == 0, ended.err
    assert ended.json["split"] == "given split: 15 train, 6 val, 5 test"


def parts(folder, names: str):
    rows = rows_of(folder, len(names))
    words = {"t": "train", "v": "val", "e": "test", " ": ""}
    return table(folder / "labels.csv", [{**row, "split": words[name]} for row, name in zip(rows, names, strict=True)])


def test_the_split_of_a_table_is_used(weights, tmp_path, spectralgpt):
    labels = parts(tmp_path, "ttttttvveeee")
    out = tmp_path / "out"
    command = ("probe", labels, "--weights", weights, "--method", "ridge", "--json", "--out", out)
    ended = spectralgpt(*command)
    assert ended.code == 0, ended.err
    assert ended.json["split"] == "given split: 6 train, 2 val, 4 test"
    assert metrics(out)["samples"] == [f"{index}.tif" for index in range(8, 12)]
    places = spectralgpt(*command, "--split", "places", "--folds", 2, "--repeats", 1)
    assert places.json["counts"]["reported"] == 12


def test_without_a_test_part_folds_are_used_and_this_is_said(weights, tmp_path, spectralgpt):
    labels = parts(tmp_path, "ttttttvvvv")
    ended = spectralgpt("probe", labels, "--weights", weights, *QUICK, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["split"].startswith("2 folds over 10 places")
    assert ended.json["counts"]["reported"] == 10
    assert "has no test part, so folds over places are used; --split given" in ended.err
    given = spectralgpt("probe", labels, "--weights", weights, "--method", "ridge", "--split", "given", "--json")
    assert given.json["counts"]["reported"] == 4


def test_the_report_folder(folder, weights, tmp_path, spectralgpt):
    out = tmp_path / "out"
    command = ("probe", folder, "--weights", weights, "--folds", 2, "--repeats", 2, "--seed", 3, "--out", out, "--json")
    ended = spectralgpt(*command, "--shots", "1,2")
    assert ended.code == 0, ended.err
    assert listing(out) == KEPT
    found = metrics(out)
    assert found["target"] == "class"
    assert found["scores"]["accuracy"]["value"] == pytest.approx(ended.json["accuracy"])
    assert len(found["seeds"]) == 2
    assert {name: len(each) for name, each in found["repeats"].items()} == dict.fromkeys(ended.json["scores"], 2)
    assert sum(found["repeats"]["accuracy"]) / 2 == pytest.approx(ended.json["accuracy"])
    assert len(found["method_settings"]) == 4, "a choice for each fold of each repeat"
    assert all(each["settings"] for each in found["method_settings"])
    assert found["probe"]["method"] in ("knn", "ridge", "logistic")
    assert found["probe"]["settings"]
    assert sum(map(sum, found["confusion"])) == 2 * 15, "of both repeats"
    facts = found["facts"]
    assert facts["Seed"] == "3"
    assert ended.json["fingerprint"] in facts["Weights"]
    (curve,) = found["curves"]
    assert [line["shots"] for line in curve["lines"]] == [[1, 2]] * 3
    page = (out / "report.html").read_text()
    # self-contained: nothing is loaded from anywhere
    assert not re.search(r"""<[^>]*(src|href)=["']?(?!data:|#|["'])|url\((?!["']?(data:|#))|@import""", page)
    assert "water_0.tif" in page or "forest_0.tif" in page or "town_0.tif" in page
    again = spectralgpt(*command)
    assert again.code == 0, again.err
    assert listing(out) == KEPT
    assert metrics(out)["curves"] == []


def test_the_same_seed_gives_the_same_numbers(folder, weights, spectralgpt):
    command = ("probe", folder, "--weights", weights, *QUICK, "--json", "--seed")
    runs = [spectralgpt(*command, 1).json for _ in range(2)]
    for run in runs:
        del run["seconds"]
    assert runs[0] == runs[1]


def test_fewer_images_than_shots_are_said(folder, weights, tmp_path, spectralgpt):
    out = tmp_path / "out"
    command = ("probe", folder, "--weights", weights, *QUICK, "--out", out, "--json")
    ended = spectralgpt(*command, "--shots", "1,3,50")
    assert ended.code == 0, ended.err
    (curve,) = metrics(out)["curves"]
    assert curve["lines"][0]["shots"] == [1, 3]
    assert ended.json["curve"] == {"ridge": dict(zip(("1", "3"), curve["lines"][0]["values"], strict=True))}
    assert re.search(
        r"^accuracy by images per class, ridge: 1: [01]\.\d{3}, 3: ",
        spectralgpt(*command[:-1], "--shots", "1,3").out,
        re.M,
    )
    assert "no class has more than 3 training images: the curve ends there" in ended.err
    assert re.search(r"fewer than 3 training images, so all of them: .*town", ended.err)
    none = spectralgpt(*command, "--shots", "50")
    assert none.code == 2
    assert "50" in none.err


def test_baselines_stand_beside_the_probe(folder, weights, spectralgpt):
    ended = spectralgpt("probe", folder, "--weights", weights, *QUICK, "--baselines", "--json")
    assert ended.code == 0, ended.err
    own, *others = ended.json["methods"]
    assert (own["difference"], len(others)) == (0, 4)
    for each in others:
        assert each["difference"] == pytest.approx(own["value"] - each["value"])
        assert each["difference_low"] <= each["difference"] <= each["difference_high"]


def test_interrupted_runs_leave_no_report_and_keep_features(folder, weights, tmp_path, monkeypatch, spectralgpt):
    monkeypatch.setenv("SPECTRALGPT_CACHE", str(tmp_path / "cache"))
    command = ("probe", folder, "--weights", weights, *QUICK, "--out", tmp_path / "out", "--json")

    def interrupt(*given, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_probe_run, "findings_of", interrupt)
        ended = spectralgpt(*command)
    assert ended.code == 130, ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "out").exists()
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) == 15
    from spectralgpt.features import EncoderImages

    with monkeypatch.context() as patched:
        patched.setattr(EncoderImages, "of", interrupt)
        assert spectralgpt(*command).code == 0, "features are in the cache"
    assert listing(tmp_path / "out") == KEPT
