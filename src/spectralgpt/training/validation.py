"""What a model makes of samples that are held back: the same samples and draws whenever it is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spectralgpt.data import Samples, centred
from spectralgpt.draws import keys
from spectralgpt.nn import Precision, computing_in
from spectralgpt.tasks import Batch
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.recipe import Stage
from spectralgpt.training.stage_data import StageData
from spectralgpt.weights import PretrainedModel

SAMPLES, PICTURED = 48, 6
"""About so many are judged, and so many of them drawn."""
DRAWS = -7
"""Of the keys of what is drawn here, apart from those of all steps."""


@dataclass(frozen=True, slots=True)
class Validation:
    """losses: val_loss and its parts, means over what counts. samples: for a picture, of this process: the first sample
    of each of some layouts, as the objective gives it."""

    losses: dict[str, float]
    samples: list[Any]


@torch.no_grad()
def validate(
    model: PretrainedModel, stage: Stage, data: StageData, micro: int, precision: Precision, distribution: Distribution
) -> Validation:
    """Losses of held-back samples by the objective's `validating`; the model is in evaluation mode after it.

    By all processes together, each with its share of the samples: all make the same number of passes, as a model whose
    numbers are spread over them needs. model: the bare one.
    """
    objective = stage.task.validating()
    model.eval()
    pieces = list(_pieces(data, micro, stage.data.dates))
    sums: dict[str, list[float]] = {}
    samples: list[Any] = []
    for start in range(0, len(pieces), distribution.ranks):
        mine = start + distribution.rank
        counts = mine < len(pieces)
        # what is left over is computed by those without work as well, and not counted
        batch = _batch(model, stage, *pieces[mine if counts else start])
        prepared = objective.prepare(model, batch)
        with computing_in(precision, model.device):
            totals = objective.totals(model, prepared)
            if len(samples) < PICTURED:
                samples.append(objective.sample(model, prepared))
        for name, total in totals.items():
            parts = sums.setdefault(name, [0.0, 0.0])
            parts[0] += float(total) * counts
            parts[1] += float(prepared.counts[name]) * counts
    names = list(sums)
    added = distribution.mean([each for name in names for each in sums[name]])
    # where nothing counts the total is 0 as well
    means = {f"val_{name}": added[2 * i] / (added[2 * i + 1] or 1.0) for i, name in enumerate(names)}
    return Validation({"val_loss": sum(means.values()), **means}, [each for each in samples if each is not None])


def _pieces(data: StageData, micro: int, dates: int) -> Iterator[tuple[Samples, bool]]:
    """The samples, their first dates, at most `micro` at once; and whether their bands form groups of their own."""
    for samples, own in data.held_samples(SAMPLES):
        for start in range(0, len(samples), micro):
            yield samples.part(slice(start, start + micro), dates=dates), own


def _batch(model: PretrainedModel, stage: Stage, samples: Samples, own: bool) -> Batch:
    """The middles of the samples."""
    cube = centred(
        samples,
        stage.augmentation.image,
        model.config.bands,
        model.normalization,
        own=own,
        trained_side=model.config.image,
        device=model.device,
    )
    key = torch.from_numpy(keys(DRAWS, samples.number.numpy()).view(np.int64)).to(model.device)
    return Batch(cube, key, 0)
