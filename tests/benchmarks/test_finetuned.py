"""The table of fine-tuning: answers kept and pooled over seeds, what is left to do, and a run on small made images."""

import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "verbs")]

import finetuned  # noqa: E402
from finetuned import kept_answers, kept_name, merged, planned  # noqa: E402
from finetuned_answers import Answers, compared, over_seeds  # noqa: E402
from finetuned_shown import WAYS, rows_of, seen_notes, table, write  # noqa: E402
from finetuned_ways import Item, OpenedSet, as_split, by_way  # noqa: E402
from four_tasks import UNTRAINED_TITLE  # noqa: E402
from labelled_sets import MadeSet  # noqa: E402

from made_finetuning import several_labels, water_masks  # noqa: E402
from made_labelled import class_folders  # noqa: E402
from spectralgpt.bands import BandSet, sensor  # noqa: E402
from spectralgpt.features.baselines import find  # noqa: E402
from spectralgpt.metrics import ConfusionCounts, LabelTable  # noqa: E402
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size  # noqa: E402
from spectralgpt.progress import silent  # noqa: E402
from spectralgpt.verbs._fit_data import opened_fit_data  # noqa: E402
from spectralgpt.weights import SpectralGPT, TrainedImages  # noqa: E402

TRAINED = {"train": 6, "val": 2, "seen": 1}


def answers(right, places, seen=None, names=None, seconds=2.0) -> Answers:
    """Images of class 0, answered rightly or not."""
    right = np.array(right, bool)
    table = ConfusionCounts.of_classes(np.zeros(len(right), np.int64), np.where(right, 0, 1).astype(np.int64), 2)
    names = tuple(names or (f"image {index}" for index in range(len(right))))
    return Answers(
        table, names, np.array(places, np.int64), np.array(seen or [False] * len(right)), TRAINED, seconds
    )  # fmt: skip


def tables():
    rng = np.random.default_rng(0)
    classes = ConfusionCounts.of_classes(rng.integers(0, 3, 5), rng.integers(0, 3, 5), 3)
    likely = rng.random((5, 3), np.float32)
    masks = [rng.integers(-1, 2, (4, 6)).astype(np.int16) for _ in range(5)]
    pixels = ConfusionCounts.joined(
        [
            ConfusionCounts.of_mask(each, (each == 1).astype(np.int16), 2, np.full((4, 6, 2), 0.5, np.float32))
            for each in masks
        ]
    )
    return {"class": classes, "classes": LabelTable(likely > 0.3, likely > 0.5, likely), "mask": pixels}


@pytest.mark.parametrize("kind", ["class", "classes", "mask"])
def test_kept_answers_come_back(kind, tmp_path):
    made = Answers(tables()[kind], tuple("abcde"), np.arange(5), np.array([True, *[False] * 4]), TRAINED, 1.5)
    made.save(tmp_path / "set" / "probe.npz")
    back = Answers.load(tmp_path / "set" / "probe.npz")
    assert type(back.table) is type(made.table)
    for each in dataclasses.fields(made.table):
        np.testing.assert_array_equal(getattr(back.table, each.name), getattr(made.table, each.name))
    assert (back.names, back.trained, back.seconds) == (made.names, TRAINED, 1.5)
    np.testing.assert_array_equal(back.seen, made.seen)
    assert [each.name for each in (tmp_path / "set").iterdir()] == ["probe.npz"]
    # and are scored
    assert compared({"finetuned": [back, back]}, kind, "finetuned")["finetuned"]["value"] is not None


