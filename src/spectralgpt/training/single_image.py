"""Pretraining on a single image for a few minutes: one stage, one process."""

import copy
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spectralgpt.bands import Alignment, BandSet, align, sensor
from spectralgpt.data.image_hash import date_hashes
from spectralgpt.data.layout import wavelength_order
from spectralgpt.draws import keys
from spectralgpt.errors import RasterError
from spectralgpt.nn import (
    SIZES,
    Cube,
    ModelConfig,
    Normalization,
    PixelsLike,
    Precision,
    aligned_reflectance,
    start_local,
)
from spectralgpt.nn.stored_images import Feeding
from spectralgpt.progress import Progress, silent
from spectralgpt.tasks import Batch, Objective, Pretraining
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.loop import Work, train_steps
from spectralgpt.training.meter import Meter
from spectralgpt.training.optimizer import make_optimizer
from spectralgpt.training.schedule import cosine
from spectralgpt.weights import SpectralGPT
from spectralgpt.weights.trained_images import TrainedImages

CROP_SIDE, CROPS_PER_STEP, MASK_RATIO = 128, 2, 0.75
"""Crops of the size of the windows of scenes, so that positions are learned for it. Masks are mixed: whole groups are
hidden as well, so that bands are rebuilt from other bands."""
LR, SPECTRAL_WEIGHT = 6e-4, 0.02
"""The spectral loss is five times the other one; with weight 1, a few minutes would be too short to learn places."""
LONGEST_PROBE = 4


def train_on_image(
    pixels: PixelsLike,
    *,
    seconds: float,
    seed: int,
    provenance: dict[str, Any],
    log: Path | None = None,
    progress: Progress = silent,
) -> tuple[SpectralGPT, list[dict[str, float]]]:
    """A tiny model trained on an image (one date, at least 128 pixels a side), and the records of the log.

    The number of steps that fit into about `seconds` is measured first; with equal steps, the same seed gives the same
    weights on the same machine. Statistics of the normalization come from the image.
    """
    bands = BandSet.native(sensor("spectralgpt-12").bands)
    alignment = align(pixels.bands, bands)
    torch.manual_seed(seed)
    origin = provenance | {"seed": seed} | _trained_images(pixels).entries()
    model = SpectralGPT(ModelConfig(SIZES["tiny"], bands), _statistics(pixels, alignment), origin)
    start_local(model)
    cube = model.cube(pixels, alignment=alignment)
    objective = Pretraining(MASK_RATIO, "mixed", spectral_weight=SPECTRAL_WEIGHT)

    def run(trained: SpectralGPT, steps: int, **how: Any) -> list[dict[str, float]]:
        batches = random_crops(cube, CROP_SIDE, CROPS_PER_STEP, seed)
        return train(trained, batches, objective, steps=steps, lr=LR, warmup=max(1, steps // 10), **how)

    progress("measuring a step", 0, 0)
    probe = copy.deepcopy(model)
    run(probe, 1)  # the first step allocates
    start = time.perf_counter()
    run(probe, LONGEST_PROBE)
    steps = max(8, round(seconds * LONGEST_PROBE / (time.perf_counter() - start)))
    records = run(model, steps, log=log, log_every=max(1, steps // 50), progress=progress)
    model.provenance["steps"] = steps
    return model, records


def _trained_images(pixels: PixelsLike) -> TrainedImages:
    """The image as a whole: no evaluation can look for its random crops."""
    order = wavelength_order(pixels.bands)
    valid = None if pixels.valid is None else np.asarray(pixels.valid)[:, order]
    return TrainedImages(frozenset(date_hashes(np.asarray(pixels.values)[:, order], valid)))


def train(
    model: nn.Module,
    batches: Iterable[Batch],
    objective: Objective,
    *,
    steps: int,
    lr: float,
    warmup: int,
    precision: Precision = "auto",
    log: Path | None = None,
    log_every: int = 10,
    progress: Progress = silent,
) -> list[dict[str, float]]:
    """Train the model in place, in one process; returns the records (Meter), which are also written to `log`.

    lr: the peak of the schedule (cosine after `warmup` steps). log: a file of JSON lines. Raises DivergedError when a
    loss is not finite.
    """
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
            if log is not None:
                with log.open("a") as lines:
                    lines.write(json.dumps(records[-1]) + "\n")
        progress(f"training: loss {records[-1]['loss']:.3f}" if records else "training", done.step, steps)
    model.eval()
    return records


def random_crops(cube: Cube, side: int, batch: int, seed: int) -> Iterator[Batch]:
    """Endless batches of square crops of one image (a cube of batch 1), randomly turned and mirrored.

    side: pixels, at most the sides of the image.
    """
    _, _, _, height, width = cube.shape
    rng, step = np.random.default_rng(seed), 0
    while True:
        rows = rng.integers(0, height - side + 1, batch)
        columns = rng.integers(0, width - side + 1, batch)
        turns, mirrored = rng.integers(0, 4, batch), rng.integers(0, 2, batch)
        where = list(zip(rows.tolist(), columns.tolist(), turns.tolist(), mirrored.tolist(), strict=True))

        def crops(values: Tensor, where: list[tuple[int, int, int, int]] = where) -> Tensor:
            parts = (
                (torch.rot90(values[0, ..., r : r + side, c : c + side], turn, (-2, -1)), mirror)
                for r, c, turn, mirror in where
            )
            return torch.stack([part.flip(-1) if mirror else part for part, mirror in parts])

        valid = None if cube.valid is None else crops(cube.valid)
        crop = replace(
            cube,
            values=crops(cube.values),
            # most crops of an image with gaps have none, and attention without a mask is faster
            valid=None if valid is None or bool(valid.all()) else valid,
            days=cube.days.expand(batch, -1),
            gsd=cube.gsd.expand(batch),
            scaling=replace(
                cube.scaling,
                centre=cube.scaling.centre.expand(batch, -1, -1),
                scale=cube.scaling.scale.expand(batch, -1, -1),
            ),
        )
        key = torch.from_numpy(keys(seed, step, np.arange(batch)).view(np.int64)).to(cube.values.device)
        yield Batch(crop, key, int(keys(seed, step)) >> 1)
        step += 1


def _statistics(pixels: PixelsLike, alignment: Alignment) -> Normalization:
    """Statistics of the bands of the file that the model takes, over every hundredth pixel."""
    reflectance, valid = aligned_reflectance(pixels, alignment)
    sample = (0, 0, slice(None), slice(None, None, 10), slice(None, None, 10))
    values = reflectance[sample].flatten(1).T.numpy()
    known = np.ones(values.shape, bool) if valid is None else valid[sample].flatten(1).T.numpy()
    try:
        return Normalization.fitted(Feeding.of(pixels.bands, alignment).named, values, known)
    except ValueError as error:
        raise RasterError(f"the part to train on: {error}", "some in every band") from None
