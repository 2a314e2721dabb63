"""A new task is one file: it trains, resumes bit by bit, saves, loads and maps, and no other file mentions it."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))
from made_rasters import NAMES, land, write

from made_runs import made_shards, weights_of
from spectralgpt import tasks
from spectralgpt.checks import check
from spectralgpt.data import Augmentation
from spectralgpt.errors import OptionError
from spectralgpt.nn import Size
from spectralgpt.plain import from_plain, to_plain
from spectralgpt.products import open_raster
from spectralgpt.scenes import map_scene
from spectralgpt.settings import changed
from spectralgpt.training import (
    Machine,
    Mixture,
    ModelChoice,
    Recipe,
    Schedule,
    Stage,
    checkpoints,
    read_log,
    run_training,
)
from spectralgpt.weights import describe, open_weights


@pytest.fixture(scope="module")
def regression():
    """The made-up task, as if its file lay in the room."""
    tasks.__path__.append(str(Path(__file__).parent / "made_tasks"))
    yield tasks.find("regression")
    tasks.__path__.pop()
    sys.modules.pop("spectralgpt.tasks.regression")


@pytest.fixture(scope="module")
def run(regression, tmp_path_factory):
    """The recipe, its shards, and the folder of its run."""
    folder = tmp_path_factory.mktemp("regression")
    stage = Stage(
        "brightness", regression.objective(), Augmentation(16), Schedule(steps=40, lr=3e-3, clip=1.0), Mixture(batch=8)
    )
    machine = Machine(micro=4, workers=0, precision="fp32", log_every=2, save_every=15, keep=9, tensorboard=False)
    model = ModelChoice(shape=Size(32, 2, 2, 32, 1, 2))
    recipe = Recipe("regression", (stage,), model, seed=1, held_back=0.1, machine=machine)
    shards = made_shards(folder / "shards")
    run_training(recipe, shards, folder / "run", device="cpu")
    return recipe, shards, folder / "run"


def test_it_learns_and_is_validated(run):
    records = read_log(run[2] / "log.jsonl")
    losses = [each["loss"] for each in records if "loss" in each]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    assert any("val_square" in each for each in records)


def test_it_has_nothing_that_a_conditional_mean_could_start(run):
    recipe = run[0]
    with pytest.raises(OptionError, match=r"model.conditional_mean: found true for regression; expected pretraining"):
        replace(recipe, model=replace(recipe.model, conditional_mean=True))


def test_its_settings_are_read_by_type(run):
    recipe = run[0]
    plain = to_plain(recipe)
    assert plain["stages"][0]["task"] == {
        "type": "regression",
        "head": {"bias": True, "dropout": 0.2},
        "drop_path": 0.3,
    }
    assert from_plain(Recipe, plain) == recipe
    assert changed(recipe, ["stages.0.task.head.dropout=0.5"]).stages[0].task.head.dropout == 0.5
    with pytest.raises(OptionError, match="'embedding', which has no training"):
        from_plain(Recipe, plain | {"stages": [plain["stages"][0] | {"task": {"type": "embedding"}}]})


def test_it_goes_on_bit_by_bit_with_dropout_and_drop_path(run, tmp_path):
    """From a checkpoint in the middle, as after a kill: no draw depends on earlier draws."""
    import shutil

    recipe, shards, folder = run
    shutil.copytree(folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/weights")
    for newer in checkpoints(tmp_path / "run/checkpoints")[:-1]:
        shutil.rmtree(newer)
    torch.rand(7)
    result = run_training(recipe, shards, tmp_path / "run", device="cpu")
    assert "resumed from step-00000015" in result.notes
    assert weights_of(tmp_path / "run") == weights_of(folder)


def test_its_weights_open_as_any(run):
    model = open_weights(run[2] / "weights")
    assert type(model).__name__ == "Regressor"
    assert model.head_config == run[0].stages[0].task.head
    assert "a number for each place" in str(describe(model))


def test_it_maps_a_scene(run, regression, tmp_path):
    model = open_weights(run[2] / "weights")
    scene = write(tmp_path / "scene.tif", land(100, 132), names=NAMES)
    with open_raster(scene, bands="s2-l1c") as raster:
        answers = regression.answers(model)
        found = map_scene(raster, model, answers, tmp_path / "map.tif", verdict=check(raster), verb={"verb": "map"})
    assert (found.rows, found.columns, found.bands) == (13, 17, 1)
    with rasterio.open(tmp_path / "map.tif") as written:
        assert written.descriptions == ("brightness",)
        assert np.isfinite(written.read()).all()
        assert written.res == (80.0, 80.0)
