"""The pretraining of SpectralGPT (Base) in the paper: fMoW-Sentinel at 96 pixels, then BigEarthNet at 128 pixels.

Hong et al., IEEE TPAMI 2024, and the authors' description: 200 epochs, 20 of them warm-up, effective batch 4096,
cosine, AdamW (0.9, 0.95), 90 % hidden; the second stage at half the rate. Shapes and normalization as in their weights.
"""

from spectralgpt.data import Augmentation
from spectralgpt.tasks import Pretraining
from spectralgpt.training import DataChoice, Machine, Mixture, ModelChoice, Recipe, Schedule, Stage


def recipe() -> Recipe:
    """Expects the shards in the subfolders `fmow-sentinel` and `bigearthnet`."""
    first = Stage(
        name="fmow-sentinel",
        task=Pretraining(),
        # as in the authors' code: rows stay rows, and columns are mirrored half of the time
        augmentation=Augmentation(image=96, turns=False),
        schedule=Schedule(epochs=200, warmup=0.1, lr=3.2e-3),
        data=Mixture((DataChoice("fmow-sentinel"),), batch=4096),
    )
    second = first.but(name="bigearthnet", image=128, lr=1.6e-3, sources=(DataChoice("bigearthnet"),))
    return Recipe(
        name="paper-base",
        model=ModelChoice(
            size="base", place_nodes=None, spectrum="groups", normalization="min_max", time_and_scale=False
        ),
        stages=(first, second),
        held_back=0.0,
        machine=Machine(micro=128, workers=8, save_every=500),
    )
