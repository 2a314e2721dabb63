"""Fine-tuning recipes: the paper's have the paper's numbers, and `own` chooses by the labels and how many there are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spectralgpt import recipes
from spectralgpt.errors import OptionError
from spectralgpt.plain import from_plain, to_plain
from spectralgpt.recipes import LabelFacts
from spectralgpt.tasks import task_of
from spectralgpt.training import Recipe

FACTS = {
    target: LabelFacts(target, 2 if target == "change" else 5, 500, 64, 2 if target == "change" else 1)
    for target in ("class", "classes", "mask", "change")
}
TARGETS = {
    "eurosat": "class",
    "bigearthnet": "classes",
    "bigearthnet-10": "classes",
    "segmunich": "mask",
    "oscd": "change",
}
ALL = [*TARGETS.items(), *(("own", target) for target in FACTS)]


def made(name: str, target: str, **facts) -> Recipe:
    return recipes.find("finetuning", name)(replace(FACTS[target], **facts))


def test_what_ships():
    assert set(recipes.names("finetuning")) >= {"own", *TARGETS}


@pytest.mark.parametrize(("name", "target"), ALL)
def test_a_recipe_has_the_name_of_its_file_and_makes_its_model(name, target):
    recipe = made(name, target)
    assert recipe.name == name
    assert from_plain(Recipe, to_plain(recipe)) == recipe
    (stage,) = recipe.stages
    assert stage.task.labels == target
    assert stage.task.task == task_of(target).name
    with torch.device("meta"):
        model = recipe.task.made(recipe.model.config(stage.augmentation.image), stage.task.head_config())
    assert sum(each.numel() for each in model.parameters()) > 0
    assert stage.task.chooses


@pytest.mark.parametrize("name", TARGETS)
def test_other_labels_are_refused(name):
    wanted = TARGETS[name]
    for target in FACTS:
        if target != wanted:
            with pytest.raises(OptionError, match=rf"recipe {name}: found labels of the kind '{target}'.*'{wanted}'"):
                made(name, target)


def test_the_papers_classifiers():
    stage = made("eurosat", "class").stages[0]
    plan, task = stage.schedule, stage.task
    assert (plan.epochs, plan.warmup * 150, plan.lr, plan.weight_decay) == (150, pytest.approx(20), 2e-4, 0.05)
    assert (plan.betas, plan.layer_decay, plan.clip) == ((0.9, 0.999), 0.75, None)
    assert (stage.augmentation.image, stage.augmentation.area, stage.data.batch) == (128, (0.2, 1.0), 512)
    assert (task.drop_path, task.mixup, task.cutmix, task.erasing, task.smoothing) == (0.2, 0.8, 1.0, 0.25, 0.1)
    several = made("bigearthnet", "classes").stages[0]
    assert (several.schedule, several.augmentation, several.data.batch) == (plan, stage.augmentation, 256)
    assert (several.task.several, several.task.mixup, several.task.cutmix, several.task.smoothing) == (True, 0, 0, 0)
    assert made("bigearthnet-10", "classes").stages == made("bigearthnet", "classes").stages


@pytest.mark.parametrize(("name", "epochs", "warmup"), [("segmunich", 250, 15), ("oscd", 300, 0)])
def test_the_papers_maps(name, epochs, warmup):
    stage = made(name, TARGETS[name]).stages[0]
    plan = stage.schedule
    assert (plan.epochs, plan.warmup * epochs, plan.lr, plan.weight_decay) == (
        epochs,
        pytest.approx(warmup),
        1e-4,
        1e-5,
    )
    assert (stage.augmentation.image, stage.data.batch) == (128, 32)
    assert (stage.task.head, stage.task.drop_path, stage.task.dice_weight) == ("dense", 0.5, 0)


def test_balance_of_oscd_is_that_of_the_authors_weights():
    """10 times the changed share for `no change`, the other share for `change`, at 3 % changed pixels."""
    stage = made("oscd", "change").stages[0]
    ours = stage.task.balanced(np.array([97_000, 3_000]), 100_000)
    authors = 10 * 2 * 0.03, 2 * 0.97
    assert ours[0] / ours[1] == pytest.approx(authors[0] / authors[1], rel=0.05)


def test_own_chooses_by_the_number_of_images():
    sizes = (1, 3, 12, 72, 500, 5_000, 50_000)
    found = [made("own", "class", images=count).stages[0] for count in sizes]
    steps = [each.schedule.epochs * count / each.data.batch for each, count in zip(found, sizes, strict=True)]
    assert steps == sorted(steps)
    assert all(150 <= each <= 7_000 for each in steps)
    assert [each.data.batch for each in found] == [2, 2, 2, 16, 16, 16, 16]
    assert [each.schedule.lr for each in found] == [2e-3] * 5 + [1e-3] * 2
    assert [bool(each.task.mixup and each.task.cutmix) for each in found] == [False] * 5 + [True] * 2
    # about 25 judgements, at most one per epoch
    assert all(
        min(25, each.schedule.epochs) * 0.6 <= each.schedule.epochs / each.task.judge_every <= 40 for each in found
    )


@pytest.mark.parametrize(("side", "image"), [(5, 16), (16, 16), (33, 32), (64, 64), (120, 120), (512, 128)])
def test_own_takes_the_images_own_side(side, image):
    assert made("own", "class", side=side).stages[0].augmentation.image == image


def test_own_chooses_the_head_and_losses_by_the_labels():
    assert made("own", "classes").stages[0].task.several
    assert not made("own", "class").stages[0].task.several
    for target in ("mask", "change"):
        few, many = (made("own", target, images=count).stages[0].task for count in (100, 5_000))
        assert (few.head, few.channels, many.channels) == ("light", 64, 256)
        assert few.dice_weight > 0
        assert few.balance > 0
    assert made("own", "change").stages[0].data.dates == 2
    assert made("own", "change").stages[0].task.combine == "distance"
    assert made("oscd", "change").stages[0].task.combine == "difference"
    assert made("own", "class", dates=7).stages[0].data.dates == 4


@pytest.mark.parametrize(("kind", "name", "words"), [
    ("finetuning", "eurosatt", "Did you mean eurosat?"),
    ("finetuning", "paper-base", "paper-base' is a recipe of pretrain.*verb `pretrain`"),
    ("pretraining", "oscd", "oscd' is a recipe of finetune.*verb `finetune`"),
])  # fmt: skip
def test_unknown_names(kind, name, words):
    with pytest.raises(OptionError, match=words.replace("?", r"\?")):
        recipes.find(kind, name)
