"""Tests whether everything works with these shards on this machine: two stages, less than a minute on two cores."""

from spectralgpt.data import Augmentation
from spectralgpt.tasks import Pretraining
from spectralgpt.training import Machine, Mixture, ModelChoice, Recipe, Schedule, Stage


def recipe() -> Recipe:
    """Does not show how good a model can become."""
    first = Stage(
        name="32 px",
        task=Pretraining(mask_ratio=0.75, spectral_weight=0.1),
        augmentation=Augmentation(image=32),
        schedule=Schedule(steps=30, lr=6e-4, clip=1.0),
        data=Mixture(batch=8),
    )
    return Recipe(
        name="smoke",
        model=ModelChoice(size="tiny", start="local"),
        stages=(first, first.but(name="64 px, two dates", image=64, dates=2, batch=4, steps=20, lr=3e-4)),
        held_back=0.05,
        machine=Machine(micro=8, workers=1, log_every=5, save_every=25, picture_every=25),
    )
