"""The pretraining of SpectralGPT+ (Huge) in the paper: paper-base with a larger model."""

from dataclasses import replace

from spectralgpt.recipes.pretraining import paper_base
from spectralgpt.training import Recipe


def recipe() -> Recipe:
    """Expects the same shards as paper-base."""
    base = paper_base.recipe()
    machine = replace(base.machine, micro=32, checkpointing=True)
    return replace(base, name="paper-huge", model=replace(base.model, size="huge"), machine=machine)
