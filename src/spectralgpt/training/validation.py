"""What a model makes of samples that are held back: the same samples and masks whenever it is asked."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from spectralgpt.data import centred
from spectralgpt.draws import keys
from spectralgpt.nn import Cube, Precision, Reconstruction, computing_in
from spectralgpt.training.pretraining import Batch, Pretraining
from spectralgpt.training.recipe import Stage
from spectralgpt.training.stage_data import StageData
from spectralgpt.weights import SpectralGPT

SAMPLES, PICTURED = 48, 6
"""About so many are rebuilt, and so many of them drawn."""
MASKS = -7
"""Of the keys of these masks, apart from those of all steps."""


@dataclass(frozen=True, slots=True)
class Validation:
    """losses: val_loss and its parts, means over what is hidden. rebuilt: the first sample of each of some layouts."""

    losses: dict[str, float]
    rebuilt: list[Reconstruction]


@torch.no_grad()
def validate(model: SpectralGPT, stage: Stage, data: StageData, micro: int, precision: Precision) -> Validation:
    """Losses of held-back samples with random masks of the stage's ratio; the model is in evaluation mode after it."""
    objective = Pretraining(stage.mask_ratio, "random", stage.normalized_target, stage.spectral_weight)
    sums: dict[str, tuple[float, float]] = {}
    rebuilt: list[Reconstruction] = []
    model.eval()
    for cube, key in _cubes(model, stage, data, micro):
        prepared = objective.prepare(model, Batch(cube, key, 0))
        with computing_in(precision, model.device):
            totals = objective.totals(model, prepared)
            if len(rebuilt) < PICTURED:
                rebuilt.append(_first(model, cube, prepared.work.mask.hidden))
        for name, total in totals.items():
            before = sums.get(name, (0.0, 0.0))
            sums[name] = before[0] + float(total), before[1] + float(prepared.counts[name])
    means = {f"val_{name}": total / max(count, 1.0) for name, (total, count) in sums.items()}
    return Validation({"val_loss": sum(means.values()), **means}, rebuilt)


def _cubes(
    model: SpectralGPT, stage: Stage, data: StageData, micro: int
) -> Iterator[tuple[Cube, Int64[Tensor, " batch"]]]:
    """The middles of the samples, their first dates; and the keys of their masks."""
    for samples, own in data.held_samples(SAMPLES):
        for start in range(0, len(samples), micro):
            piece = samples.part(slice(start, start + micro), dates=stage.dates)
            cube = centred(
                piece,
                stage.image,
                model.config.bands,
                model.normalization,
                own=own,
                trained_side=model.config.image,
                device=model.device,
            )
            yield cube, torch.from_numpy(keys(MASKS, piece.number.numpy()).view(np.int64)).to(model.device)


def _first(model: SpectralGPT, cube: Cube, hidden: Bool[Tensor, "batch token"]) -> Reconstruction:
    one = cube.part(slice(1))
    return model.reconstruct(one, hidden[:1].reshape(1, *model.grid_of(one).shape))
