"""Scale and offset of Landsat's bands, which turn stored values into reflectance."""

import math
from datetime import date

from spectralgpt.days import EPOCH, UNKNOWN
from spectralgpt.errors import RasterError
from spectralgpt.products.formats.landsat.mtl import LIMITS, RESCALING, SURFACE, Mtl

ESUN = {
    "4": {1: 1958.0, 2: 1826.0, 3: 1554.0, 4: 1033.0, 5: 214.7, 7: 80.70},
    "5": {1: 1958.0, 2: 1827.0, 3: 1551.0, 4: 1036.0, 5: 214.9, 7: 80.65},
    "7": {1: 1970.0, 2: 1842.0, 3: 1547.0, 4: 1044.0, 5: 225.7, 7: 82.06, 8: 1369.0},
}
"""The sun's irradiance at 1 astronomical unit by satellite and band, W / m2 / um."""

YEAR_2000 = (date(2000, 1, 1) - EPOCH).days


def reflectance(mtl: Mtl, number: int) -> tuple[float, float]:
    """Scale and offset of a band: reflectance = stored x scale + offset.

    Level 2: as the MTL states them. Level 1: REFLECTANCE_MULT and _ADD over the sine of the sun's elevation; without
    these pi d2 / ESUN times the coefficients of radiance. RasterError without both.
    """
    if mtl.level == "c2l2":
        scale, offset = (mtl.number(f"REFLECTANCE_{part}_BAND_{number}", SURFACE) for part in ("MULT", "ADD"))
        return _checked(mtl, number, scale, offset)
    sine = math.sin(math.radians(sun_elevation(mtl)))
    scale, offset = (mtl.number(f"REFLECTANCE_{part}_BAND_{number}", RESCALING) for part in ("MULT", "ADD"))
    if scale is None or offset is None:
        scale, offset = _radiance(mtl, number)
        irradiance = ESUN.get(mtl.satellite, {}).get(number)
        factor = math.pi * sun_distance(mtl) ** 2 / irradiance if irradiance else math.nan
        scale, offset = (None if part is None or not irradiance else part * factor for part in (scale, offset))
    scale, offset = _checked(mtl, number, scale, offset)
    return scale / sine, offset / sine


def sun_elevation(mtl: Mtl) -> float:
    """Degrees above the horizon at the scene's centre. RasterError when it is not stated, or the sun has set."""
    degrees = mtl.number("SUN_ELEVATION")
    if degrees is None or not 0 < degrees <= 90:
        found = "no elevation of the sun" if degrees is None else f"a sun elevation of {degrees:g} degrees"
        raise RasterError(
            f"{mtl.source}: found {found}",
            "one above 0 and at most 90 degrees, as reflectance depends on it",
        )
    return degrees


def sun_distance(mtl: Mtl) -> float:
    """Astronomical units from Earth to Sun: the MTL's, else computed for the day to 0.0001 (Astronomical Almanac)."""
    distance = mtl.number("EARTH_SUN_DISTANCE")
    if distance is None and mtl.day != UNKNOWN:
        anomaly = math.radians(357.529 + 0.98560028 * (mtl.day - YEAR_2000))
        distance = 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2 * anomaly)
    if distance is None or not 0.98 < distance < 1.02:
        raise RasterError(f"{mtl.source}: found neither Earth's distance from the sun nor a date", "one of them")
    return distance


def _radiance(mtl: Mtl, number: int) -> tuple[float | None, float | None]:
    """Scale and offset from stored values to W / (m2 sr um): as stated, else from the limits of both."""
    scale, offset = (mtl.number(f"RADIANCE_{part}_BAND_{number}", RESCALING) for part in ("MULT", "ADD"))
    if scale is not None and offset is not None:
        return scale, offset
    for names in (
        ("RADIANCE_MINIMUM_BAND_", "RADIANCE_MAXIMUM_BAND_", "QUANTIZE_CAL_MIN_BAND_", "QUANTIZE_CAL_MAX_BAND_"),
        ("LMIN_BAND", "LMAX_BAND", "QCALMIN_BAND", "QCALMAX_BAND"),
    ):
        low, high, least, most = (mtl.number(f"{name}{number}", LIMITS) for name in names)
        if low is not None and high is not None and least is not None and most is not None and most != least:
            scale = (high - low) / (most - least)
            return scale, low - scale * least
    return None, None


def _checked(mtl: Mtl, number: int, scale: float | None, offset: float | None) -> tuple[float, float]:
    if scale is None or offset is None:
        raise RasterError(
            f"{mtl.source}: found no coefficients for the reflectance of band {number}",
            f"REFLECTANCE_MULT_BAND_{number} and REFLECTANCE_ADD_BAND_{number}: raw numbers are not reflectance",
            "Download it again",
        )
    if scale <= 0:
        raise RasterError(f"{mtl.source}: found {scale:g} for the scale of band {number}", "a number above 0")
    return scale, offset
