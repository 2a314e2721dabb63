"""The pretraining of SpectralGPT+ (Large) in the paper: paper-base with a larger model."""

from dataclasses import replace

from spectralgpt.recipes.pretraining import paper_base
from spectralgpt.training import Recipe


def recipe() -> Recipe:
    """Expects the same shards as paper-base."""
    base = paper_base.recipe()
    machine = replace(base.machine, micro=64, checkpointing=True)
    return replace(base, name="paper-large", model=replace(base.model, size="large"), machine=machine)
