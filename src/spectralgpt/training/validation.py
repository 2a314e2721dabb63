"""Validation on held-back samples: the same samples and draws at every time."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spectralgpt.data import Samples, centred, centred_mask
from spectralgpt.draws import keys
from spectralgpt.nn import Precision, computing_in
from spectralgpt.tasks import Batch, scores_of
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.recipe import Stage
from spectralgpt.training.stage_data import StageData
from spectralgpt.weights import PretrainedModel

VALIDATED, PICTURED = 48, 6
"""Number of samples that are validated (about), and number of them in the picture."""
DRAWS = -7
"""The place of the random keys of validation, different from those of all steps."""


@dataclass(frozen=True, slots=True)
class Validation:
    """losses: val_loss and its parts, means over what counts. samples: for the picture, from this process: the first
    sample of each of some layouts, as the objective returns it. score: of all held-back samples, by the first score of
    the kind of labels; 0 where it is not defined, or nothing was judged."""

    losses: dict[str, float]
    samples: list[Any]
    score: float = 0.0


@torch.no_grad()
def validate(
    model: PretrainedModel,
    stage: Stage,
    data: StageData,
    micro: int,
    precision: Precision,
    distribution: Distribution,
    *,
    judged: bool = False,
) -> Validation:
    """Losses of held-back samples by `validating` of the objective, of all of them with their score where they are
    `judged`; the model is in evaluation mode afterwards.

    By all processes together, each with its share of the samples; all make the same number of passes, which a model
    that is distributed over them needs. model: the bare model.
    """
    objective = stage.task.validating()
    model.eval()
    pieces = list(_pieces(data, micro, stage.data.dates, None if judged else VALIDATED))
    tables: list[tuple[int, Any]] = []
    sums: dict[str, list[float]] = {}
    samples: list[Any] = []
    for start in range(0, len(pieces), distribution.ranks):
        mine = start + distribution.rank
        counts = mine < len(pieces)
        # processes without work repeat a piece, which is not counted
        batch = _batch(model, stage, *pieces[mine if counts else start])
        prepared = objective.prepare(model, batch)
        with computing_in(precision, model.device):
            totals = objective.totals(model, prepared)
            if judged and counts:
                tables.append((mine, objective.judged(model, prepared)))
            if len(samples) < PICTURED:
                samples.append(objective.sample(model, prepared))
        for name, total in totals.items():
            parts = sums.setdefault(name, [0.0, 0.0])
            parts[0] += float(total) * counts
            parts[1] += float(prepared.counts[name]) * counts
    names = list(sums)
    added = distribution.mean([each for name in names for each in sums[name]])
    # where the count is 0, the total is 0 as well
    means = {f"val_{name}": added[2 * i] / (added[2 * i + 1] or 1.0) for i, name in enumerate(names)}
    score = _score(stage, [each for found in distribution.gathered(tables) for each in found]) if judged else 0.0
    return Validation({"val_loss": sum(means.values()), **means}, [each for each in samples if each is not None], score)


def _score(stage: Stage, tables: Sequence[tuple[int, Any]]) -> float:
    """The score that choices are made by, of the tables of all pieces with their numbers."""
    labels = stage.task.labels
    assert labels is not None, "what is judged has labels"
    ordered = [table for _, table in sorted(tables, key=lambda each: each[0])]
    value = scores_of(labels)[0].of(type(ordered[0]).joined(ordered))
    return value if math.isfinite(value) else 0.0


def _pieces(data: StageData, micro: int, dates: int, most: int | None) -> Iterator[tuple[Samples, bool]]:
    """Samples with their first dates, at most `micro` at once; and whether their bands form groups of their own."""
    for samples, own in data.held_samples(most):
        for start in range(0, len(samples), micro):
            yield samples.part(slice(start, start + micro), dates=dates), own


def _batch(model: PretrainedModel, stage: Stage, samples: Samples, own: bool) -> Batch:
    """The centre crops of the samples."""
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
    target = samples.target
    if target is not None and stage.task.labels is not None:
        target = (centred_mask(samples, stage.augmentation.image) if target.ndim == 3 else target).to(model.device)
    return Batch(cube, key, 0, target)