def test_scores_are_of_the_images_of_all_seeds_together():
    ways = {
        "finetuned": [answers([1, 1, 1, 0], [0, 1, 2, 3]), answers([1, 1], [2, 4])],
        "scratch": [answers([1, 0, 1, 0], [0, 1, 2, 3]), answers([0, 1], [2, 4])],
    }
    found = compared(ways, "class", "finetuned")
    assert found["finetuned"]["value"] == pytest.approx(5 / 6, abs=1e-5)
    assert found["scratch"]["value"] == pytest.approx(3 / 6, abs=1e-5)
    assert found["finetuned"]["seeds"] == [0.75, 1.0]
    assert found["scratch"]["difference"] == pytest.approx(2 / 6, abs=1e-5)
    low, high = found["scratch"]["difference_interval"]
    assert low < 2 / 6 < high
    assert found["finetuned"]["difference_interval"] == [0.0, 0.0]


def test_images_that_pretraining_saw_can_be_left_out():
    seen = [True, True, False, False]
    ways = {
        "finetuned": [answers([1, 1, 0, 0], [0, 1, 2, 3], seen)],
        "probe": [answers([1, 1, 1, 0], [0, 1, 2, 3], seen)],
    }
    assert compared(ways, "class", "finetuned")["finetuned"]["value"] == 0.5
    found = compared(ways, "class", "finetuned", only_unseen=True)
    assert (found["finetuned"]["value"], found["probe"]["value"], found["probe"]["difference"]) == (0.0, 0.5, -0.5)


def test_ways_that_answered_other_images_are_refused():
    ways = {"finetuned": [answers([1, 0], [0, 1])], "probe": [answers([1, 0], [0, 1], names=("image 0", "other"))]}
    with pytest.raises(ValueError, match="same test"):
        compared(ways, "class", "finetuned")


def test_mean_and_spread_over_seeds():
    found = over_seeds([answers([1, 0], [0, 1]), answers([1, 1], [0, 1]), answers([0, 0], [0, 1])], "class")
    assert found == {"mean": 0.5, "spread": 0.5, "seeds": [0.5, 1.0, 0.0], "train": [6, 6, 6]}
    assert over_seeds([answers([1, 0], [0, 1])], "class")["spread"] is None


def test_whole_sets_are_answered_before_fractions():
    items = planned(["landslides", "eurosat"], [0, 1], [0.5, 1.0, 0.1])
    assert len(items) == len(set(items)) == 2 * 2 * 3 + 2 * 2 * 3
    assert all(each.fraction == 1 for each in items[:12])
    assert {(each.set, each.fraction) for each in items[12:]} == {("eurosat", 0.1), ("eurosat", 0.5)}
    assert len({each.path for each in items}) == len(items)


def test_only_seeds_with_all_ways_count(tmp_path):
    for seed, ways in ((0, ("finetuned", "scratch", "probe", "statistics")), (1, ("finetuned", "probe", "scratch")),
                       (2, ("finetuned", "probe", "statistics"))):  # fmt: skip
        for way in ways:
            answers([seed == 0, 1], [0, 1]).save(tmp_path / Item("water", seed, 1.0, way).path)
    found = kept_answers(tmp_path, "water", [0, 1, 2], 1.0)
    # statistics are missing for a seed that counts
    assert {way: len(each) for way, each in found.items()} == {"finetuned": 2, "scratch": 2, "probe": 2}
    assert kept_answers(tmp_path, "forest", [0], 1.0) == {}


def test_answers_of_other_weights_or_recipes_are_kept_apart():
    names = [kept_name("a" * 64, []), kept_name("b" * 64, []), kept_name("a" * 64, ["stages.0.epochs=1"])]
    assert len({*names, kept_name("a" * 64, ["stages.0.epochs=2"])}) == 4


def test_kinds_of_features_and_the_chosen_method():
    titles = ["SpectralGPT 1", "SpectralGPT 1", UNTRAINED_TITLE, find("statistics").title, find("nbr").title]
    judged = [SimpleNamespace(features=title, number=number) for number, title in enumerate(titles)]
    assert [(way, each.number) for way, each in by_way(judged)] == [
        ("probe", 0),
        ("untrained", 2),
        ("statistics", 3),
        ("nbr", 4),
    ]


# -- the table ---------------------------------------------------------------------------------------------------------


