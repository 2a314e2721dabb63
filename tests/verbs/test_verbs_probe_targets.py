"""All kinds of labels, end to end: several labels, masks, change; holes, sizes, places; what no score may depend on."""

import numpy as np
import pytest
import rasterio

from made_labelled import (
    QUICK,
    cache_of,
    class_folders,
    edited,
    masked,
    metrics,
    pairs,
    rows_of,
    scores,
    table,
)
from spectralgpt import features
from spectralgpt.features import images as features_images

SETS = {
    "class": lambda folder: class_folders(folder, {"water": 5, "forest": 4}),
    "classes": lambda folder: several(folder),
    "mask": masked,
    "change": pairs,
}


def several(folder, count: int = 10):
    """Every image has the label `land`, every other one `water` as well."""
    rows = rows_of(folder, count)
    return table(folder / "labels.csv", [{"image": row["image"], "labels": labels_of(row)} for row in rows])


def labels_of(row) -> str:
    return "land;water" if row["label"] == "water" else "land"


def source_of(folder, target: str):
    made = SETS[target](folder / target)
    return made / "before" if target == "change" else made


def more_of(folder, target: str) -> tuple:
    return ("--after", folder / target / "after", "--masks", folder / target / "masks") if target == "change" else ()


@pytest.mark.parametrize("target", SETS)
def test_every_kind_of_labels(target, weights, tmp_path, spectralgpt):
    source = source_of(tmp_path, target)
    command = ("probe", source, *more_of(tmp_path, target), "--weights", weights, *QUICK, "--json")
    ended = spectralgpt(*command, "--out", tmp_path / "out")
    found = scores(ended)
    assert ended.json["target"] == target
    assert ended.json["score"] == next(iter(found))
    assert (ended.json["accuracy"] is None) == (target != "class")
    assert ended.json["value"] > 0.5, found
    assert all(0 <= value <= 1 for value in found.values())
    assert metrics(tmp_path / "out")["unit"] == ("images" if target in ("class", "classes") else "pixels")
    given = ("--weights", tmp_path / "out", "--out", tmp_path / "judged", "--json")
    judged = spectralgpt("evaluate", source, *more_of(tmp_path, target), *given)
    assert set(scores(judged)) == set(found)
    assert judged.json["value"] > 0.5
    assert "The probe was fitted to" in judged.json["marks"][0]


def test_nothing_under_ignored_pixels_reaches_a_score(weights, tmp_path, spectralgpt):
    """Other ignored codes there, in one image some of each; and the test would notice a code that is counted."""
    folder = masked(tmp_path / "sea", count=4, codes=(0, 7, 255))
    command = ("probe", folder, "--weights", weights, *QUICK, "--json", "--out", tmp_path / "out")
    first = scores(spectralgpt(*command, "--ignore", "254,255"))
    kept = metrics(tmp_path / "out")
    judge = ("evaluate", folder, "--weights", tmp_path / "out", "--json", "--ignore", "254,255")
    before = scores(spectralgpt(*judge))
    for number, path in enumerate(sorted((folder / "masks").iterdir())):
        other = np.random.default_rng(number).choice([254, 255], (16, 24)) if number % 2 else 254
        edited(path, lambda values, other=other: np.where(values == 255, other, values).astype("uint8"))
    assert scores(spectralgpt(*judge)) == before
    assert scores(spectralgpt(*command, "--ignore", "254,255")) == first
    for name in ("repeats", "confusion", "calibration", "classes"):
        assert metrics(tmp_path / "out")[name] == kept[name]
    assert scores(spectralgpt(*command[:-2], "--ignore", 255)) != first


def test_scores_do_not_depend_on_the_batch_or_the_cache(weights, tmp_path, monkeypatch, spectralgpt):
    folder = class_folders(tmp_path / "land", {"water": 5, "forest": 4})
    command = ("probe", folder, "--weights", weights, *QUICK, "--json")
    found = []
    for number, (together, computed) in enumerate(((32, 16), (1, 16), (32, 1))):
        monkeypatch.setattr(features_images, "MADE_TOGETHER", together)
        monkeypatch.setattr(features.EncoderImages.__init__, "__defaults__", (False, "auto", "auto", computed))
        cache_of(monkeypatch, tmp_path / f"cache{number}")
        found += [spectralgpt(*command).json for _ in ("computed", "from the cache")]
    for each in found:
        del each["seconds"]
    assert all(each == found[0] for each in found)


def test_scores_of_masks_do_not_depend_on_strips_or_the_cache(weights, tmp_path, monkeypatch, spectralgpt):
    from spectralgpt.evaluation import pixels

    folder = masked(tmp_path / "sea", count=3)
    command = ("probe", folder, "--weights", weights, *QUICK, "--json")
    cache_of(monkeypatch, tmp_path / "cache")
    found = [scores(spectralgpt(*command)) for _ in range(2)]
    monkeypatch.setattr(pixels, "STRIP", 24 * 3)
    found.append(scores(spectralgpt(*command)))
    assert found[0] == found[1] == found[2]


