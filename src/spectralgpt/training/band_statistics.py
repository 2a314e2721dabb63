"""How a model's bands go together in the samples of a run, from which hidden bands are estimated at the start."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from threadpoolctl import threadpool_limits
from torch import Tensor

from spectralgpt.bands import BandSet, align
from spectralgpt.data import Shards, centred
from spectralgpt.draws import permutation
from spectralgpt.errors import OptionError
from spectralgpt.nn import Cube, Normalization
from spectralgpt.nn.conditional_mean import Gaussians, closest_covariance, slots_of_model
from spectralgpt.training.stage_data import StageData

MEASURED_SAMPLES = 1000
"""Samples that are measured, at most about."""
THINNED_BY = 4
"""Every so many rows and columns are measured, as neighbours are alike."""
MEASURED_AT_ONCE = 16
"""Samples in memory."""

FITTED_PIXELS = 250_000
"""Pixels that a mixture is fitted to, at most about."""
LEAST_PIXELS = 100
"""Of each Gaussian of a mixture."""
FITTED_VARIANCE = 1e-4
"""Added to the variances of each Gaussian; in the normalization's units, squared."""
FITTING_ROUNDS = 100
"""At most."""

LayoutRows = tuple[Shards, int, Int64[np.ndarray, "..."]]
"""Samples of a layout."""


def band_covariance(
    stages: Sequence[StageData], bands: BandSet, normalization: Normalization, image: int
) -> Float64[np.ndarray, "slot slot"]:
    """The covariance of the slots of a model, about 0, in the units of its normalization; all eigenvalues above 0.

    From samples to train on, the same in every process: of layouts that have all bands of the model. Pairs of bands
    that these do not have come from the other layouts; where no layout has them, bands are uncorrelated, of variance 1.
    image: side of the measured crops, pixels.
    """
    whole, others = _layouts(stages, bands)
    found, known = _means(whole, bands, normalization, image)
    if not known.all():
        more, seen = _means(others, bands, normalization, image)
        found = np.where(known, found, np.where(seen, more, np.eye(len(found))))
    return closest_covariance(found)


def band_mixture(
    stages: Sequence[StageData], bands: BandSet, normalization: Normalization, image: int, gaussians: int
) -> Gaussians:
    """A mixture of Gaussians of the slots of a model, in the units of its normalization, fitted by
    expectation-maximization to pixels that are valid in all bands.

    From samples to train on, the same in every process: of layouts that have all bands of the model, each layout in
    proportion to its samples. image: side of the measured crops, pixels. OptionError where there are too few pixels.
    """
    # takes seconds to import, and few runs need it
    from sklearn.mixture import GaussianMixture

    whole, _ = _layouts(stages, bands)
    found = [_pixels(cube) for cube in _cubes(whole, bands, normalization, image)]
    pixels = np.concatenate(found) if found else np.empty((0, len(bands)))
    if len(pixels) < LEAST_PIXELS * gaussians:
        raise OptionError(
            f"model.gaussians: found {gaussians}, and {len(pixels)} pixels with all {len(bands)} bands of the model",
            f"at most 1 Gaussian per {LEAST_PIXELS} such pixels; 1 needs none with all bands",
        )
    kept = permutation(0, len(pixels), count=len(pixels))[:FITTED_PIXELS]
    # threads add up in an order of their own, and processes have to agree
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it would still move after the last round
        fitted = GaussianMixture(gaussians, reg_covar=FITTED_VARIANCE, random_state=0, max_iter=FITTING_ROUNDS)
        fitted.fit(pixels[kept])
    return Gaussians(*(torch.from_numpy(each) for each in (fitted.weights_, fitted.means_, fitted.covariances_)))


def _pixels(cube: Cube) -> Float64[np.ndarray, "pixel slot"]:
    """Some pixels of a cube that are valid in all bands, in the order of the model's slots."""
    values, valid = _thinned(cube)
    found = values[valid.all(dim=1)]
    return torch.empty_like(found).index_copy_(1, torch.tensor(_slots_of_bands(cube.bands)), found).numpy()


def _thinned(cube: Cube) -> tuple[Float64[Tensor, "pixel band"], Bool[Tensor, "pixel band"]]:
    """Some pixels of a cube, 0 where not valid, and which are valid."""
    values, valid = (
        each[..., ::THINNED_BY, ::THINNED_BY].movedim(2, -1).reshape(-1, len(cube.bands))
        for each in (torch.where(cube.all_valid(), cube.values, 0.0), cube.all_valid())
    )
    return values.double(), valid


def _layouts(stages: Sequence[StageData], bands: BandSet) -> tuple[list[LayoutRows], list[LayoutRows]]:
    """The layouts with all bands of the model, and the others; each once, also if several stages have it."""
    found = {
        (source.shards.folder, layout): (source.shards, layout, rows)
        for data in stages
        for source, own in zip(data.sources, data.own, strict=True)
        for layout, rows in zip(source.layouts, source.rows, strict=True)
        if not own
    }
    parts: tuple[list[LayoutRows], list[LayoutRows]] = ([], [])
    for shards, layout, rows in found.values():
        aligned = align(shards.layouts[layout].bands, bands, own=False).bandset
        parts[len(aligned) < len(bands)].append((shards, layout, rows))
    return parts


def _means(
    layouts: Sequence[LayoutRows], bands: BandSet, normalization: Normalization, image: int
) -> tuple[Float64[np.ndarray, "slot slot"], np.ndarray]:
    """Mean of the product of each pair of slots over pixels that are valid in both, and which pairs there are."""
    slots = len(bands.groups) * bands.slots
    sums, counts = torch.zeros((2, slots, slots), dtype=torch.float64)
    for cube in _cubes(layouts, bands, normalization, image):
        taken = torch.tensor(_slots_of_bands(cube.bands))
        values, valid = _thinned(cube)
        for total, each in ((sums, values), (counts, valid.double())):
            total[taken[:, None], taken] += each.T @ each
    return (sums / counts.clamp(min=1)).numpy(), (counts > 0).numpy()


def _slots_of_bands(bands: BandSet) -> list[int]:
    """The slot in the model of each band of a cube."""
    of_model = slots_of_model(bands)
    taken = (number * bands.slots + slot for number, group in enumerate(bands.groups) for slot in group.taken_slots())
    return [of_model[slot] for slot in taken]


def _cubes(layouts: Sequence[LayoutRows], bands: BandSet, normalization: Normalization, image: int) -> Iterator[Cube]:
    """The middles of drawn samples, of each layout in proportion to its samples."""
    total = sum(len(rows) for _, _, rows in layouts)
    for shards, layout, rows in layouts:
        count = max(1, MEASURED_SAMPLES * len(rows) // total) if total else 0
        chosen = np.sort(rows[permutation(0, layout, count=len(rows))[:count]])
        for start in range(0, len(chosen), MEASURED_AT_ONCE):
            samples = shards.read(layout, chosen[start : start + MEASURED_AT_ONCE])
            yield centred(samples, image, bands, normalization, trained_side=image)