def case(name="eurosat", seen=0, values=(0.6, 0.5, 0.7, 0.55)) -> dict:
    ways = dict(zip(("finetuned", "scratch", "probe", "statistics"), values, strict=True))
    columns = {
        way: {
            "value": value,
            "interval": [value - 0.1, value + 0.1],
            "difference": values[0] - value,
            "difference_interval": [values[0] - value - 0.02, values[0] - value + 0.02],
        }
        for way, value in ways.items()
    }
    counts = {"images": 120, "places": 118, "seeds": 3, "test": 72, "test_seen": seen, "train": 288, "train_seen": seen}
    return {"set": name, "target": "class", "score": "accuracy", "counts": counts, "columns": columns,
            "unseen_columns": columns if seen else {}}  # fmt: skip


def result(changes=(), curves=None, quick=False) -> dict:
    return {
        "command": "python benchmarks/finetuned.py",
        "weights": {"text": "some", "fingerprint": "0" * 64},
        "settings": {"seeds": [0, 1, 2], "changes": list(changes), "quick": quick},
        "cases": [case("water", seen=10), case()],
        "curves": curves or {},
    }


def test_the_best_is_bold_and_the_best_other_is_without_pretraining():
    (row,) = rows_of(case())
    assert row[:4] == ["EuroSAT, 10 classes", "accuracy (top-1)", "120, 118", "72, 3"]
    cells = dict(zip(WAYS, row[4:], strict=False))
    assert cells["probe"].startswith("**0.700**")
    assert cells["finetuned"] == "0.600 (0.500 to 0.700)"
    assert cells["handmade"] == ""
    assert row[-3:] == [
        "+0.100 (+0.080 to +0.120), better",
        "-0.100 (-0.120 to -0.080), worse",
        "band statistics: +0.050 (+0.030 to +0.070), better",
    ]


def test_images_that_pretraining_saw_are_marked():
    first, second = rows_of(case("water", seen=10))
    assert (first[3], second[3]) == ("72, 3", "62, 3")
    assert "not seen in pretraining" in second[0]
    notes = seen_notes([case("water", seen=10), case()])
    assert len(notes) == 2
    assert "NOT COMPARABLE, pretraining saw 10 of 72 test images" in notes[0]
    assert "10 of 288 images that are trained on" in notes[1]


def test_a_trial_is_no_result_and_fractions_are_drawn(tmp_path):
    point = {"mean": 0.5, "spread": 0.1, "seeds": [0.4, 0.5, 0.6], "train": [7, 7, 8]}
    curves = {"eurosat": {"0.1": {"finetuned": point, "probe": point}, "1": {"scratch": {**point, "spread": None}}}}
    write(tmp_path / "out" / "finetuned.json", made := result(curves=curves))
    assert json.loads((tmp_path / "out" / "finetuned.json").read_text()) == made
    text = (tmp_path / "out" / "finetuned.md").read_text()
    assert "| 0.1 | 7 to 8 | 0.500 ± 0.100 |  | 0.500 ± 0.100 |" in text
    assert "| 1 | 7 to 8 |  | 0.500 |  |" in text
    assert (tmp_path / "out" / "finetuned.png").stat().st_size > 0
    assert "NO RESULT" not in text
    assert text.index("EuroSAT, 10 classes |") < text.index("water |")
    assert "changed by" not in text
    text = table(result(["stages.*.epochs=1"], quick=True), "finetuned")
    assert "NO RESULT" in text
    assert "The recipe is changed by stages.*.epochs=1." in text


def test_results_of_other_sets_stay_unless_they_are_of_other_weights_or_settings():
    before = result(curves={"eurosat": {}})
    now = {**result(), "cases": [case("water")]}
    found = merged(before, now)
    assert {each["set"]: each["counts"]["test_seen"] for each in found["cases"]} == {"water": 0, "eurosat": 0}
    assert found["curves"] == {"eurosat": {}}
    assert merged(None, now) == now
    assert merged({**before, "weights": {"text": "others"}}, now) == now
    assert merged(result(["stages.*.epochs=1"]), now) == now


