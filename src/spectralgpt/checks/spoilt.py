"""Bands that hold no image, or only part of one: constant, clipped, hardly there."""

import numpy as np
from jaxtyping import Bool, Float32

from spectralgpt.checks.flags import Flag, listed
from spectralgpt.checks.pixel_sample import TOO_FEW_PIXELS, PixelSample
from spectralgpt.errors import argument

SATURATED, PILED, FEWEST_LEVELS = 0.01, 3.0, 64
"""Share of values at the largest one; how many times more frequent that is than any other, of at least so many."""

ABSENT = 0.1
"""Share of valid pixels below which a band is as good as missing."""

LAST_BEFORE_ZERO, DARK_NEIGHBOUR = 0.001, 0.02
"""Reflectance: a band that is clipped at 0 has values down to the first; its neighbours are below the second there."""


def constant(sample: PixelSample) -> list[Flag]:
    """One flag on the bands with a single value."""
    found = {}
    for band, name in enumerate(sample.names):
        values = sample.measured(band)
        if values.size >= TOO_FEW_PIXELS and values.min() == values.max():
            found[name] = float(values[0])
    if not found:
        return []
    levels = sorted(set(found.values()))
    values_of = f"{levels[0]:.4g}" if len(levels) == 1 else f"{levels[0]:.4g} to {levels[-1]:.4g}"
    return [
        Flag(
            "constant",
            tuple(found),
            f"found a single value in all of {listed(tuple(found))} ({values_of}); expected an image"
            + (". Leave such bands out" if len(found) < len(sample.names) else ""),
        )
    ]


def saturated(sample: PixelSample) -> list[Flag]:
    """One flag on bands with over 1 % of values at the largest number of their type, or piled up at their own largest
    value."""
    found = {}
    for band, name in enumerate(sample.names):
        values = sample.measured(band)
        if values.size < TOO_FEW_PIXELS or values.min() == values.max():
            continue
        largest = values.max()
        share = float((values == largest).mean())
        if share > SATURATED and (largest >= sample.top[band] or _piled(values, largest)):
            found[name] = share
    if not found:
        return []
    return [
        Flag(
            "saturated",
            tuple(found),
            f"found up to {max(found.values()):.1%} of {listed(tuple(found))} at the band's largest value; expected "
            "hardly any. Bright places are clipped there",
        )
    ]


def _piled(values: Float32[np.ndarray, " value"], largest: np.float32) -> bool:
    """Whether the largest value is far more frequent than any other; repeats of a coarse pixel are no pile."""
    each, counts = np.unique(values, return_counts=True)
    return len(each) > FEWEST_LEVELS and bool(counts[-1] > PILED * counts[:-1].max())


def absent(sample: PixelSample) -> list[Flag]:
    """Bands with hardly any valid pixel; not those that are clipped at 0."""
    clipped = clipped_at_zero(sample)
    found = {
        name: float(share)
        for name, share in zip(sample.names, sample.valid, strict=True)
        if share < ABSENT and name not in clipped
    }
    if not found:
        return []
    return [
        Flag(
            "absent",
            tuple(found),
            f"found {listed(tuple(found))} valid in {_at_most(max(found.values()))} of the pixels; expected an image. "
            "Check nodata, or choose another date",
        )
    ]


def _at_most(share: float) -> str:
    """A share of pixels in words: the least that is still true to one digit."""
    return "none" if share == 0 else "less than 0.1%" if share < 0.001 else f"at most {share:.1%}"


def clipped_at_zero(sample: PixelSample) -> list[str]:
    """Bands with hardly any valid pixel, and dark down to the last number before 0 where they are valid, while the
    nearest bands are dark where they are not: water, in which 0 is a measured value that is read as nodata."""
    names = []
    for band in np.flatnonzero((sample.valid < ABSENT) & (sample.valid > 0)):
        values = sample.measured(int(band))
        if not values.size or not 0 < values.min() <= LAST_BEFORE_ZERO or sample.offset[band] != 0:
            continue
        missing = np.isnan(sample.values[:, band])
        beside = [np.nanmedian(each) for each in _nearest(sample, int(band), missing) if not np.isnan(each).all()]
        if len(beside) == 2 and max(beside) < DARK_NEIGHBOUR:
            names.append(sample.names[band])
    return names


def _nearest(
    sample: PixelSample, band: int, where: Bool[np.ndarray, "date pixel"]
) -> list[Float32[np.ndarray, " value"]]:
    """The values there of the two reflective bands that are nearest in wavelength and not as good as missing."""
    others = [other for other in np.flatnonzero(sample.reflective & (sample.valid >= ABSENT)) if other != band]
    centre = np.log(sample.bands[band].wavelength)
    others.sort(key=lambda other: abs(np.log(sample.bands[other].wavelength) - centre))
    return [np.asarray(sample.values[:, other][where]) for other in others[:2]]


def notes_on_clipped(sample: PixelSample) -> list[str]:
    """A note on bands that are clipped at 0, and how to read them."""
    bands = clipped_at_zero(sample)
    if not bands:
        return []
    return [
        f"{listed(bands)} valid in under {ABSENT:.0%} of the pixels, where other bands are dark as over water: 0 is "
        f"read as no data, but may be measured there. If so, give {argument('nodata', 'none')}"
    ]
