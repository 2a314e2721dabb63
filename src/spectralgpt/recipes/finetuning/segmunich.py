"""SegMunich, 13 classes of land use: 250 epochs of 128-pixel tiles with the paper's dense head."""

from spectralgpt.data import Augmentation
from spectralgpt.recipes.label_facts import LabelFacts
from spectralgpt.recipes.pretraining import paper_base
from spectralgpt.tasks.segmentation import Segmenting
from spectralgpt.training import Machine, Mixture, Recipe, Schedule, Stage


def recipe(data: LabelFacts) -> Recipe:
    """The paper reports overall accuracy and mean IoU; its figures are not repeated here, as they could not be checked.

    By the authors' code: AdamW with rate 1e-4 and weight decay 1e-5, 15 epochs of warmup, 32 tiles per step, drop path
    up to 0.5, plain cross-entropy, flips and quarter turns. Their rate falls by (1 - t)^0.9, ours as a cosine.
    """
    data.require("mask", "segmunich")
    return Recipe(
        name="segmunich",
        model=paper_base.recipe().model,
        stages=(
            Stage(
                name="segmunich",
                task=Segmenting(head="dense", drop_path=0.5),
                augmentation=Augmentation(image=128, area=(1.0, 1.0), aspect=(1.0, 1.0)),
                schedule=Schedule(epochs=250, warmup=15 / 250, lr=1e-4, weight_decay=1e-5, betas=(0.9, 0.999)),
                data=Mixture(batch=32),
            ),
        ),
        machine=Machine(micro=16, workers=8, picture_every=10**9),
    )
