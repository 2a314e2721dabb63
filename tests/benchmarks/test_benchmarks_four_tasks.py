"""The table of the four tasks: the best in bold, the difference to the best other column, and what a run keeps."""

import argparse
import dataclasses
import json
import math
import sys
from pathlib import Path

import pytest

from spectralgpt.features import baselines
from spectralgpt.verbs.probe import Probed, ScoreOfMethod

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import four_tasks  # noqa: E402
from four_tasks import COLUMNS, UNTRAINED_TITLE, case_of, columns_of, gain, run, save, table, values, verdict  # noqa: E402
from labelled_sets import MadeSet  # noqa: E402


def made_set(name: str = "eurosat", target: str = "class") -> MadeSet:
    return MadeSet(name, target, "table.csv", 4, 2, {"a": 2, "b": 2}, notes=["a note"])


def found(model: float = 0.6, low: float = -0.3, high: float = -0.1, seen: int = 0) -> Probed:
    def of(features: str, method: str, value: float) -> ScoreOfMethod:
        return ScoreOfMethod(features, method, value, value - 0.1, value + 0.1, model - value, low, high)

    methods = (
        ScoreOfMethod("SpectralGPT 12345678", "auto", model, model - 0.1, model + 0.1, 0.0, 0.0, 0.0),
        of("SpectralGPT 12345678", "ridge", 0.95),
        of(UNTRAINED_TITLE, "auto", 0.5),
        of(baselines.find("statistics").title, "auto", 0.7),
        of(baselines.find("handmade").title, "trees", 0.8),
    )
    return Probed(
        target="class",
        method="auto",
        score="accuracy",
        value=model,
        low=model - 0.1,
        high=model + 0.1,
        accuracy=model,
        scores={"accuracy": model, "macro_f1": math.nan},
        counts={"images": 4, "places": 2, "classes": 2},
        per_class={"a": 2, "b": 2},
        methods=methods,
        chosen=("ridge, strength 0.1: 5 of 5 rounds",),
        curve={},
        split="5 folds",
        seen=seen,
        fingerprint="0" * 64,
        out=None,
        report="",
        seconds=1.0,
    )


def case(**differing: object) -> dict:
    return case_of(made_set(), "auto", 10, found(**differing), 2.0)


def with_beside(both: float = 0.9) -> Probed:
    """A probe of both, beside the model alone (.6) and hand-made features by ridge (.85) and by trees (.8)."""

    def of(features: str, method: str, value: float) -> ScoreOfMethod:
        less = both - value
        return ScoreOfMethod(features, method, value, value - 0.1, value + 0.1, less, less - 0.02, less + 0.04)

    model, handmade = "SpectralGPT 12345678", baselines.find("handmade").title
    methods = [
        ScoreOfMethod(
            f"{model} and hand-made features", method, value, value - 0.1, value + 0.1, both - value, 0.0, 0.0
        )
        for method, value in (("auto", both), ("ridge", 0.95))
    ]
    alone = [of(model, "auto", 0.6), of(handmade, "auto", 0.85), of(handmade, "trees", 0.8)]
    return dataclasses.replace(found(), value=both, methods=(*methods, *alone))


def test_the_column_of_both_and_what_they_gain():
    made = case_of(made_set(), "auto", 10, found(), 2.0, with_beside())
    column = made["columns"]["beside"]
    assert (column["value"], column["difference"], column["difference_interval"]) == (0.9, -0.3, [-0.34, -0.28])
    assert values(made)[-1].startswith("**0.900**")
    assert verdict(made).startswith("hand-made, extra trees: -0.200"), "not to the column that holds the model"
    assert gain(made) == "hand-made, auto: +0.050 (+0.030 to +0.090), better"
    assert [each["method"] for each in made["beside"]] == ["auto", "auto", "trees"]
    assert gain(case_of(made_set(), "auto", 10, found(), 2.0, with_beside(0.8))).endswith(
        "-0.050 (-0.070 to -0.010), worse"
    )
    assert gain(case()) == ""
    rows = [line for line in table(result(made, case())).splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1


def result(*cases: dict) -> dict:
    return {"command": "python x", "weights": {"text": "recipe own.", "fingerprint": "0" * 64}, "cases": list(cases)}


def test_every_baseline_has_a_column_with_its_title():
    assert set(COLUMNS) == {"model", "untrained", *baselines.names(), "beside"}


def test_another_method_on_the_models_features_is_no_column():
    columns = columns_of(found())
    assert list(columns) == ["model", "untrained", "statistics", "handmade"]
    assert columns["model"]["value"] == 0.6
    assert [each["method"] for each in case()["methods"]] == ["auto", "ridge"]


def test_the_best_is_bold_and_what_is_missing_empty():
    assert values(case()) == [
        "0.600 (0.500 to 0.700)",
        "0.500 (0.400 to 0.600)",
        "0.700 (0.600 to 0.800)",
        "",
        "**0.800** (0.700 to 0.900)",
        "",
        "",
        "",
    ]
    assert values(case(model=0.9))[0].startswith("**0.900**")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.3, -0.1, "hand-made, extra trees: -0.200 (-0.300 to -0.100), worse"),
        (-0.3, 0.1, "hand-made, extra trees: -0.200 (-0.300 to +0.100), open"),
        (0.01, 0.1, "hand-made, extra trees: -0.200 (+0.010 to +0.100), better"),
        (math.nan, math.nan, "hand-made, extra trees: -0.200"),
    ],
)
def test_the_difference_is_to_the_best_other_column(low, high, said):
    assert verdict(case(low=low, high=high)) == said


