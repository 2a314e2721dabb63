"""Each choice changes one thing at an equal budget; the reported half is never opened; the table is right."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import choosing  # noqa: E402
from choices import CHOICES, Choice, recipe_of  # noqa: E402
from choices_table import COLUMNS, table  # noqa: E402
from choosing import half_whitened, may_choose_by, one_label, several_labels, vectors_of  # noqa: E402
from other_targets import register  # noqa: E402

from spectralgpt.plain import differences, from_plain, to_plain  # noqa: E402
from spectralgpt.recipes.pretraining.packaged import recipe as packaged  # noqa: E402
from spectralgpt.tasks import Pretraining  # noqa: E402
from spectralgpt.training import Recipe  # noqa: E402

register()


# -- the choices -------------------------------------------------------------------------------------------------------


def test_the_base_is_the_first_stage_of_the_recipe():
    whole = packaged()
    first = whole.stages[0]
    made = recipe_of(CHOICES[0], 0, (first.schedule.steps or 0) * first.data.batch)
    assert CHOICES[0].name == "base"
    assert made.stages == whole.stages[:1]
    assert (made.model, made.ema, made.held_back) == (whole.model, whole.ema, whole.held_back)


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_every_choice_has_the_same_budget_and_can_be_resumed(choice: Choice):
    made = recipe_of(choice, 2, 48_000)
    (stage,) = made.stages
    assert stage.schedule.steps * stage.data.batch * getattr(stage.task, "views", 1) == 48_000
    assert (stage.data.batch, stage.augmentation.image, made.seed) == (16, 64, 2)
    # a run is resumed by what is read back from its folder
    plain = to_plain(made)
    assert to_plain(from_plain(Recipe, plain)) == plain


def test_each_choice_changes_something_else():
    base = to_plain(recipe_of(CHOICES[0], 0, 48_000))
    changed = {
        each.name: (each.objective, tuple(sorted(differences(base, to_plain(recipe_of(each, 0, 48_000))))))
        for each in CHOICES
    }
    without_names = {
        name: (kind, tuple(line for line in lines if not line.startswith("name")))
        for name, (kind, lines) in changed.items()
    }
    assert without_names.pop("base") == (Pretraining, ())
    assert all(lines for _, lines in without_names.values())
    assert max(Counter(without_names.values()).values()) == 1
    assert max(Counter(each.differs for each in CHOICES).values()) == 1


def test_a_setting_that_no_part_has_is_refused():
    with pytest.raises(TypeError, match="mask_share"):
        recipe_of(replace(CHOICES[0], stage={"mask_share": 0.5}), 0, 48_000)


# -- labelled places ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "drawn"),
    [("eurosat_more", "eurosat_more"), ("forest_classes", "bark_beetle"), ("land_cover", "hls_water")],
)
def test_no_reported_place_is_looked_at(name, drawn):
    rows = [{"image": f"{group}.tif", "group": group} for group in "abcd"]
    parts = [{"set": drawn, "group": group, "part": part} for group, part in zip("abcd", PARTS, strict=True)]
    parts += [{"set": "another", "group": group, "part": "choose"} for group in "abcd"]
    found = may_choose_by(rows, parts, name)
    assert [(row["group"], part) for row, part in found] == [("a", "train"), ("c", "choose"), ("d", "train")]
    with pytest.raises(ValueError, match="without a part: \\['d'\\]"):
        may_choose_by(rows, parts[:3], name)


PARTS = ("train", "report", "choose", "train")


def test_whitening_to_the_full_power_makes_all_directions_equal():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 5))
    exact = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    for power in (0.0, 0.5, 1.0):
        made = half_whitened(vectors, power)
        assert np.linalg.norm(made, axis=1) == pytest.approx(1)
        other = half_whitened(3 * vectors - 7, power)
        assert made @ made.T == pytest.approx(other @ other.T, abs=1e-6)
    unit = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    plain, white = half_whitened(vectors, 0.0), half_whitened(vectors, 1.0)
    assert plain @ plain.T == pytest.approx(unit @ unit.T, abs=1e-6)
    # Mahalanobis: the directions of a fully whitened set
    inverse = np.linalg.inv(exact.T @ exact)
    cosines = exact @ inverse @ exact.T
    lengths = np.sqrt(np.diag(cosines))
    assert white @ white.T == pytest.approx(cosines / np.outer(lengths, lengths), abs=1e-6)


def test_a_constant_value_does_not_count():
    vectors = np.random.default_rng(0).normal(size=(30, 3))
    one, other = half_whitened(vectors), half_whitened(np.column_stack([vectors, np.full(30, 5.0)]))
    assert one @ one.T == pytest.approx(other @ other.T, abs=1e-6)


LABELS = [each for each in ("forest", "river", "town") for _ in range(40)]
PLACES = [f"{label} {number % 20}" for number, label in enumerate(LABELS)]


def one_hot(names) -> np.ndarray:
    order = sorted(set(names))
    return np.array([[name == each for each in order] for name in names], float)


def test_one_label_is_judged_on_other_places():
    assert one_label(one_hot(LABELS), LABELS, PLACES, draws=3) == 1
    # a model that knows places by heart knows nothing about others
    assert one_label(one_hot(PLACES), LABELS, PLACES, draws=5) == pytest.approx(1 / 3, abs=0.12)


def test_several_labels_are_judged_on_other_places():
    labels = [("1;2", "2", "")[number % 3] for number in range(60)]
    places = [str(number // 3) for number in range(60)]
    known = np.array([["1" in each, "2" in each] for each in labels], float)
    assert several_labels(known, labels, places) == 1
    half = several_labels(known[:, 1:], labels, places)
    # class 2 is known, of class 1 only that it is among half of the images: (1 + 1 / 2) / 2
    assert half == pytest.approx(0.75, abs=0.1)
    by_heart = several_labels(one_hot(places), [each.split(";")[0] for each in labels], places)
    assert by_heart == pytest.approx(1 / 3, abs=0.1)


def image(size: int, number: int) -> SimpleNamespace:
    return SimpleNamespace(values=np.full((1, 2, size, size), number), bands=("B4", "B8"))


def test_images_of_one_shape_are_computed_together_and_keep_their_order(monkeypatch):
    monkeypatch.setattr(choosing, "BATCH", 2)
    asked = []

    def vectors(images):
        assert len({each.values.shape for each in images}) == 1
        asked.append(len(images))
        return np.array([[each.values.mean()] for each in images])

    images = [image(8 + 8 * (number % 2), number) for number in range(6)]
    assert vectors_of(images, vectors)[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert sorted(asked) == [1, 1, 2, 2]


# -- the table ---------------------------------------------------------------------------------------------------------


def result(*runs: tuple[str, int, float], speed: float = 50.0) -> dict:
    return {
        "command": "a command",
        "images": 48_000,
        "batch": 16,
        "references": {"untrained": {"mean": 0.4}},
        "runs": [
            {"choice": name, "differs": f"what {name} is", "seed": seed, "scores": {"mean": value, "speed": speed}}
            for name, seed, value in runs
        ],
    }


def cells(text: str, name: str) -> dict[str, str]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return dict(zip(rows[0], next(row for row in rows if row[0] == name), strict=True))


def test_differences_are_paired_by_seed():
    made = result(("base", 0, 0.5), ("base", 1, 0.7), ("other", 1, 0.71), ("other", 0, 0.53), ("other", 2, 0.1))
    text = table(made)
    assert cells(text, "base")["mean"] == "0.600 (0.141)"
    # +0.03 and +0.01; the third seed has nothing to be compared with
    assert cells(text, "other")["mean"] == "+0.020 (0.014)"
    assert cells(text, "other")["images/s"] == "x 1.00"
    assert cells(text, "other")["seeds"] == "3"
    assert cells(text, "untrained")["mean"] == "0.400"
    assert text.index("| base") < text.index("| other") < text.index("| untrained")


def test_what_was_not_measured_is_empty():
    text = table(result(("base", 0, 0.5), ("other", 0, 0.4)))
    for name in ("base", "other"):
        assert {cells(text, name)[title] for title in ("EuroSAT", "hidden bands", "token error")} == {""}
    assert cells(text, "other")["mean"] == "-0.100"
    assert cells(table(result(("other", 0, 0.4))), "other")["mean"] == ""
    assert set(cells(text, "base")) == {"choice", "what differs", *COLUMNS.values(), "seeds"}
