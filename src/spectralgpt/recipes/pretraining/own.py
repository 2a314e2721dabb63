"""A small run on a folder of your own shards: a tiny model, 64 pixels, then 96 pixels with two dates."""

from spectralgpt.data import Augmentation
from spectralgpt.tasks import Pretraining
from spectralgpt.training import Machine, Mixture, ModelChoice, Recipe, Schedule, Stage


def recipe() -> Recipe:
    """Takes two hours for 1,400 samples on two cores, or a night on a laptop. `set` changes it: stages.*.epochs=400 for
    more epochs, model.size=small for another size."""
    first = Stage(
        name="64 px",
        task=Pretraining(mask_ratio=0.75, spectral_weight=0.1),
        augmentation=Augmentation(image=64, missing_bands=0.1),
        schedule=Schedule(epochs=30, lr=1e-3, warmup=0.05, clip=1.0),
        data=Mixture(batch=16),
    )
    return Recipe(
        name="own",
        model=ModelChoice(size="tiny", start="local"),
        stages=(first, first.but(name="96 px, two dates", image=96, dates=2, batch=8, epochs=40, lr=8e-4)),
        held_back=0.1,
        machine=Machine(micro=16, workers=1, save_every=200, picture_every=1000),
    )
