"""Whether an offset is still in the values, or was subtracted once too often."""

import numpy as np
from jaxtyping import Shaped

from spectralgpt.checks.flags import Flag, listed
from spectralgpt.checks.pixel_sample import TOO_FEW_PIXELS, PixelSample
from spectralgpt.checks.remedy import remedy
from spectralgpt.checks.typical import typical

OFFSET = 0.1
"""Reflectance for which 1000 stands, which Sentinel-2 products add since baseline 04.00."""

EDGE = 0.02
"""How far above OFFSET the darkest band's 2 % quantile may be for the offset to be suspected; haze is above."""

NEGATIVE, NEGATIVE_SHARE = -0.01, 0.05
"""Reflectance below the first in more than the second share of values: an absent offset was subtracted."""

CIRRUS_BAND = 1360.0, 1390.0
"""nm, between which a band shows only high cloud."""

VISIBLE = 700.0
"""nm; some band below it is dark in every clean scene, as water and vegetation are."""

BRIGHTEST = 1.7
"""Reflectance that hardly any surface exceeds."""

WRAPPED, WRAPPED_PIXELS, DARK_BESIDE = 64_000, 3, 0.5
"""A number from the first up to the largest of 16 bits, where other bands of the pixel are below the last reflectance,
was below zero; a few pixels are enough."""


def suspected_offset(sample: PixelSample, declared: bool) -> list[Flag]:
    """Sentinel-2's +1000 left in, or subtracted where it was absent; per date, as a series may contain both.

    Also where metadata state an offset, as they may be wrong; but one that they state other than 0 is not left in.
    """
    stated = declared and bool((sample.offset != 0).any())
    return [*_subtracted(sample, declared), *([] if stated else _left_in(sample, declared))]


def may_be_left_in(reflectance: Shaped[np.ndarray, " value"]) -> bool:
    """Whether values may include OFFSET: hardly any would be below 0 without it."""
    return reflectance.size > 0 and bool((reflectance < OFFSET + NEGATIVE).mean() <= NEGATIVE_SHARE)


def _subtracted(sample: PixelSample, declared: bool) -> list[Flag]:
    values = sample.values[:, sample.reflective]
    known = ~np.isnan(values)
    below = (values < NEGATIVE).sum() / max(known.sum(), 1)
    if below <= NEGATIVE_SHARE:
        return []
    offsets = sample.offset[sample.reflective]
    if (offsets < 0).any():
        right, how = (
            0.0,
            f"an offset of {offsets.min():g} was applied to values from which it had already been subtracted",
        )
    else:
        right, how = OFFSET, "an offset was subtracted that was not in the values"
    scale = float(np.median(sample.scale[sample.reflective]))
    return [
        Flag(
            "offset",
            (),
            f"found {below:.0%} of the reflectance below {NEGATIVE}; expected hardly any. Perhaps {how}: compare with "
            f"the product. If so, {remedy(sample, scale, right, declared)}",
        )
    ]


def _left_in(sample: PixelSample, declared: bool) -> list[Flag]:
    reference = typical(sample.level)
    sentinel2 = all(
        here is not None and abs(band.wavelength - reference.wavelength[here]) < 1.5
        for band, here in zip(sample.bands, reference.same(sample.bands), strict=True)
    )
    lifted = [date for date in range(len(sample.values)) if sentinel2 and _lifted(sample, date)]
    if not lifted:
        return []
    scale = float(np.median(sample.scale[sample.reflective]))
    source = "" if sample.in_memory else "give the product with its metadata, or "
    which = "" if len(lifted) == len(sample.values) else f" in {len(lifted)} of {len(sample.values)} dates"
    return [
        Flag(
            "offset",
            (),
            f"found no value below {OFFSET} in any band{which}, as if the +1000 of Sentinel-2 products since "
            "baseline 04.00 were still included; expected dark pixels near 0 in some band. If so, "
            f"{source}{remedy(sample, scale, -OFFSET, declared)}",
        )
    ]


def _lifted(sample: PixelSample, date: int) -> bool:
    """Whether a date's values begin right above OFFSET. The cirrus band shows only high cloud, which makes it
    certain; without it some band must come near OFFSET, as haze and dry soil seldom do.
    """
    values = [np.sort(each[~np.isnan(each)]) for each in sample.values[date]]
    # a stray pixel below 1000 is noise over water
    if any(len(each) < TOO_FEW_PIXELS or each[len(each) // 10_000] < OFFSET - 1e-4 for each in values):
        return False
    low = [float(each[len(each) // 50]) for each in values]
    for lowest, each, band in zip(low, values, sample.bands, strict=True):
        if CIRRUS_BAND[0] < band.wavelength < CIRRUS_BAND[1]:
            return lowest < OFFSET + EDGE and float(np.median(each)) < lowest + EDGE
    return min(low) < OFFSET + EDGE and any(band.wavelength < VISIBLE for band in sample.bands)


def wrapped(sample: PixelSample) -> tuple[PixelSample, list[Flag]]:
    """The sample without numbers of 16 bits that wrapped below zero, and a flag on them."""
    bits = np.isclose((sample.top - sample.offset) / sample.scale, np.iinfo(np.uint16).max)
    bits &= sample.top > BRIGHTEST  # where large numbers may be reflectance, they are no sign
    if not bits.any() or len(sample.bands) < 2:
        return sample, []
    stored = sample.stored()
    high = (stored >= WRAPPED) & (stored < np.iinfo(np.uint16).max - 0.5) & bits[:, None]
    # at 65535 a sensor is saturated, in bright places; what wrapped is among dark values
    dark = (sample.values < DARK_BESIDE).sum(axis=1, keepdims=True) > (~np.isnan(sample.values)).sum(
        axis=1, keepdims=True
    ) / 3
    high |= bits[:, None] & (stored > np.iinfo(np.uint16).max - 0.5) & high.any()
    high &= dark
    bands = [name for name, found in zip(sample.names, high.any(axis=(0, 2)), strict=True) if found]
    if high.any(axis=1).sum() < WRAPPED_PIXELS or len(np.unique(stored[high].round())) < 2:
        return sample, []
    flag = Flag(
        "offset",
        tuple(bands),
        f"found {stored[high].min():.0f} to {stored[high].max():.0f} in dark pixels of {listed(bands)} "
        f"({high.any(axis=1).sum()} pixels of the sample); expected small numbers. Something was subtracted from "
        "unsigned integers, which then start again at 65535: ask its provider, or subtract in floats",
    )
    return sample.without(high), [flag]
