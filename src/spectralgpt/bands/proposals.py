"""What the bands of a file without names may be: whole sensors, and usual selections of their bands."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spectralgpt.bands.band import Band
from spectralgpt.bands.catalogue import sensors
from spectralgpt.bands.evidence import Evidence
from spectralgpt.bands.fitting import CONTRADICTED, USUAL, can_open, could_be_resampled, fits_grid, rank
from spectralgpt.bands.meaning import may_write, reads
from spectralgpt.bands.naming import COULD_COUNT
from spectralgpt.bands.sensor import Sensor
from spectralgpt.errors import Advice

SINGLE_DIGIT = re.compile(r"^B(\d)$")
"""A name that some sensors pad with a zero."""

ATMOSPHERE = ((400.0, 450.0), (930.0, 960.0), (1340.0, 1400.0))
"""nm. Bands of aerosol, water vapour and cirrus, which many exports leave out."""

ROLES = ((450.0, 525.0), (525.0, 590.0), (620.0, 680.0), (800.0, 900.0), (1550.0, 1700.0), (2080.0, 2300.0))
"""nm. Blue, green, red, near infrared and the two of short-wave infrared, of which the usual selections consist."""

RGB = 3
"""Bands in either of two orders, which pixels do not tell apart; with one more, they hardly do."""

MOST_ADVISED = 6
"""Most proposals that a message lists."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A choice of the user's, and the bands that a file would have by it, in its order. is_example: only shows how to
    write a list."""

    choice: str
    sensor: Sensor
    bands: tuple[Band, ...]
    is_example: bool = False

    @property
    def has_thermal(self) -> bool:
        return any(band.is_thermal for band in self.bands)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)


def proposals(count: int, evidence: Evidence) -> tuple[Proposal, ...]:
    """What a file with so many bands may be by its pixel size and type; each choice once."""
    every = [each for one in sensors() for each in _of_sensor(one, count, evidence)]
    fitting = [each for each in every if could_be_resampled(each.sensor, each.names, evidence.gsd)]
    if count >= COULD_COUNT and not fitting:  # few sensors have that many
        fitting = every
    # of levels that read the bands alike, the usual one
    fitting.sort(key=lambda each: USUAL.index(each.sensor.name) if each.sensor.name in USUAL else len(USUAL))
    return tuple({each.choice: each for each in reversed(fitting)}.values())[::-1]


def proposed(count: int, evidence: Evidence) -> tuple[Advice, ...]:
    """Advice for a file without names, the likeliest first, without what its pixels contradict. Both usual orders of
    three bands are given."""
    odder = dict(evidence.odder)
    kept = [each for each in proposals(count, evidence) if odder.get(each.choice, 0.0) <= CONTRADICTED]
    if count >= COULD_COUNT:
        kept = [each for each in kept if each.choice == each.sensor.name] or kept
    kept = [each for each in kept if not each.is_example] or kept
    kept = [each for each in kept if not each.has_thermal] or kept
    usual = sorted(kept, key=lambda each: rank(each.sensor, each.names, evidence, each.choice))
    return tuple(("bands", each.choice) for each in usual[:MOST_ADVISED])


def _of_sensor(each: Sensor, count: int, evidence: Evidence) -> Iterator[Proposal]:
    """What a file with so many bands may be by one sensor."""
    if not can_open(each, evidence):
        return
    if len(each.bands) == count:
        yield Proposal(each.name, each, each.bands)
    if not each.names_files:
        return
    reflective = [band for band in each.bands if not band.is_thermal and not band.is_panchromatic]
    found = [tuple(one) for one in _selections(reflective) if len(one) == count]
    size = evidence.gsd if math.isfinite(evidence.gsd) else min((band.gsd for band in reflective), default=evidence.gsd)
    near = [band for band in reflective if fits_grid(each, (band.name,), size)]
    examples = [] if found else [tuple((near if len(near) >= count else reflective)[:count])]
    for bands in dict.fromkeys(found):
        if bands != each.bands:
            yield Proposal(_written(each, bands), each, bands)
    yield from (Proposal(_written(each, one), each, one, is_example=True) for one in examples if len(one) == count)


def _selections(bands: Sequence[Band]) -> Iterator[Sequence[Band]]:
    """Usual selections of the reflective bands of a sensor: up to each of its pixel sizes, without the bands of the
    atmosphere, or in the usual roles."""
    ground = [band for band in bands if not any(low <= band.wavelength <= high for low, high in ATMOSPHERE)]
    without_last = [band for band in bands if not any(low <= band.wavelength <= high for low, high in ATMOSPHERE[1:])]
    for chosen in (bands, ground, without_last):
        for size in sorted({band.gsd for band in chosen}):
            yield [band for band in chosen if band.gsd <= size]
    roles = [[band for band in bands if low <= band.wavelength <= high] for low, high in ROLES]
    visible = [max(of, key=lambda band: band.fwhm) for of in roles[:3] if of]
    if len(visible) < RGB:
        return
    yield visible[::-1]
    yield visible
    for infrared in roles[3]:
        yield [*visible, infrared]
        yield [*visible[::-1], infrared]
        yield [*visible, infrared, *(of[0] for of in roles[4:] if of)]


def _written(each: Sensor, bands: Sequence[Band]) -> str:
    """The choice of these bands: their names alone where all sensors that may write them mean the same."""
    names = [band.name for band in bands]
    written = [SINGLE_DIGIT.sub(r"B0\1", name) for name in names] if each.zero_padded else names
    knowing = [one for one in sensors() if one.names_files and may_write(one, written)]
    meanings = {reads(one, names) for one in knowing if all(map(one.knows, names))}
    listed = ",".join(written)
    return listed if len(meanings) == 1 else f"{each.name}:{listed}"
