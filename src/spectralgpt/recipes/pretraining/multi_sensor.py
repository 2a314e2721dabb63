"""Any mixture of sensors, resolutions and dates: 96 pixels with one date, 128 with one, then 128 with up to four."""

from spectralgpt.data import Augmentation
from spectralgpt.tasks import Pretraining
from spectralgpt.training import Machine, Mixture, ModelChoice, Recipe, Schedule, Stage


def recipe() -> Recipe:
    """Expects shards of any sensors; those with bands that the model does not recognize are left out and reported.

    Masks are mixed, so that whole groups, places and dates are rebuilt from the others, and bands are missing in a
    third of the steps, so that the model copes with sensors without them.
    """
    one = Stage(
        name="one date, 96 px",
        task=Pretraining(mask="mixed", mask_ratio=0.8),
        augmentation=Augmentation(image=96, missing_bands=0.33),
        schedule=Schedule(epochs=100, lr=1.6e-3, clip=1.0),
        data=Mixture(batch=1024),
    )
    return Recipe(
        name="multi-sensor",
        model=ModelChoice(size="base"),
        stages=(
            one,
            one.but(name="one date, 128 px", image=128, epochs=50, lr=8e-4),
            one.but(name="four dates, 128 px", image=128, dates=4, batch=512, epochs=50, lr=4e-4),
        ),
        ema=0.999,
        machine=Machine(micro=64, workers=8, save_every=500),
    )
