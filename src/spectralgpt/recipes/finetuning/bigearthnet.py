"""BigEarthNet with 19 classes, several labels, all training images: 150 epochs at 128 pixels."""

from dataclasses import replace

from spectralgpt.recipes.finetuning import eurosat
from spectralgpt.recipes.label_facts import LabelFacts
from spectralgpt.tasks.classification import Classifying
from spectralgpt.training import Recipe


def recipe(data: LabelFacts) -> Recipe:
    """The paper reports mean average precision (macro and micro) after training on all training images of BigEarthNet;
    its figure is not repeated here, as it could not be checked.

    As eurosat, by the authors' command, but with the binary cross-entropy of each class, without mixing and without
    smoothing; the paper's batch is not known to us, 256 is that of the command.
    """
    data.require("classes", "bigearthnet")
    base = eurosat.recipe(replace(data, target="class"))
    task = Classifying(several=True, drop_path=0.2)
    return replace(base, name="bigearthnet", stages=(base.stages[0].but(name="bigearthnet", task=task, batch=256),))
