"""How the weights in the package are trained: a tiny model, 64 pixels, then 96 with two dates, then 128 with three."""

from spectralgpt.data import Augmentation
from spectralgpt.tasks import Pretraining
from spectralgpt.training import Machine, Mixture, ModelChoice, Recipe, Schedule, Stage


def recipe() -> Recipe:
    """Takes some two and a half hours on two cores for 1,000 samples of up to 128 pixels.

    In a third of the steps bands are missing, so that any subset of them works. Each token also learns to predict
    descriptors of its place and of what surrounds it, in all bands; those of the whole image gave tokens that show the
    borders of windows on a map. The decoder starts from the regression of hidden bands on the visible ones.
    """
    first = Stage(
        name="64 px",
        task=Pretraining(
            mask="mixed", mask_ratio=0.75, spectral_weight=0.1, descriptor_weight=3.0, decode_fraction=0.25
        ),
        augmentation=Augmentation(image=64, area=(0.25, 1.0), missing_bands=0.33),
        schedule=Schedule(steps=24_000, lr=1e-3, warmup=0.02, clip=1.0),
        data=Mixture(batch=16),
    )
    return Recipe(
        name="packaged",
        model=ModelChoice(size="tiny", start="local", conditional_mean=True),
        stages=(
            first,
            first.but(name="96 px, two dates", image=96, dates=2, batch=8, steps=2_500, lr=5e-4),
            first.but(name="128 px, three dates", image=128, dates=3, batch=8, steps=600, lr=2e-4),
        ),
        held_back=0.02,
        ema=0.999,
        machine=Machine(micro=32, workers=1, save_every=500, picture_every=5000),
    )
