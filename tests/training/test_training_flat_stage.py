"""Runs that spectralgpt 0.1 started, whose stages were flat, go on; their config.json starts new ones."""

import json
import shutil

import pytest

from made_runs import made_recipe, made_shards, weights_of
from spectralgpt.errors import OptionError
from spectralgpt.plain import from_plain, to_plain
from spectralgpt.training import Recipe, checkpoints, run_recipe, run_training
from spectralgpt.training.flat_stage import with_parts


def flat(recipe: Recipe) -> dict:
    """The recipe as it was written then."""
    plain = to_plain(recipe)
    for stage in plain["stages"]:
        parts = [stage.pop(part) for part in ("task", "augmentation", "schedule", "data")]
        stage["data"] = parts[3].pop("sources")
        for part in parts:
            stage |= part
        # what has no such name there
        for name in ("type", "kernel", "antialias", "descriptor_weight", "layer_decay", "head_factor", "least_ratio"):
            stage.pop(name, None)
        stage.pop("freeze", None)
    return plain


def test_a_flat_stage_is_taken_apart():
    recipe = made_recipe()
    old = flat(recipe)
    assert set(old["stages"][0]) > {"name", "image", "lr", "mask", "batch", "data"}
    assert from_plain(Recipe, with_parts(old)) == recipe
    assert with_parts(to_plain(recipe)) == to_plain(recipe)


@pytest.mark.parametrize("damage", [{"lrr": 1}, {"image": "a"}])
def test_what_does_not_fit_is_still_refused(damage):
    old = flat(made_recipe())
    old["stages"][0] |= damage
    with pytest.raises(OptionError, match=next(iter(damage))):
        from_plain(Recipe, with_parts(old))


def test_an_old_run_goes_on_to_the_same_weights(tmp_path):
    shards, run = made_shards(tmp_path / "shards"), tmp_path / "run"
    recipe = made_recipe(steps=(4, 3), keep=10, save_every=2)
    run_training(recipe, shards, run, device="cpu")
    finished = weights_of(run)
    # as it was when it was stopped in its first stage, by the version before
    shutil.rmtree(run / "weights")
    for newer in checkpoints(run / "checkpoints")[:-1]:
        shutil.rmtree(newer)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"recipe": flat(recipe)}))
    assert from_plain(Recipe, run_recipe(run)) == recipe
    result = run_training(recipe, shards, run, device="cpu")
    assert result.finished
    assert "resumed from step-00000002" in result.notes
    assert weights_of(run) == finished
