"""Whether each band was scaled by itself, to one range: then the bands say nothing about each other any more."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from spectralgpt.checks.flags import Flag
from spectralgpt.checks.pixel_sample import TOO_FEW_PIXELS, PixelSample

ZERO, SAME_END = 0.02, 1e-6
"""Share of the largest value within which all bands begin at 0; relative difference within which they end alike."""

SAME_QUANTILES = 0.01
"""The same, for bands with 2 % and 98 % quantiles that were put to 0 and 1."""

FEWEST_SCALED = 3
"""Bands from which on it is no chance."""


def scaled_by_itself(
    sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"], found: Sequence[Flag], declared: bool
) -> list[Flag]:
    """What else was found, or in its place that each band was scaled by itself, where all have one range.

    Bright images that are clipped have one range, too: it is suspected only where units, level or order are, or from 0
    to 1 exactly. declared: whether metadata state scale and offset.
    """
    end = _one_range(sample, quantiles)
    if end is None:
        return list(found)
    units = [flag for flag in found if flag.kind in ("units", "scale")]
    if units:
        also = f". But all bands end at {end:.6g}: if each was scaled by itself, no scale helps; get the original"
        return [replace(flag, text=flag.text + also) if flag in units else flag for flag in found]
    odd = [flag for flag in found if flag.kind in ("level", "order")]
    if not odd and (declared or not _exactly_to_1(sample)):
        return list(found)
    return [
        *(flag for flag in found if flag not in odd),
        Flag(
            "scale",
            (),
            f"found bands that all begin near 0 and end at {end:.6g}; expected reflectance, with another range in "
            "each. Perhaps each band was scaled by itself, and no scale, level or order of bands puts that right: get "
            "the original",
        ),
    ]


def _one_range(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"]) -> float | None:
    """The stored number at which all bands end, where they begin near 0; None where their ranges differ."""
    bands = [band for band in np.flatnonzero(sample.reflective).tolist() if sample.measured(band).size]
    if len(bands) < FEWEST_SCALED or min(sample.measured(band).size for band in bands) < TOO_FEW_PIXELS:
        return None
    scale, offset = sample.scale[bands], sample.offset[bands]
    ends = np.array([(sample.measured(band).min(), sample.measured(band).max()) for band in bands], np.float64).T
    for each, same in ((ends, SAME_END), (quantiles[::2, bands], SAME_QUANTILES)):
        low, high = (each - offset) / scale
        if high.min() > 0 and np.ptp(high) <= same * high.max() and np.abs(low).max() <= ZERO * high.max():
            return float(high.max())
    return None


def _exactly_to_1(sample: PixelSample) -> bool:
    """Whether all bands are floats from 0 to 1."""
    bands = np.flatnonzero(sample.reflective).tolist()
    values = [sample.measured(band) for band in bands]
    return bool(np.isinf(sample.top[bands]).all()) and all(
        each.size and each.min() == 0 and abs(each.max() - 1) <= SAME_END for each in values
    )
