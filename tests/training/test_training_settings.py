"""Settings to JSON and back, and single values changed by name."""

import json
import re
from dataclasses import replace

import pytest

from spectralgpt.data import Augmentation
from spectralgpt.errors import OptionError
from spectralgpt.plain import differences, from_plain, to_plain
from spectralgpt.settings import changed
from spectralgpt.tasks import Pretraining
from spectralgpt.training import DataChoice, Machine, Mixture, ModelChoice, Recipe, Schedule, Stage

RECIPE = Recipe(
    "made",
    (
        Stage(
            "one",
            Pretraining(),
            Augmentation(64, gsd=(5.0, 20.0)),
            Schedule(steps=9),
            Mixture((DataChoice("a", 0.3), DataChoice("b", 0.7, ("s2-l2a",), 2, "own"))),
        ),
        Stage("two", Pretraining(), Augmentation(96), Schedule(epochs=2.5, clip=1.0)),
    ),
    ModelChoice("tiny"),
    ema=0.99,
)


def test_json_and_back():
    assert from_plain(Recipe, json.loads(json.dumps(to_plain(RECIPE)))) == RECIPE


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("stages.0.lr=1e-4", lambda r: r.stages[0].schedule.lr == 1e-4 and r.stages[1] == RECIPE.stages[1]),
        ("stages.0.schedule.lr=1e-4", lambda r: r.stages[0].schedule.lr == 1e-4),
        ("stages.*.batch=7", lambda r: [stage.data.batch for stage in r.stages] == [7, 7]),
        ("stages.1.area=0.5, 0.9", lambda r: r.stages[1].augmentation.area == (0.5, 0.9)),
        ("stages.0.gsd=none", lambda r: r.stages[0].augmentation.gsd is None),
        ("stages.1.gsd=(10,10)", lambda r: r.stages[1].augmentation.gsd == (10.0, 10.0)),
        ("stages.0.turns=false", lambda r: r.stages[0].augmentation.turns is False),
        (
            "stages.0.data.sources.1.sensors=s2-l1c,hls-s30",
            lambda r: r.stages[0].data.sources[1].sensors == ("s2-l1c", "hls-s30"),
        ),
        ("stages.0.data.sources.0.weight=2", lambda r: r.stages[0].data.sources[0].weight == 2.0),
        ("stages.0.mask=place", lambda r: r.stages[0].task.mask == "place"),
        ("model.size=small", lambda r: r.model.size == "small"),
        ("ema=none", lambda r: r.ema is None),
        ("seed=5", lambda r: r.seed == 5),
        ("machine.wandb=my=project", lambda r: r.machine.wandb == "my=project"),
    ],
)
def test_a_value_by_its_name(change, expected):
    result = changed(RECIPE, [change])
    assert expected(result)
    # the part that owns the field may be left out
    *path, field = change.partition("=")[0].split(".")
    key = r"(\.\w+)?\.".join([r"\.".join(r"\d" if each == "*" else each for each in path), field]).removeprefix(".")
    key = key if path else field
    others = [
        each for each in differences(to_plain(result), to_plain(RECIPE)) if not re.match(rf"{key}(\.\d)?: ", each)
    ]
    assert not others, "nothing else changes"


