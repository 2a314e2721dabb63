"""Every recipe that ships is one that can run, and the paper's are the paper's."""

import pytest
import torch

from spectralgpt import recipes
from spectralgpt.bands import sensor
from spectralgpt.errors import OptionError
from spectralgpt.nn import MaskedAutoencoder
from spectralgpt.plain import from_plain, to_plain
from spectralgpt.tasks import Pretraining
from spectralgpt.training import Recipe, cosine


@pytest.mark.parametrize("name", recipes.names("pretraining"))
def test_a_recipe_has_the_name_of_its_file_and_builds_its_model(name):
    recipe = recipes.find("pretraining", name)()
    assert recipe.name == name
    assert from_plain(Recipe, to_plain(recipe)) == recipe
    for stage in recipe.stages:
        with torch.device("meta"):
            model = MaskedAutoencoder(recipe.model.config(stage.augmentation.image))
        assert model.config.image == stage.augmentation.image
        assert stage.augmentation.image % model.config.patch == 0


def test_what_ships():
    assert set(recipes.names("pretraining")) >= {
        "multi-sensor",
        "own",
        "paper-base",
        "paper-huge",
        "paper-large",
        "smoke",
    }


@pytest.mark.parametrize(("name", "millions"), [("paper-base", 98.5), ("paper-large", 316.1), ("paper-huge", 643.8)])
def test_the_papers_runs(name, millions):
    """fMoW-Sentinel at 96 px, then BigEarthNet at 128: 200 epochs, 20 of warm-up, 4096 samples a step, 90 % hidden."""
    recipe = recipes.find("pretraining", name)()
    first, second = recipe.stages
    for stage in recipe.stages:
        plan, drawn = stage.schedule, stage.augmentation
        assert (plan.epochs, plan.warmup * plan.epochs, stage.data.batch) == (200, pytest.approx(20), 4096)
        assert stage.task == Pretraining(mask="random", mask_ratio=0.9, normalized_target=False)
        assert (plan.betas, plan.weight_decay, plan.lr_end, plan.clip) == ((0.9, 0.95), 0.05, 0.0, None)
        assert (drawn.area, drawn.flips, drawn.turns) == ((0.2, 1.0), True, False)
    assert (first.augmentation.image, first.schedule.lr) == (96, 3.2e-3)
    assert (second.augmentation.image, second.schedule.lr) == (128, 1.6e-3)
    assert cosine(20, steps=200, warmup=20, peak=first.schedule.lr) == first.schedule.lr
    assert (recipe.model.normalization, recipe.model.time_and_scale) == ("min_max", False)
    with torch.device("meta"):
        model = MaskedAutoencoder(recipe.model.config(128))
    # of the published count; ours has tables of time and scale besides
    assert sum(p.numel() for p in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)
    assert model.config.place_nodes == (16, 16)
    assert model.config.bands.bands == sensor("spectralgpt-12").bands


def test_an_unknown_name_comes_with_the_nearest():
    with pytest.raises(OptionError, match=r"paper-bse.*Did you mean paper-base\?"):
        recipes.find("pretraining", "paper-bse")