def test_the_table_has_a_row_per_case_and_as_many_cells_as_its_head(tmp_path):
    change = case_of(made_set("oscd", "change"), "auto", 1, found(), 2.0) | {"score": "f1"}
    made = result(case(seen=3), change)
    save(tmp_path / "docs" / "four_tasks.json", made)
    assert json.loads((tmp_path / "docs" / "four_tasks.json").read_text()) == made
    text = (tmp_path / "docs" / "four_tasks.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| EuroSAT, 10 classes; last block", "| OSCD, urban change"]
    assert "EuroSAT, 10 classes: pretraining saw 3 of the images" in text
    missing = "EuroSAT, 5 classes, other places, forest classes in a patch, land cover in a chip, water, forest"
    assert f"Not measured with these weights: {missing}" in text
    assert "OSCD, urban change: pretraining" not in text
    assert table(result(case())).count("pretraining saw") == 0


def test_a_run_goes_on_where_one_ended_and_other_weights_begin_anew(tmp_path, monkeypatch):
    asked = []

    def probed(each: MadeSet, read_out: str, given: argparse.Namespace) -> dict:
        asked.append((each.name, read_out))
        if each.name == "water":
            raise ValueError("broken")
        made = case_of(each, read_out, 10, found(), 2.0)
        return made | {"fingerprint": given.weights}

    def labelled_sets(data: Path, work: Path, names: list[str]) -> list[MadeSet]:
        return [made_set(name, "mask" if name == "water" else "class") for name in names]

    def described(weights: str, trained_on: str) -> dict:
        return {"text": trained_on, "fingerprint": weights}

    for name, made in (("probed", probed), ("labelled_sets", labelled_sets), ("described", described)):
        monkeypatch.setattr(four_tasks, name, made)
    given = argparse.Namespace(
        data=Path("data"), work=tmp_path, weights="w", trained_on="", only=["eurosat", "water"], again=False,
        out=tmp_path / "o.json", part=None, parts=None,
    )  # fmt: skip
    assert run(given) == 1
    assert asked == [("eurosat", "auto"), ("eurosat", "layers"), ("water", "auto")]
    asked.clear()
    assert run(given) == 1
    assert asked == [("water", "auto")]
    asked.clear()
    given.only, given.again = ["eurosat"], True
    assert run(given) == 0
    assert len(asked) == 2
    given.weights, given.again = "v", False
    run(given)
    assert len(asked) == 4
    kept = json.loads(given.out.read_text())["cases"]
    assert [(each["set"], each["read_out"], each["fingerprint"]) for each in kept] == [
        ("eurosat", "auto", "v"),
        ("eurosat", "layers", "v"),
    ]


def test_all_tasks_together_count_those_that_pretraining_has_not_seen():
    def case(name, seen, difference):
        columns = {"handmade": {"difference": difference, "difference_interval": [difference - 0.3, difference + 0.4]}}
        return {"set": name, "read_out": "auto", "seen_in_pretraining": seen, "columns": columns}

    cases = [case("water", 0, 0.1), case("forest", 0, 0.3), case("oscd", 8, 9.0), case("nanjing", 0, 9.0)]
    (said,) = four_tasks.all_tasks(cases)
    # the halves of independent intervals add up as squares: 0.3 and 0.4 times sqrt(2) / 2
    assert "hand-made, extra trees: +0.200 (-0.012 to +0.483), open" in said
    assert "water, forest)" in said
    assert four_tasks.all_tasks(cases[2:]) == []
