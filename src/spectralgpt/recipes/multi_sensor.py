"""Any mixture of sensors, resolutions and dates: 96 pixels of one date, 128 of one, then 128 of up to four."""

from dataclasses import replace

from spectralgpt.training.recipe import Machine, ModelChoice, Recipe, Stage


def recipe() -> Recipe:
    """Expects shards of any sensors in --data; what the model's bands do not know is left out and told.

    Masks are mixed, so that whole groups, places and dates are rebuilt from the others, and bands are missing in a
    third of the steps, so that the model bears what a sensor lacks.
    """
    one = Stage(
        name="one date, 96 px",
        image=96,
        batch=1024,
        epochs=100,
        lr=1.6e-3,
        clip=1.0,
        mask="mixed",
        mask_ratio=0.8,
        missing_bands=0.33,
    )
    return Recipe(
        name="multi-sensor",
        model=ModelChoice(size="base"),
        stages=(
            one,
            replace(one, name="one date, 128 px", image=128, epochs=50, lr=8e-4),
            replace(one, name="four dates, 128 px", image=128, dates=4, batch=512, epochs=50, lr=4e-4),
        ),
        ema=0.999,
        machine=Machine(micro=64, workers=8, save_every=500),
    )
