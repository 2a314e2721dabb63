"""Two stages in under a minute on two cores: whether everything works with these shards on this machine."""

from spectralgpt.training.recipe import Machine, ModelChoice, Recipe, Stage


def recipe() -> Recipe:
    """Says nothing of how good a model can become."""
    return Recipe(
        name="smoke",
        model=ModelChoice(size="tiny", start="local"),
        stages=(
            Stage(name="32 px", image=32, batch=8, steps=30, lr=6e-4, clip=1.0, mask_ratio=0.75, spectral_weight=0.1),
            Stage(
                name="64 px, two dates",
                image=64,
                dates=2,
                batch=4,
                steps=20,
                lr=3e-4,
                clip=1.0,
                mask_ratio=0.75,
                spectral_weight=0.1,
            ),
        ),
        held_back=0.05,
        machine=Machine(micro=8, workers=1, log_every=5, save_every=25, picture_every=25),
    )
