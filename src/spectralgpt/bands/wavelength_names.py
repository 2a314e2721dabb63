"""Bands that a file names by their wavelengths, and which bands of a sensor these are."""

import re
from collections.abc import Sequence

from spectralgpt.bands.band import Band
from spectralgpt.bands.catalogue import sensors
from spectralgpt.bands.evidence import agrees
from spectralgpt.bands.sensor import Sensor

MEASURE = re.compile(
    r"(?:(?:wavelength|lambda|wvl?|wl)[ _=]*)?(\d+(?:\.\d+)?)"
    r"[ _]*(nm|nanomet(?:er|re)s?|um|µm|μm|micromet(?:er|re)s?)?",
    re.IGNORECASE,
)
"""A wavelength, with or without its unit: 443, 443nm, 0.443 um."""

WITHOUT_UNIT = (350.0, 2600.0)
"""nm. Numbers without unit outside of it are no wavelengths; nor are those that could all be years."""

YEARS = (1970.0, 2040.0)


def wavelengths_in_names(names: Sequence[str | None]) -> tuple[float, ...]:
    """The wavelength (nm) that each name is, in a file with at least one such band and no other; else empty."""
    found = [MEASURE.fullmatch(name.strip()) if name else None for name in names]
    read = [(float(each[1]), (each[2] or "").lower()) for each in found if each]
    if not read or len(read) < len(names):
        return ()
    bare = [number for number, unit in read if not unit]
    low, high = WITHOUT_UNIT
    years = len(bare) == len(read) and all(YEARS[0] <= each <= YEARS[1] for each in bare)
    if years or not all(low <= each <= high and each > 0 for each in bare):
        return ()
    centres = [round(number * (1000 if unit[:1] in ("u", "µ", "μ", "m") else 1), 6) for number, unit in read]
    return tuple(centres) if all(200 <= each <= 20_000 for each in centres) else ()


def bands_at_wavelengths(each: Sensor, wavelengths: Sequence[float]) -> tuple[Band, ...]:
    """The sensor's nearest band to each wavelength; empty where one is not that of a band, or two are of the same."""
    nearest = [min(each.bands, key=lambda band: abs(band.wavelength - given)) for given in wavelengths]
    fit = all(agrees(band, given) for band, given in zip(nearest, wavelengths, strict=True))
    return tuple(nearest) if fit and len(set(nearest)) == len(nearest) else ()


def sensors_at_wavelengths(wavelengths: Sequence[float]) -> tuple[Sensor, ...]:
    """The sensors with bands at all these wavelengths and a scale of their own, the nearest first."""
    near = [
        (sum(abs(band.wavelength - given) for band, given in zip(found, wavelengths, strict=True)), each)
        for each in sensors()
        if each.names_files and each.is_scaled and (found := bands_at_wavelengths(each, wavelengths))
    ]
    return tuple(each for _, each in sorted(near, key=lambda pair: pair[0]))
