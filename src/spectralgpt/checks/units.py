"""Whether values are reflectance, by how bright they are: far off is refused, less far off only suspected."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectralgpt.checks.flags import Flag, FlagKind
from spectralgpt.checks.offset import VISIBLE
from spectralgpt.checks.pixel_sample import PixelSample
from spectralgpt.checks.remedy import remedy
from spectralgpt.checks.typical import typical
from spectralgpt.errors import argument

TIMES_UP, TIMES_DOWN = 20, 200
"""How many times brighter or darker than usual an image with a declared scale may be; clean water is 40 times darker,
cloud 5 brighter."""

SUSPECTED_UP, SUSPECTED_DOWN = 5.0, 2.5
"""How many times too bright half of the bands must be, or too dark all of them, to be suspected where no metadata
declare the scale. Some band of a clean image is always nearly as bright as usual: over water the blue one."""

REFUSED_TIMES = 10.0
"""How many times, in either direction, such an image is refused."""

FEW, FEW_SUSPECTED, FEW_REFUSED = 3, 10.0, 20.0
"""Number of bands below which the two numbers after it take the place of the limits above: a single band, like near
infrared over water, is dark more easily."""

TOO_DARK = 0.01
"""Usual reflectance below which a band says nothing about units."""

LIKELY = {
    "10 times reflectance": 10.0,
    "percent": 100.0,
    "0 to 255": 255.0,
    "1000 times reflectance": 1000.0,
    "10000 times reflectance": 10_000.0,
    "stretched to 16 bits": 65_535.0,
    "a tenth of reflectance": 0.1,
    "reflectance from 0 to 1": 1.0,
}
"""What numbers may be, and by how many times they are then larger than reflectance."""

WITHIN = math.log(4.0)
"""Logarithm of how many times brighter or darker than usual a right image may well be, as what it is taken for."""

BRIGHT, BRIGHTEST_SEEN = (0.5, 1.05), 1.7
"""Reflectance of the brightest places (99.9 %) of most images; beyond the second, numbers are something else."""

ENDS = {"0 to 255": 255.0, "stretched to 16 bits": 65_535.0}
"""Where numbers of a kind end: none is larger, and one that is just this large shows the kind."""

WHITE, WHITE_REFLECTANCE, NEAR_INFRARED = 1.4, (0.5, 1.4), (750.0, 900.0)
"""How many times brighter one band of clouds or snow is than another at most; their 98 % quantiles; nm: land is several
times brighter there than in the visible, beyond snow is dark."""

MOSTLY_NEGATIVE = 0.2
"""Share of stored numbers below 0 above which they are in no unit of reflectance."""

GREY, EVEN = 1.1, 1.35
"""The same in the visible alone, where land is nearly grey, too; and how many times brighter than its 98 % quantile a
band's 99.9 % is at most over clouds and snow, while few places of land are bright."""

MEAN_ABOVE, FRACTION = 2.0, 0.01
"""Stored numbers above the first that differ by over the second from whole ones are means or medians of others."""


@dataclass(frozen=True, slots=True)
class Likeliest:
    """What stored numbers look like, and the scale that makes them reflectance."""

    name: str
    scale: float


