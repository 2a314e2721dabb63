"""Values far below zero: no reflectance, whatever offset was left out or subtracted."""

import numpy as np
from jaxtyping import Float

from spectralgpt.checks.flags import Flag, FlagKind
from spectralgpt.checks.pixel_sample import TOO_FEW_PIXELS, PixelSample
from spectralgpt.checks.remedy import remedy
from spectralgpt.errors import argument

LOWEST, LOW_SHARE = -0.3, 0.05
"""Reflectance below the first in more than the second share of values: no offset that a product uses, 0.1 and 0.2,
subtracted once too often makes dark places so low."""

STORED_OFFSET = -1.0
"""An offset below this is one in stored units; none in reflectance is as large."""

DECIBELS = -100.0
"""Logarithms of power, like 10 log10 of radar's, are above this and below 0."""

DIGITAL_NUMBERS = 100.0
"""Floats typically below this are no digital numbers, which reach thousands."""

STANDARDIZED = 0.5, (0.5, 2.0)
"""Largest mean, positive or negative, of most bands, and the limits of their deviation, of values that were divided
by it."""


def beyond_reflectance(sample: PixelSample, refused: bool, declared: bool) -> list[Flag]:
    """A flag on values that are too negative for reflectance with a wrong offset, which says what they look like.
    refused: whether their units are refused anyway. declared: whether metadata state scale and offset."""
    values = _as_meant(sample)
    known = values[~np.isnan(values)]
    if known.size < TOO_FEW_PIXELS or (known < LOWEST).mean() <= LOW_SHARE or len(np.unique(known[:10_000])) < 2:
        return []
    kind: FlagKind = "units" if refused else "scale"
    return [
        Flag(
            kind,
            (),
            f"found {(known < LOWEST).mean():.0%} of the values below {LOWEST}, the lowest {known.min():.4g}; expected "
            f"reflectance, hardly ever below 0. {_looks(sample, values, declared)}",
        )
    ]


def _as_meant(sample: PixelSample) -> Float[np.ndarray, "date band pixel"]:
    """Reflectance; but floats as stored where they are too small to be digital numbers."""
    stored = sample.stored()[:, sample.reflective]
    known = np.abs(stored[~np.isnan(stored)])
    if np.isinf(sample.top).all() and known.size and np.quantile(known, 0.98) < DIGITAL_NUMBERS:
        return stored
    return sample.values[:, sample.reflective].astype(np.float64)


def _looks(sample: PixelSample, values: Float[np.ndarray, "date band pixel"], declared: bool) -> str:
    """What the values look like, and what to do if they are that."""
    scale, offset = (float(np.median(each[sample.reflective])) for each in (sample.scale, sample.offset))
    if offset < STORED_OFFSET:
        right = remedy(sample, scale, offset * scale, declared)
        return f"The offset {offset:g} looks like one in stored units: if so, {right}"
    low = np.unique(sample.stored()[:, sample.reflective][values < LOWEST].round(6))
    if len(low) == 1:
        return f"They are {low[0]:.6g} as stored: if that means no data, give {argument('nodata', f'{low[0]:.6g}')}"
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    if most <= 0 and least > DECIBELS:
        looks = "decibels or other logarithms"
    elif _standardized(values):
        looks = "standardized values (less the mean, divided by the deviation)"
    elif least >= -1 and most <= 1:
        looks = "an index like NDVI, or values scaled to -1 to 1"
    else:
        return "Give reflectance, or the scale and offset that make these numbers reflectance"
    return f"They look like {looks}: give the values before that was done, or another image"


def _standardized(values: Float[np.ndarray, "date band pixel"]) -> bool:
    most, (narrowest, widest) = STANDARDIZED
    with np.errstate(invalid="ignore"):
        means, deviations = np.nanmean(values, axis=(0, 2)), np.nanstd(values, axis=(0, 2))
    return bool(np.nanmedian(np.abs(means)) <= most and narrowest <= np.nanmedian(deviations) <= widest)