def test_changes_apply_in_order_and_are_checked_together():
    """Epochs go and steps come: neither alone would be a stage."""
    result = changed(RECIPE, ["stages.1.epochs=none", "stages.1.steps=5", "stages.1.steps=6"])
    assert (result.stages[1].schedule.epochs, result.stages[1].schedule.steps) == (None, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("stages.0.lr", "no `=`"),
        ("stages.0.lrr=1", r"stages\.0\.lrr.*Did you mean lr\?"),
        ("optimizer.lr=1", "optimizer.*expected one of: name, stages"),
        ("stages.2.lr=1", "'2'; expected a number from 0 to 1"),
        ("lr=1", r"Did you mean stages\.\*\.lr\?"),
        ("stages.0=1", "group of settings"),
        ("model=tiny", "group of settings"),
        ("stages.0.lr.x=1", "no name below a single value"),
        ("stages.0.lr=fast", "'fast'; expected a number"),
        ("stages.0.lr=nan", "expected a number"),
        ("stages.0.batch=2.5", "expected a whole number"),
        ("stages.0.batch=none", "found nothing|'none'"),
        ("stages.0.turns=perhaps", "true or false"),
        ("stages.0.area=0.5", "1 values; expected 2"),
        ("stages.0.mask=half", "'half'; expected one of: random, place"),
        ("model.size=giant", "'giant'; expected one of: tiny"),
        ("stages.0.mask_ratio=1", "mask_ratio: found 1.0; expected between 0 and 1"),
        ("stages.0.epochs=3", "epochs 3.0 and steps 9; expected one"),
        ("stages.0.area=0.9,0.5", "area"),
        ("stages.0.image=100", "multiple of the patch, 8 pixels"),
        ("stages.0.warmup=1", r"^set='stages\.0\.warmup=1': stages\.0\.schedule\.warmup: found 1.0"),
        ("stages.0.betas=0.9,1.5", r"stages\.0\.schedule\.betas: found"),
        ("stages.0.spectral_weight=-1", r"stages\.0\.task\.spectral_weight: found -1.0"),
        ("stages.0.image=7", r"^set='stages\.0\.image=7': stages\.0\.augmentation\.image: found 7"),
        ("stages.1.steps=3", r"^set='stages\.1\.steps=3': stages\.1\.schedule: found epochs 2.5 and steps 3"),
        ("model.patch=0", r"model\.patch: found 0"),
        ("model.place_nodes=0", r"model\.place_nodes: found 0"),
        ("machine.micro=0", r"machine\.micro: found 0"),
        ("held_back=1", "held_back"),
        ("ema=1", "ema"),
    ],
)
def test_what_does_not_fit_is_told(change, message):
    with pytest.raises(OptionError, match=message) as refused:
        changed(RECIPE, [change])
    assert str(refused.value).startswith(f"set={change!r}: ")


def test_of_several_changes_the_message_names_those_that_it_is_about():
    both = "stages.0.steps=none", "stages.0.epochs=none"
    for changes, named in (
        (("seed=1", "stages.*.batch=-1", "stages.1.lr=1"), "set='stages.*.batch=-1': stages.0.data.batch: found -1"),
        (("seed=1", *both), f"set={list(both)}: stages.0.schedule: found "),
        (("seed=1", "stages.1.image=100"), "set=['seed=1', 'stages.1.image=100']: stage two, image: found 100"),
    ):
        with pytest.raises(OptionError, match=f"^{re.escape(named)}"):
            changed(RECIPE, changes)


def test_one_change_may_be_a_text_and_none_a_dict():
    assert changed(RECIPE, "model.size=small").model.size == "small"
    with pytest.raises(OptionError, match=r"^set: found a dict; expected texts .* like set=\['seed=1', "):
        changed(RECIPE, {"model.size": "small"})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda plain: plain | {"deptth": 3}, "deptth: unknown name"),
        (lambda plain: {key: value for key, value in plain.items() if key != "stages"}, "no stages"),
        (lambda plain: plain | {"stages": []}, "no stage"),
        (lambda plain: plain | {"stages": "one"}, "stages: found 'one'; expected a list"),
        (lambda plain: plain | {"seed": "0"}, "seed: found '0'; expected a whole number"),
        (lambda plain: plain | {"seed": True}, "seed: found True"),
        (lambda plain: plain | {"machine": 3}, "machine: found 3; expected names and values"),
        (lambda plain: [], "names and values"),
    ],
)
def test_a_damaged_configuration_is_refused(damage, message):
    with pytest.raises(OptionError, match=message):
        from_plain(Recipe, damage(to_plain(RECIPE)))


def test_differences_are_told_with_both_values():
    other = replace(RECIPE, seed=3, machine=Machine(micro=5))
    assert list(differences(to_plain(other), to_plain(RECIPE))) == ["seed: 3, was 0", "machine.micro: 5, was 64"]