def hole(path, rows=slice(None), columns=slice(None)):
    """Make pixels 0, which is nodata."""

    def change(values):
        values[:, rows, columns] = 0
        return values

    edited(path, change)
    with rasterio.open(path, "r+") as dataset:
        dataset.nodata = 0


def test_labelled_pixels_without_a_value_are_not_scored_and_said(weights, tmp_path, spectralgpt):
    folder = masked(tmp_path / "sea")
    command = ("probe", folder, "--weights", weights, *QUICK, "--json", "--out", tmp_path / "out")
    whole = spectralgpt(*command)
    hole(folder / "images" / "0.tif", columns=slice(0, 8))
    hole(folder / "images" / "1.tif", rows=slice(0, 15))
    lost, total = 16 * 8 + 15 * 24, 6 * 16 * 24
    found = spectralgpt(*command)
    assert f"{lost / total:.2%} of the labelled pixels have no valid data in their image" in found.err
    assert "no valid data" not in whole.err
    kept = metrics(tmp_path / "out")
    assert sum(row["count"] for row in kept["classes"]) == total - lost
    assert sum(map(sum, kept["confusion"])) == total - lost


@pytest.mark.parametrize("target", ["class", "mask"])
def test_images_without_a_valid_pixel_are_named(target, weights, tmp_path, spectralgpt):
    source = source_of(tmp_path, target)
    empty = sorted(source.rglob("images/*.tif" if target == "mask" else "*.tif"))[:2]
    for path in empty:
        hole(path)
    ended = spectralgpt("probe", source, "--weights", weights, *QUICK)
    assert ended.code == 2
    assert "no valid pixel" in ended.err
    assert all(path.name in ended.err for path in empty)


def test_an_image_with_a_hole_is_an_image(weights, tmp_path, spectralgpt):
    folder = class_folders(tmp_path / "land", {"water": 5, "forest": 4})
    hole(folder / "water" / "water_1.tif", rows=slice(0, 8))
    ended = spectralgpt("probe", folder, "--weights", weights, *QUICK, "--json")
    assert scores(ended)["accuracy"] > 0.5
    assert ended.json["counts"]["reported"] == 9


def test_images_of_different_sizes(weights, tmp_path, spectralgpt):
    folder = masked(tmp_path / "sea", sizes=((16, 24), (24, 16), (40, 19)))
    ended = spectralgpt("probe", folder, "--weights", weights, *QUICK, "--json")
    assert scores(ended)["mean_iou"] > 0.5
    for number, path in enumerate(sorted((class_folders(tmp_path / "land", {"a": 4, "b": 4})).rglob("*.tif"))):
        if number % 2:
            with rasterio.open(path) as dataset:
                values, profile, names = dataset.read(), dataset.profile, dataset.descriptions
            profile.update(width=8)
            with rasterio.open(path, "w", **profile) as dataset:
                dataset.write(values[:, :, :8])
                dataset.descriptions = names
    ended = spectralgpt("probe", tmp_path / "land", "--weights", weights, *QUICK, "--json")
    assert scores(ended)["accuracy"] > 0.5


def test_a_class_in_one_place_is_said(weights, tmp_path, spectralgpt):
    """It is never learned where it is reported."""
    folder = class_folders(tmp_path / "land", {"water": 4, "forest": 3}, apart=5.0)
    class_folders(tmp_path / "land", {"a": 0, "b": 0, "town": 3}, apart=0.001)
    ended = spectralgpt("probe", folder, "--weights", weights, *QUICK, "--json")
    assert ended.code == 0, ended.err
    assert "town lies in one fold: never learned where it is reported" in ended.err
    assert ended.json["scores"]["accuracy"] <= 7 / 10


def test_two_places_only(weights, tmp_path, spectralgpt):
    rows = rows_of(tmp_path, 8)
    labels = table(tmp_path / "labels.csv", [{**row, "group": "ab"[n // 4]} for n, row in enumerate(rows)])
    ended = spectralgpt("probe", labels, "--weights", weights, "--method", "ridge", "--repeats", 1, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["counts"]["places"] == 2
    assert ended.json["split"].startswith("2 folds over 2 places (by group)"), "no more folds than places"


def test_one_place_only_is_refused(weights, tmp_path, spectralgpt):
    rows = rows_of(tmp_path, 6)
    labels = table(tmp_path / "labels.csv", [{**row, "group": "a"} for row in rows])
    ended = spectralgpt("probe", labels, "--weights", weights, *QUICK)
    assert ended.code == 2
    assert "place" in ended.err
