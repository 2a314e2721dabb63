"""BigEarthNet with 19 classes, a tenth of its training images: as bigearthnet, to be run with a fraction of 0.1."""

from dataclasses import replace

from spectralgpt.recipes.finetuning import bigearthnet
from spectralgpt.recipes.label_facts import LabelFacts
from spectralgpt.training import Recipe


def recipe(data: LabelFacts) -> Recipe:
    """The paper reports mean average precision after training on 10 % of the images, as SeCo and SatMAE did; its figure
    is not repeated here, as it could not be checked.

    Give fraction=0.1, which draws the tenth and saves its list; the paper's own list of images is not part of the
    package. Everything else is as in bigearthnet.
    """
    data.require("classes", "bigearthnet-10")
    return replace(bigearthnet.recipe(data), name="bigearthnet-10")
