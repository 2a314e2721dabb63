"""What a file says about its bands, what follows from it, and checks of names."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from spectralgpt.bands.band import Band, canonical
from spectralgpt.bands.sensor import Sensor
from spectralgpt.errors import BandError

NUMBER_FIRST = re.compile(r"(?:S[RT]_)?B\d+A?\s+\S", re.IGNORECASE)
"""The number of a band and a remark, like B1 blue."""

AGREE = 15.0
"""nm. A wavelength declared by a file may differ by this from the sensor's, or by half the band's width: lists are
rounded."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a file says about its bands.

    names: as written, None for a band without one. source: for messages. metadata: name of the sensor that its metadata
    or its own name state. wavelengths, fwhms: of each band in nm, or empty.
    """

    names: tuple[str | None, ...]
    source: str
    metadata: str | None = None
    wavelengths: tuple[float, ...] = ()
    fwhms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """The bands to read, their indices in the file (from 0), the sensor with these names, and warnings.

    conflicts: what contradicts it; a verb refuses the file for these unless the user trusts the input. other_level: the
    sensor of another level that the names fit as well, empty where the level is known.
    """

    bands: tuple[Band, ...]
    indices: tuple[int, ...]
    sensor: Sensor
    warnings: tuple[str, ...] = field(default=())
    conflicts: tuple[str, ...] = field(default=())
    other_level: str = ""


def canonical_names(names: Sequence[str | None]) -> tuple[str | None, ...]:
    """The canonical names; of `B1 blue` and `SR_B1 coastal` the first word, unless two bands would have the same."""
    whole = [canonical(name) if name and name.strip() else None for name in names]
    short = [canonical(name.split()[0]) if name and NUMBER_FIRST.match(name) else name for name in whole]
    return tuple(one if short.count(one) == 1 else other for one, other in zip(short, whole, strict=True))


def bands_named(sensor: Sensor, names: Sequence[str], source: str) -> tuple[Band, ...]:
    """The bands of a sensor with these names. BandError if two names mean the same band, as B8 and nir do."""
    bands = tuple(map(sensor.band, names))
    for band, times in Counter(bands).items():
        if times > 1:
            twice = [name for name, each in zip(names, bands, strict=True) if each == band]
            raise BandError(
                f"{source}: {' and '.join(twice)} are the same band of {sensor.name}", do="Choose one of them"
            )
    return bands


def agrees(band: Band, wavelength: float) -> bool:
    """Whether a wavelength that a file declares can be that of the band."""
    return abs(band.wavelength - wavelength) <= max(AGREE, band.fwhm / 2)


def refuse_repeated(names: Sequence[str], subject: str) -> None:
    """BandError if a name occurs twice."""
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise BandError(
            f"{subject}: found the band name {quoted(repeated)} more than once (B1 and B01 are the same)",
            "each name once",
        )


def refuse_unnamed(found: Sequence[str | None], source: str) -> None:
    """BandError if a band has no name."""
    unnamed = [index for index, name in enumerate(found, 1) if name is None]
    if unnamed:
        raise BandError(
            f"{source}: found bands without a name (number {', '.join(map(str, unnamed))}) among named ones",
            "a name for every band",
            "Choose the bands to read:",
            ("bands", ",".join(name for name in found if name)),
        )


def quoted(names: Sequence[str | None]) -> str:
    """The names in quotes, separated by commas."""
    return ", ".join(repr(name) for name in names)