def suspected_units(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"], declared: bool) -> list[Flag]:
    """A flag when the 98 % quantiles are far from usual: `units`, which is refused, or `scale`, which is not.

    declared: whether metadata state scale and offset; then there is no `scale`, and `units` only by the median over
    bands beyond TIMES_UP or TIMES_DOWN. Clouds and snow are no `scale`.
    """
    far = _how_far(sample, quantiles, declared)
    if far is None or _white(sample, quantiles, far):
        return []
    if far.found <= 0:
        direction, advice = "not above 0", _advice_below_zero(sample, declared)
    else:
        advice = _advice(sample, declared)
        direction = f"{far.times:.3g} times too bright" if far.times > 1 else f"{1 / far.times:.3g} times too dark"
    return [
        Flag(
            far.kind,
            (),
            f"found values with a 98 % quantile of typically {far.found:.3g}, {direction}; "
            f"expected reflectance, about {far.expected:.2g}. {advice}",
        )
    ]


@dataclass(frozen=True, slots=True)
class FarOff:
    """How far values are from usual. times: too bright, the median over bands. found, expected: 98 % quantiles."""

    kind: FlagKind
    times: float
    found: float
    expected: float


def _how_far(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"], declared: bool) -> FarOff | None:
    """None where values are as usual, or no band says anything."""
    expected = typical(sample.level).expected(sample.bands)
    # the cirrus band is dark or cloudy whatever the units are
    known = np.isfinite(quantiles[2]) & (expected > TOO_DARK)
    if not known.any():
        return None
    times = np.maximum(quantiles[2, known], 1e-9) / expected[known]
    middle = math.exp(float(np.median(np.log(times))))
    kind = _declared(middle) if declared else _by_convention(middle, times)
    if kind is None:
        return None
    return FarOff(kind, middle, float(np.median(quantiles[2, known])), float(np.median(expected[known])))


def _white(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"], far: FarOff) -> bool:
    """Whether what is too bright is white, and not brighter than clouds and snow: up to near infrared, or else evenly
    in the visible."""
    if far.kind != "scale" or far.times < 1:
        return False
    (start, end), (least, most) = NEAR_INFRARED, WHITE_REFLECTANCE
    lengths = np.array([band.wavelength for band in sample.bands])
    seen, visible, infrared = lengths < end, lengths < VISIBLE, (lengths > start) & (lengths < end)
    top = quantiles[2]
    darkest, brightest = top[seen].min(initial=math.inf), top[seen].max(initial=0)
    if seen.sum() >= 3 and infrared.any() and least <= darkest and brightest <= min(most, WHITE * darkest):
        return True
    if visible.sum() < 2 or not least <= top[visible].min() <= top[visible].max() <= most:
        return False
    tail = [
        np.quantile(sample.measured(band), 0.999) / top[band]
        for band in range(len(top))
        if seen[band] and top[band] > 0
    ]
    grey = top[visible].max() <= GREY * top[visible].min() and max(tail) <= EVEN
    return bool(grey and brightest <= WHITE * top[visible].min())


def notes_on_white(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"], declared: bool) -> list[str]:
    """A note on clouds and snow that are as bright as wrong units are."""
    far = _how_far(sample, quantiles, declared)
    if far is None or not _white(sample, quantiles, far):
        return []
    return [
        f"white places with a 98 % quantile of {far.found:.2g}, {far.times:.2g} times the usual: clouds or snow; if "
        "the image has none, check the units"
    ]


def _declared(median: float) -> FlagKind | None:
    return None if 1 / TIMES_DOWN <= median <= TIMES_UP else "units"


def _by_convention(median: float, times: Float[np.ndarray, " band"]) -> FlagKind | None:
    largest = float(times.max())
    few = len(times) < FEW
    refused = FEW_REFUSED if few else REFUSED_TIMES
    up, down = (FEW_SUSPECTED, FEW_SUSPECTED) if few else (SUSPECTED_UP, SUSPECTED_DOWN)
    if median > refused or largest < 1 / refused:
        return "units"
    return "scale" if median > up or largest < 1 / down else None


def likeliest(factor: float | int, bright: float, largest: float, scale: float) -> tuple[Likeliest, ...]:
    """What numbers look like, the likeliest first: one, or two where nothing decides.

    factor: how many times they are larger than usual reflectance. bright, largest: the stored number of the brightest
    places, without single pixels, and of all. scale: with which they are read now, which is none of the answers.
    """
    others = {name: each for name, each in LIKELY.items() if abs(math.log(each * scale)) > 0.1}
    end = ends_at(largest)
    if ending := [name for name in others if end and ENDS.get(name) == end]:
        return (Likeliest(ending[0], 1 / others[ending[0]]),)
    possible = [name for name in others if largest <= ENDS.get(name, math.inf)] or list(others)
    far = {name: abs(math.log(others[name] / factor)) for name in possible}
    (least, most), nearest = BRIGHT, sorted(possible, key=far.__getitem__)
    near = [name for name in nearest if far[name] < WITHIN and bright <= others[name] * BRIGHTEST_SEEN] or nearest[:1]
    near.sort(key=lambda name: not least <= bright / others[name] <= most)
    return tuple(Likeliest(name, 1 / others[name]) for name in near[:2])


def ends_at(largest: float) -> float | None:
    """The usual end of stretched numbers that the largest one is; None where it is another."""
    return next((end for end in ENDS.values() if math.isclose(largest, end, rel_tol=1e-6)), None)


def _advice_below_zero(sample: PixelSample, declared: bool) -> str:
    stored = sample.stored()[:, sample.reflective]
    values = np.unique(stored[~np.isnan(stored)].round(6))
    if len(values) == 1:
        return (
            f"All are {values[0]:.6g} as stored; if that means no data, give {argument('nodata', f'{values[0]:.6g}')}"
        )
    if (sample.offset[sample.reflective] < 0).any() and np.quantile(stored[~np.isnan(stored)], 0.98) > 0:
        return _advice(sample, declared)  # only the offset makes them negative
    return "Check nodata, scale and offset"


def _advice(sample: PixelSample, declared: bool) -> str:
    """What the numbers look like, and what to do if they are that; both hold for every image."""
    stored, expected = sample.stored(), typical(sample.level).expected(sample.bands)
    known = (expected > TOO_DARK) & ~np.isnan(stored).all(axis=(0, 2))
    if np.mean(stored[:, known] < 0) > MOSTLY_NEGATIVE:
        return "Many are negative, as where bands were standardized: no scale puts that right; get the original"
    usual, bright = np.nanquantile(stored[:, known], (0.98, 0.999), axis=(0, 2))
    factor = math.exp(float(np.median(np.log(np.maximum(usual / expected[known], 1e-9)))))
    largest, scale = float(np.nanmax(stored[:, known])), float(np.median(sample.scale[sample.reflective]))
    first, *second = likeliest(factor, float(bright.max()), largest, scale)
    how = remedy(sample, first.scale, 0.0, declared)
    if ends_at(largest):
        return (
            f"They look like {first.name}, and end at {largest:.6g}, perhaps as each image was stretched to it: the "
            f"original is safer, as other images then have another scale. If they are reflectance times it, {how}"
        )
    if not second:
        return f"They look like {first.name}: if so, {how}"
    return (
        f"They look like {first.name} or {second[0].name}: its provider knows which. If {first.name}, {how}; if "
        f"{second[0].name}, the same with {second[0].scale:.6g} as scale"
    )


def notes_on_fractions(sample: PixelSample) -> tuple[str, ...]:
    """A line where numbers that a sensor stores as whole ones have fractions; nothing is wrong with that."""
    scaled = np.flatnonzero(sample.reflective & np.isinf(sample.top) & (sample.scale < 0.01))
    if not scaled.size:
        return ()
    stored = sample.stored()[:, scaled]
    large = stored[np.abs(stored) > MEAN_ABOVE]
    share = float((np.abs(large - np.round(large)) > FRACTION).mean()) if large.size else 0.0
    if share < 0.5:
        return ()
    return ("numbers between whole ones, so probably means or medians of several images",)
