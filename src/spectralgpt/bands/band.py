"""A band, and how its name is written."""

import math
import re
from dataclasses import dataclass

WAVELENGTH_LAST = re.compile(r"(?<=\S)\s+\(?\d+(?:\.\d+)?\s*(?:nm|um|µm)\)?\s*$", re.IGNORECASE)

THERMAL_FROM = 3000.0
"""nm. Above it, a band measures the heat that the ground emits."""

SOLAR_RANGE = (400.0, 2500.0)
"""nm. Within it, bands measure reflected sunlight that a model knows."""

GREEN_TO_RED = (560.0, 650.0)
"""nm. A band that covers this is panchromatic."""

NUMBERED = re.compile(r"B(?:AND)?[ _]?0*([1-9]\d*)(A?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Band:
    """One measured spectral interval; its identity is (sensor, name).

    wavelength: centre, nm; fwhm: full width at half maximum, nm; gsd: metres on the ground as measured.
    """

    sensor: str
    name: str
    wavelength: float | int
    fwhm: float | int
    gsd: float | int

    def __post_init__(self) -> None:
        if not (0 < self.wavelength < math.inf and 0 < self.fwhm < math.inf):
            raise ValueError(f"{self}: wavelength and FWHM must be finite and above 0 nm")
        # 400 and 400.0 are one number and must be written in the same way
        for name in ("wavelength", "fwhm", "gsd"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def is_thermal(self) -> bool:
        """Whether it measures the heat that the ground emits."""
        return self.wavelength > THERMAL_FROM

    @property
    def identity(self) -> tuple[str, str]:
        """Sensor and name."""
        return self.sensor, self.name

    @property
    def in_solar_range(self) -> bool:
        """Whether the centre is at 400 to 2500 nm."""
        return SOLAR_RANGE[0] <= self.wavelength <= SOLAR_RANGE[1]

    @property
    def is_panchromatic(self) -> bool:
        """Whether it covers both green and red, 560 to 650 nm."""
        half = self.fwhm / 2
        return self.wavelength - half <= GREEN_TO_RED[0] and self.wavelength + half >= GREEN_TO_RED[1]


def canonical(name: str) -> str:
    """The one spelling of a band's name: `B01`, `b1`, `Band 1` are `B1`; `B8a` is `B8A`.

    Text after a comma is a remark (GDAL names a Sentinel-2 band `B4, central wavelength 665 nm`), and so is a
    wavelength at the end (`blue 475 nm`). Any other name keeps its spelling, without the space around it.
    """
    word = WAVELENGTH_LAST.sub("", name.split(",")[0]).strip()
    numbered = NUMBERED.fullmatch(word)
    return f"B{numbered[1]}{numbered[2].upper()}" if numbered else word