# -- a run -------------------------------------------------------------------------------------------------------------


def made_sets(folder: Path) -> dict[str, MadeSet]:
    """One label, several, masks."""
    one = class_folders(folder / "one", {"water": 8, "forest": 8})
    return {
        "eurosat": MadeSet("eurosat", "class", str(one), 16, 16, {},
                           bands="s2-l1c"),
        "land_cover": MadeSet("land_cover", "classes", str(several_labels(folder / "several", 12)), 12, 12, {},
                              bands="s2-l1c"),
        "water": MadeSet("water", "mask", str(water_masks(folder / "masks", 10)), 10, 10, {}, bands="s2-l1c"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    return made_sets(tmp_path_factory.mktemp("sets"))


@pytest.mark.parametrize("name", ["eurosat", "land_cover", "water"])
def test_all_ways_have_the_parts_of_the_verb(name, sets):
    opened = OpenedSet(sets[name], TrainedImages())
    for seed in (0, 3):
        parts = opened.divided(seed)
        verbs = opened_fit_data(sets[name].source, None, None, {**opened.options, "seed": seed}, silent)
        assert parts.parts.part == verbs.parts.part
        train = parts.drawn(0.5, seed)
        labels, order = as_split(parts, train)
        assert [each.name for each in labels.data.samples] == parts.names(order)
        splits = [each.split for each in labels.data.samples]
        assert splits == ["train"] * len(train) + [parts.parts.part[index] for index in order[len(train) :]]
    assert opened.divided(0).parts.part != opened.divided(3).parts.part


def small_weights(folder: Path) -> Path:
    torch.manual_seed(0)
    normalization = Normalization(
        "standard", tuple(BandStatistics(band, 2.0, 1.0) for band in sensor("s2-l1c").bands)
    )  # fmt: skip
    config = ModelConfig(Size(48, 2, 4, 32, 1, 4), BandSet.native(sensor("spectralgpt-12").bands))
    SpectralGPT(config, normalization, {"data": "none"}).save_pretrained(folder)
    return folder


@pytest.mark.long
def test_a_quick_run_and_one_that_goes_on(sets, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(finetuned, "labelled_sets", lambda data, work, names: [sets[name] for name in names])
    out = tmp_path / "out" / "finetuned.json"
    weights = small_weights(tmp_path / "weights")
    command = ["data", str(tmp_path / "work"), "--weights", str(weights), "--quick", "--out", str(out), "--seeds", "0"]

    def ran(*more: str) -> dict:
        assert finetuned.run(finetuned.parser().parse_args([*command, *more])) == 0
        return json.loads(out.read_text())

    found = ran("--only", "eurosat", "water", "--fractions", "0.5", "1")
    said = capsys.readouterr().out
    assert "estimated CPU time" in said
    assert said.index("estimated CPU time") < said.index("eurosat, fraction 1, seed 0, finetuned")
    by_set = {each["set"]: each for each in found["cases"]}
    assert {*by_set["eurosat"]["columns"]} == {
        "finetuned", "scratch", "probe", "untrained", "statistics", "convolutions", "handmade"
    }  # fmt: skip
    assert by_set["water"]["counts"]["test"] == 2
    point = found["curves"]["eurosat"]["0.5"]["finetuned"]
    assert point["train"][0] < found["curves"]["eurosat"]["1"]["finetuned"]["train"][0]
    # nothing is left to do; another set is added
    assert {each["set"] for each in ran("--only", "land_cover", "eurosat")["cases"]} == {
        "eurosat", "water", "land_cover"
    }  # fmt: skip
    again = capsys.readouterr().out
    assert "eurosat, fraction" not in again
    assert "land_cover, fraction 1, seed 0, probe" in again
    assert not list((tmp_path / "work").rglob("runs/**/shards"))
