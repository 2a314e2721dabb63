"""What looks suspicious in a sample of an image's pixels: pure rules, each on reflectance, that return flags.

Limits are such that clean images of many places, also hazy, snowy and dark ones, pass (tests/checks). A rule without
enough data is silent.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32

from spectralgpt.bands import Band
from spectralgpt.checks.level import level_advice, looks_like_other_level
from spectralgpt.checks.typical import LONGEST_REFLECTED, SHORTEST_REFLECTED, likeliest_order, typical

TIMES_UP, TIMES_DOWN = 20, 200
"""How many times brighter or darker than usual an image may be; clean water is 40 times darker, cloud 5 brighter."""

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

GAIN, USUAL_ODDNESS = 10.0, 2.5
"""The order is suspected when the squared distance of an image's spectra falls by the first in another order of its
bands, to less than the second per band. In clean images it falls by at most 9, except over odd waters, usual in no
order."""

ODD = 10.0
"""Squared distance per band above which spectra are like none; in clean images it is at most 4, over odd waters 7."""

TOO_FEW_PIXELS = 16
"""Number of pixels below which nothing is concluded."""

COPY, TRUNCATED_COPY, COPY_LEVELS = 1 - 1e-7, 0.98, 256
"""Correlation of a band that repeats another; of an 8-bit picture of it; most values of such a picture."""

SATURATED, PILED = 0.01, 3.0
"""Share of values at the largest one; how many times more frequent that is than any other."""

ABSENT = 0.1
"""Share of valid pixels below which a band is as good as missing."""

FlagKind = Literal[
    "conflict", "units", "offset", "level", "order", "shift", "fill", "constant", "duplicate", "saturated", "absent"
]


@dataclass(frozen=True, slots=True)
class Flag:
    """A suspicion. bands: those that it concerns, empty for the whole image. text: found, expected, what to do."""

    kind: FlagKind
    bands: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class PixelSample:
    """Pixels from all over an image.

    values: reflectance, nan where not valid; a pixel has the same place in every band. level: of the sensor. top: the
    largest number of the stored type in reflectance, infinite for floats. valid: share of valid pixels per band. other:
    level and name of the sensor that it may be as well, where band names do not show the level.
    """

    bands: tuple[Band, ...]
    level: str
    values: Float32[np.ndarray, "date band pixel"]
    top: Float[np.ndarray, " band"]
    valid: Float[np.ndarray, " band"]
    other: tuple[str, str] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)

    @property
    def reflective(self) -> Bool[np.ndarray, " band"]:
        """Which bands measure reflected sunlight."""
        return np.array([SHORTEST_REFLECTED <= band.wavelength <= LONGEST_REFLECTED for band in self.bands])

    def measured(self, band: int) -> Float32[np.ndarray, " value"]:
        """The valid values of a band in all dates."""
        values: np.ndarray = self.values[:, band].ravel()
        return np.asarray(values[~np.isnan(values)])

    def quantiles(self) -> Float[np.ndarray, "quantile band"]:
        """2 %, 50 % and 98 % of each band's valid values; nan without any."""
        found = np.full((3, len(self.bands)), np.nan)
        for band in range(len(self.bands)):
            values = self.measured(band)
            if values.size:
                found[:, band] = np.quantile(values, (0.02, 0.5, 0.98))
        return found


def suspicions(sample: PixelSample, offset_declared: bool) -> tuple[Flag, ...]:
    """All flags of a sample. offset_declared: whether metadata state the offset, which then is not suspected."""
    quantiles = sample.quantiles()
    units = suspected_units(sample, quantiles)
    found = [*units, *([] if offset_declared else suspected_offset(sample))]
    if not found:  # with wrong units or offset every band is odd
        found += suspected_level(sample, quantiles)
        # bands of the other level are odd, but in their order
        seen_as = replace(sample, level=sample.other[0]) if found and sample.other else sample
        found += suspected_order(seen_as, quantiles)
    return (*found, *constant(sample), *duplicates(sample), *saturated(sample), *absent(sample))


