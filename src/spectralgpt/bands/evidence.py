"""What a file says about its bands, what follows from it, and checks of names."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from spectralgpt.bands.band import Band
from spectralgpt.bands.sensor import Sensor
from spectralgpt.errors import BandError

AGREE = 15.0
"""nm. A wavelength declared by a file may differ by this from the sensor's, or by half the band's width: lists are
rounded."""


NAME_EACH = (
    "Give each band a name of its own: in the band descriptions of the file or, in a folder of single-band files, in "
    "the names of the files, like scene_B02.tif"
)
"""What to do where names in files are repeated."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a file says about its bands.

    names: as written, None for a band without one. source: for messages. metadata: name of the sensor that its metadata
    or its own name state. wavelengths, fwhms: of each band in nm, or empty. gsd: metres of its pixels on the ground,
    nan if unknown. dtype: of the stored values, None if unknown. is_scaled: whether the file states scale and offset.
    odder: pairs of a sensor's name, or of a choice of bands where they have no names, and how much odder its pixels
    would be by it than by the likeliest, per band, inf where they contradict it; only of those that were compared.
    platform: what tags of the file state of the satellite and its instrument, like LANDSAT_8; empty without any.
    """

    names: tuple[str | None, ...]
    source: str
    metadata: str | None = None
    wavelengths: tuple[float, ...] = ()
    fwhms: tuple[float, ...] = ()
    gsd: float = math.nan
    dtype: str | None = None
    is_scaled: bool = False
    odder: tuple[tuple[str, float], ...] = ()
    platform: str = ""

    def part(self, indices: Sequence[int], names: Sequence[str | None] | None = None) -> "Evidence":
        """What the file says about some of its bands. names: other names for these."""
        return replace(
            self,
            names=tuple(self.names[index] for index in indices) if names is None else tuple(names),
            wavelengths=tuple(self.wavelengths[index] for index in indices) if self.wavelengths else (),
            fwhms=tuple(self.fwhms[index] for index in indices) if self.fwhms else (),
        )


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


def refuse_repeated(names: Sequence[str], subject: str, do: str = "") -> None:
    """BandError if a name occurs twice. do: a sentence on what to do."""
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise BandError(
            f"{subject}: found the band name {quoted(repeated)} more than once (B1 and B01 are the same)",
            "each name once",
            do,
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
