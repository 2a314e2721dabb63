"""Pretraining on one image for some minutes: one stage, one process."""

import copy
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectralgpt.bands import BandSet, align, sensor
from spectralgpt.errors import RasterError
from spectralgpt.nn import SIZES, ModelConfig, Normalization, PixelsLike, aligned_reflectance
from spectralgpt.progress import Progress, silent
from spectralgpt.training.local_start import start_local
from spectralgpt.training.loop import train
from spectralgpt.training.pretraining import Pretraining, random_crops
from spectralgpt.weights import SpectralGPT

SIDE, BATCH, MASK_RATIO = 128, 2, 0.75
"""Crops of the size of the window that scenes are read in: positions are learned for it. Masks are mixed: whole groups
are hidden as well, so that bands are rebuilt from other bands."""
LR, SPECTRAL_WEIGHT = 6e-4, 0.02
"""In minutes the spectral loss, five times the other one, would leave the places no time: it counts less than 1."""
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
    """A tiny model trained on an image (one date, at least 128 pixels each way), and the log's records.

    The number of steps is what fits into about so many seconds, measured first; given the steps, the same seed gives
    the same weights on the same machine. Statistics of the normalization come from the image.
    """
    bands = BandSet.native(sensor("spectralgpt-12").bands)
    torch.manual_seed(seed)
    model = SpectralGPT(ModelConfig(SIZES["tiny"], bands), _statistics(pixels, bands), provenance | {"seed": seed})
    start_local(model)
    cube = model.cube(pixels)
    objective = Pretraining(torch.Generator().manual_seed(seed), MASK_RATIO, "mixed", spectral_weight=SPECTRAL_WEIGHT)

    def run(trained: SpectralGPT, steps: int, **how: Any) -> list[dict[str, float]]:
        batches = random_crops(cube, SIDE, BATCH, np.random.default_rng(seed))
        return train(trained, batches, objective, steps=steps, lr=LR, warmup=max(1, steps // 10), **how)

    progress("measuring a step", 0, 0)
    probe = copy.deepcopy(model)
    run(probe, 1)  # the first step allocates
    start = time.perf_counter()
    run(probe, LONGEST_PROBE)
    steps = max(8, round(seconds * LONGEST_PROBE / (time.perf_counter() - start)))
    objective.generator.manual_seed(seed)
    records = run(model, steps, log=log, log_every=max(1, steps // 50), progress=progress)
    model.provenance["steps"] = steps
    return model, records


def _statistics(pixels: PixelsLike, bands: BandSet) -> Normalization:
    """Statistics of the file's bands that the model takes, over every hundredth pixel."""
    alignment = align(pixels.bands, bands)
    reflectance, valid = aligned_reflectance(pixels, alignment)
    sample = (0, 0, slice(None), slice(None, None, 10), slice(None, None, 10))
    values = reflectance[sample].flatten(1).T.numpy()
    known = np.ones(values.shape, bool) if valid is None else valid[sample].flatten(1).T.numpy()
    # the sensor's own name for a band, as statistics are looked up by it; the model's where several make one
    named = [
        pixels.bands[fed[0]] if len(fed) == 1 else band
        for fed, band in zip(alignment.feeding, alignment.bandset.bands, strict=True)
    ]
    try:
        return Normalization.fitted(named, values, known)
    except ValueError as error:
        raise RasterError(f"the part to train on: {error}; expected some in every band.") from None
