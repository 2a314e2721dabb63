"""The second step to the weights in the package: the decoder anew, on features that stay as they are."""

from spectralgpt.data import Augmentation
from spectralgpt.tasks import Pretraining
from spectralgpt.training import Machine, Mixture, ModelChoice, Recipe, Schedule, Stage


def recipe() -> Recipe:
    """Trains the decoder of given weights alone, to rebuild whole bands and dates as well as many small parts.

    Pretraining hides most of an image, so that its decoder has never seen one with a single group of bands hidden; here
    each step hides another share. The decoder adds to estimates by a mixture of 64 Gaussians, measured anew. Embeddings
    are those of the given weights (`model.weights`, default `tiny`).
    """
    stage = Stage(
        name="decoder",
        task=Pretraining(mask="mixed", mask_ratio=0.9, least_ratio=0.1, spectral_weight=0.0, freeze=True),
        augmentation=Augmentation(image=64, area=(0.25, 1.0), missing_bands=0.2),
        schedule=Schedule(steps=2_000, lr=3e-4, warmup=0.05, clip=1.0),
        data=Mixture(dates=2, batch=16),
    )
    return Recipe(
        name="decoder",
        model=ModelChoice(weights="tiny", conditional_mean=True, gaussians=64),
        stages=(stage,),
        held_back=0.02,
        ema=0.999,
        machine=Machine(micro=32, workers=1, save_every=500, picture_every=2000),
    )
