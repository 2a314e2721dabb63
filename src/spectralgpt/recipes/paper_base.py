"""The paper's pretraining of SpectralGPT (Base): fMoW-Sentinel at 96 pixels, then BigEarthNet at 128.

Hong et al., IEEE TPAMI 2024, and the authors' description: 200 epochs with 20 of warm-up, effective batch 4096, cosine,
AdamW (0.9, 0.95), 90 % hidden; the second stage at half of the rate. Weights of their shape, in their units.
"""

from spectralgpt.training.recipe import DataChoice, Machine, ModelChoice, Recipe, Stage


def recipe() -> Recipe:
    """Expects the folders `fmow-sentinel` and `bigearthnet` of shards below --data."""
    first = Stage(
        name="fmow-sentinel",
        data=(DataChoice("fmow-sentinel"),),
        image=96,
        batch=4096,
        epochs=200,
        warmup=0.1,
        lr=3.2e-3,
        # as their code: rows stay rows, and columns are mirrored half of the time
        turns=False,
    )
    second = Stage(
        name="bigearthnet",
        data=(DataChoice("bigearthnet"),),
        image=128,
        batch=4096,
        epochs=200,
        warmup=0.1,
        lr=1.6e-3,
        turns=False,
    )
    return Recipe(
        name="paper-base",
        model=ModelChoice(
            size="base", place_nodes=None, spectrum="groups", normalization="min_max", time_and_scale=False
        ),
        stages=(first, second),
        held_back=0.0,
        machine=Machine(micro=128, workers=8, save_every=500),
    )
