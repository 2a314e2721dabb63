"""The loop in its thinnest form: one process, random crops of one image."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from spectralgpt.draws import keys
from spectralgpt.nn import Cube, Precision
from spectralgpt.tasks import Batch, Objective
from spectralgpt.training import Distribution, Meter, Work, cosine, make_optimizer, train_steps


def train(
    model: nn.Module,
    batches: Iterable[Batch],
    objective: Objective,
    *,
    steps: int,
    lr: float,
    warmup: int,
    precision: Precision = "auto",
    log_every: int = 10,
) -> list[dict[str, float]]:
    """Train the model in place; the records of the meter. lr: the peak of the cosine after `warmup` steps."""
    distribution = Distribution(0, 1, next(model.parameters()).device)
    work = (Work(step, [batch]) for step, batch in enumerate(islice(batches, steps), start=1))
    optimizer, meter = make_optimizer(model, lr=lr), Meter(distribution)
    records: list[dict[str, float]] = []

    def rate(step: int) -> float:
        return cosine(step, steps=steps, warmup=warmup, peak=lr)

    model.train()
    for done in train_steps(model, optimizer, objective, work, rate, distribution, precision=precision):
        meter.add(done)
        if done.step % log_every == 0 or done.step == steps:
            records.append(meter.record())
    model.eval()
    return records


def random_crops(cube: Cube, side: int, batch: int, seed: int) -> Iterator[Batch]:
    """Endless batches of square crops of one image (a cube of batch 1). side: pixels."""
    _, _, _, height, width = cube.shape
    rng, step = np.random.default_rng(seed), 0
    while True:
        corners = list(
            zip(rng.integers(0, height - side + 1, batch), rng.integers(0, width - side + 1, batch), strict=True)
        )

        def crops(values: Tensor, corners: list[tuple[np.int64, np.int64]] = corners) -> Tensor:
            return torch.stack([values[0, ..., r : r + side, c : c + side] for r, c in corners])

        scaling = replace(
            cube.scaling,
            centre=cube.scaling.centre.expand(batch, -1, -1),
            scale=cube.scaling.scale.expand(batch, -1, -1),
        )
        crop = replace(
            cube,
            values=crops(cube.values),
            valid=None if cube.valid is None else crops(cube.valid),
            days=cube.days.expand(batch, -1),
            gsd=cube.gsd.expand(batch),
            scaling=scaling,
        )
        key = torch.from_numpy(keys(seed, step, np.arange(batch)).view(np.int64))
        yield Batch(crop, key, int(keys(seed, step)) >> 1)
        step += 1