def suspected_level(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"]) -> list[Flag]:
    """A flag when the level is open and the spectra fit the other one better."""
    if sample.other is None:
        return []
    level, name = sample.other
    odder = looks_like_other_level(sample.bands, quantiles, sample.level, level)
    return [] if odder is None else [Flag("level", (), level_advice(sample.level, level, name, odder))]


def suspected_units(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"]) -> list[Flag]:
    """A flag when the image is typically, by 98 % quantiles, over 20 times brighter or 200 times darker than usual."""
    expected = typical(sample.level).expected(sample.bands)
    known = np.isfinite(quantiles[2]) & np.isfinite(expected)
    if not known.any():
        return []
    found = np.maximum(quantiles[2, known], 1e-9)
    times = math.exp(float(np.median(np.log(found / expected[known]))))
    if 1 / TIMES_DOWN <= times <= TIMES_UP:
        return []
    direction = f"{times:.3g} times too bright" if times > 1 else f"{1 / times:.3g} times too dark"
    return [
        Flag(
            "units",
            (),
            f"found values with a 98 % quantile of typically {np.median(quantiles[2, known]):.3g}, {direction}; "
            f"expected reflectance, about {np.median(expected[known]):.2g}. Name the sensor, like bands='s2-l2a', or "
            "describe the values in a sensor file with scale and offset: bands='mine.toml'",
        )
    ]


def suspected_offset(sample: PixelSample) -> list[Flag]:
    """Sentinel-2's +1000 left in, or subtracted where it was absent; per date, as a series may contain both."""
    reference = typical(sample.level)
    same = reference.same(sample.bands)
    sentinel2 = all(
        here is not None and abs(band.wavelength - reference.wavelength[here]) < 1.5
        for band, here in zip(sample.bands, same, strict=True)
    )
    flags = []
    values = sample.values[:, sample.reflective]
    known = ~np.isnan(values)
    below = (values < NEGATIVE).sum() / max(known.sum(), 1)
    if below > NEGATIVE_SHARE:
        flags.append(
            Flag(
                "offset",
                (),
                f"found {below:.0%} of the reflectance below {NEGATIVE}; expected hardly any. Perhaps an offset was "
                "subtracted that is not in the values: describe them in a sensor file with offset = 0, "
                "bands='mine.toml'",
            )
        )
    lifted = [date for date in range(len(sample.values)) if sentinel2 and _lifted(sample, date)]
    if lifted:
        which = "" if len(lifted) == len(sample.values) else f" in {len(lifted)} of {len(sample.values)} dates"
        flags.append(
            Flag(
                "offset",
                (),
                f"found no value below {OFFSET} in any band{which}, as if the +1000 of Sentinel-2 products since "
                "baseline 04.00 were still included; expected dark pixels near 0 in some band. If so, give the product "
                f"with its metadata, or a sensor file with offset = -{OFFSET}, bands='mine.toml'",
            )
        )
    return flags


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


def suspected_order(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"]) -> list[Flag]:
    """A flag when the spectra fit much better in another order of the bands, or in none."""
    reference = typical(sample.level)
    same = reference.same(sample.bands)
    bands = [
        band
        for band, here in enumerate(same)
        if here is not None and np.isfinite(quantiles[:, band]).all() and sample.measured(band).size >= TOO_FEW_PIXELS
    ]
    if len(bands) < 3:
        return []
    columns = [here for here in (same[band] for band in bands) if here is not None]
    order, as_named, least = likeliest_order(reference, quantiles[:, bands], columns)
    names = [sample.names[band] for band in bands]
    if (as_named - least) * len(bands) > GAIN and least < USUAL_ODDNESS:
        moved = [(names[there], names[here]) for here, there in enumerate(order) if here != there]
        pairs = ", ".join(f"{found} looks like {real}" for found, real in moved[:6])
        return [
            Flag(
                "order",
                tuple(sorted((found for found, _ in moved), key=sample.names.index)),
                f"found bands with names that seem wrong ({pairs}); expected spectra as on Earth. Check their "
                "order, and name them, like bands='s2-l2a' or bands='B02,B03,B04'",
            )
        ]
    if as_named > ODD:
        return [
            Flag(
                "order",
                tuple(names),
                f"found spectra unlike any on Earth ({as_named:.3g} times as far from the usual as real ones); "
                "expected reflectance. Perhaps each band was scaled separately, or these are others: ask its provider",
            )
        ]
    return []


def constant(sample: PixelSample) -> list[Flag]:
    """Bands with a single value."""
    found = []
    for band, name in enumerate(sample.names):
        values = sample.measured(band)
        if values.size >= TOO_FEW_PIXELS and values.min() == values.max():
            found.append(
                Flag(
                    "constant",
                    (name,),
                    f"found the single value {values[0]:.4g} in all of {name}; expected an image. Leave the band out: "
                    "choose the others, like bands='B02,B03,B04'",
                )
            )
    return found


def duplicates(sample: PixelSample) -> list[Flag]:
    """Bands that repeat another band, perhaps scaled, or as an 8-bit picture of it."""
    values = np.moveaxis(sample.values, 1, 0).reshape(len(sample.bands), -1)
    values = values[:, ~np.isnan(values).any(axis=0)].astype(np.float64)
    if values.shape[1] < TOO_FEW_PIXELS * TOO_FEW_PIXELS:
        return []
    values -= values.mean(axis=1, keepdims=True)
    size = np.sqrt((values**2).sum(axis=1))
    varying = np.flatnonzero(size > 0)
    values = values[varying] / size[varying, None]
    alike = values @ values.T
    levels = np.array([len(np.unique(each)) for each in values])
    found = []
    for one, other in np.argwhere(np.triu(alike > TRUNCATED_COPY, 1)):
        few, many = sorted((levels[one], levels[other]))
        if alike[one, other] > COPY or (few <= COPY_LEVELS and many > 4 * few):
            first, second = sample.names[varying[one]], sample.names[varying[other]]
            found.append(
                Flag(
                    "duplicate",
                    (first, second),
                    f"found the same image in {first} and {second} (correlation {alike[one, other]:.4f}); expected two "
                    "different bands. Leave one out: choose the others, like bands='B02,B03,B04'",
                )
            )
    return found


def saturated(sample: PixelSample) -> list[Flag]:
    """Bands with over 1 % of values at the largest number of their type, or piled up at their own largest value."""
    found = []
    for band, name in enumerate(sample.names):
        values = sample.measured(band)
        if values.size < TOO_FEW_PIXELS or values.min() == values.max():
            continue
        largest = values.max()
        share = float((values == largest).mean())
        if share > SATURATED and (largest >= sample.top[band] or _piled(values, largest)):
            found.append(
                Flag(
                    "saturated",
                    (name,),
                    f"found {share:.1%} of {name} at its largest value, {largest:.4g}; expected hardly any. Bright "
                    "places are clipped there",
                )
            )
    return found


def _piled(values: Float32[np.ndarray, " value"], largest: np.float32) -> bool:
    """Whether the largest value is far more frequent than any other; repeats of a coarse pixel are no pile."""
    each, counts = np.unique(values, return_counts=True)
    return len(each) > COPY_LEVELS / 4 and bool(counts[-1] > PILED * counts[:-1].max())


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
            f"found {', '.join(bands[:6])}{' and more' if len(bands) > 6 else ''} valid in {share:.1%} of the pixels "
            "or less; expected an image. Check nodata, or choose another date",
        )
    ]
