"""For data of your own: head, length, rate and image side are chosen by the kind of labels and the number of images."""

import math
from typing import Any

from spectralgpt.data import Augmentation
from spectralgpt.recipes.label_facts import LabelFacts
from spectralgpt.tasks import task_of
from spectralgpt.tasks.fitting import Fitting
from spectralgpt.training import Machine, Mixture, ModelChoice, Recipe, Schedule, Stage

OWN_SIDES = (16, 128)
"""Smallest and largest side of the cubes, in pixels."""
OWN_BATCHES = (2, 16)
"""Fewest and most images per step."""
FEW_IMAGES = 1000
"""Images below which training is short at a high rate, labels are not mixed, and heads are small."""
OWN_STEPS = (150, 6000)
"""Fewest and most steps."""


def recipe(data: LabelFacts) -> Recipe:
    """Steps of at most 16 images: 15 times the root of the number of images, and 150 or more; from 1,000 images on, 30
    times the root, up to 6,000. Cubes have the images' own side, up to 128 pixels.

    With tiny weights, a busy machine of two cores trained on about 9 images of 64 pixels per second, and on 3 to 4 of
    128: a minute or two for 25 small images, half an hour for 1,000, hours from 10,000 on.

    Below 1,000 images, the rate 2e-3 (five times that for the head), the length, and that images are not mixed where an
    image has the labels, were chosen by the loss on the part val of sets of 16 to 142 images (docs/finetuning.md). For
    more images the numbers are set by hand: judge them by the score on the part val.
    """
    batch, few = _batch(data.images), data.images < FEW_IMAGES
    steps = min(max(round((15 if few else 30) * math.sqrt(data.images)), OWN_STEPS[0]), OWN_STEPS[1])
    epochs = math.ceil(max(1.0, steps * batch / data.images))
    stage = Stage(
        name="fit",
        task=_task(data, few, judge_every=max(1, round(epochs / 25))),
        augmentation=Augmentation(image=_side(data.side), area=(0.5, 1.0)),
        schedule=Schedule(
            epochs=epochs,
            lr=2e-3 if few else 1e-3,
            warmup=0.1,
            betas=(0.9, 0.999),
            clip=1.0,
            layer_decay=0.75,
            head_factor=5.0 if few else 1.0,
        ),
        data=Mixture(dates=2 if data.target == "change" else min(data.dates, 4), batch=batch),
    )
    return Recipe(
        name="own",
        model=ModelChoice(size="tiny"),
        stages=(stage,),
        machine=Machine(micro=16, workers=1, save_every=50, picture_every=10**9, tensorboard=False),
    )


def _batch(images: int) -> int:
    """A power of 2, so that mixed pairs fill a step, and four steps or more per epoch where there are enough images."""
    fitting = 1 << (max(1, images // 4).bit_length() - 1)
    return min(max(fitting, OWN_BATCHES[0]), OWN_BATCHES[1])


def _side(side: int) -> int:
    """A multiple of 8 pixels."""
    return min(max(8 * round(side / 8), OWN_SIDES[0]), OWN_SIDES[1])


def _task(data: LabelFacts, few: bool, judge_every: int) -> Fitting:
    """The objective. Rare classes weigh more in masks, and the dice loss is added there."""
    made: Any = task_of(data.target).objective
    settings: dict[str, Any]
    if data.target in ("class", "classes"):
        several = data.target == "classes"
        # a label of a mixed image is a share, which the loss of several labels takes as it is
        smoothing = 0.0 if several else 0.1
        mixing = {} if few else {"mixup": 0.8, "cutmix": 1.0}
        settings = {"several": several, "smoothing": smoothing, "erasing": 0.25, **mixing}
    else:
        settings = {"channels": 64 if few else 256, "balance": 0.5, "dice_weight": 1.0, "cutmix": 1.0}
    if data.target == "change":
        # a change of season is none, in whichever order its two dates come
        settings["combine"] = "distance"
    task = made(drop_path=0.1, judge_every=judge_every, **settings)
    assert isinstance(task, Fitting), "what is fitted to labels is an objective of fine-tuning"
    return task
