"""Bands that hold no image, or only part of one: constant, clipped, hardly there."""

import numpy as np
from jaxtyping import Float32

from spectralgpt.checks.flags import Flag, listed
from spectralgpt.checks.pixel_sample import TOO_FEW_PIXELS, PixelSample

SATURATED, PILED, FEWEST_LEVELS = 0.01, 3.0, 64
"""Share of values at the largest one; how many times more frequent that is than any other, of at least so many."""

ABSENT = 0.1
"""Share of valid pixels below which a band is as good as missing."""


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
    """Bands with hardly any valid pixel."""
    bands = [name for name, share in zip(sample.names, sample.valid, strict=True) if share < ABSENT]
    if not bands:
        return []
    share = float(sample.valid[sample.valid < ABSENT].max())
    return [
        Flag(
            "absent",
            tuple(bands),
            f"found {listed(bands)} valid in {share:.1%} of the pixels or less; expected an image. Check nodata, or "
            "choose another date",
        )
    ]
