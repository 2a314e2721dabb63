"""How well a sensor fits what is known of a file without its pixels: pixel size, type, and the name of the file."""

import math
import re
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from spectralgpt.bands.evidence import Evidence
from spectralgpt.bands.sensor import Sensor

LIKE = 1.4
"""Pixels up to this many times larger or smaller than measured are a product's own: PlanetScope of 3.7 m has 3 m."""

AERIAL = 2.0
"""The same below 1 m, where sensors fly at different heights."""

DARK = 0.1
"""Types that cannot reach this reflectance do not follow the sensor's convention: bytes are not reflectance x 10000."""


def fits_grid(each: Sensor, names: Sequence[str], gsd: float) -> bool:
    """Whether pixels of this size are those of a sensor's products with these bands, all bands if names is empty. True
    where the size, or that of the sensor's bands, is unknown."""
    bands = [each.band(name) for name in names] or list(each.bands)
    sizes = [band.gsd for band in bands if not band.is_thermal and band.gsd > 0]
    if not sizes or not (math.isfinite(gsd) and gsd > 0):
        return True
    return any(max(gsd / size, size / gsd) <= (AERIAL if size < 1 else LIKE) for size in sizes)


def can_open(each: Sensor, evidence: Evidence) -> bool:
    """Whether stored numbers of this type become reflectance by the sensor's convention or the file's metadata. Floats
    of a sensor without a convention may be reflectance; only pixels tell."""
    if evidence.is_scaled or evidence.dtype is None:
        return True
    integers = np.dtype(evidence.dtype).kind in "iu"
    return each.is_scaled and (not integers or np.iinfo(evidence.dtype).max * (each.scale or 0.0) >= DARK)


def rank(each: Sensor, names: Sequence[str], evidence: Evidence) -> tuple[bool, ...]:
    """What speaks against a sensor, the heaviest first: sorted by it, the likeliest sensor is first."""
    marked = each.nodata is not None and each.nodata < 0
    unsigned = evidence.dtype is not None and np.dtype(evidence.dtype).kind == "u"
    return (
        not _is_named(each, evidence),
        not fits_grid(each, names, evidence.gsd),
        not can_open(each, evidence),
        not (each.is_scaled or evidence.is_scaled),
        unsigned and marked,
        evidence.dtype == "int16" and not marked,
    )


def _is_named(each: Sensor, evidence: Evidence) -> bool:
    """Whether the metadata or the path speak of the sensor: landsat8_lake.tif."""
    if evidence.metadata == each.name:
        return True
    family = each.name.split("-")[0]
    words = re.split(r"[^a-z0-9]+", PurePath(evidence.source).name.lower())
    spoken = {family, *({"sentinel2", "s2a", "s2b", "s2c"} if family == "s2" else ())}
    return not spoken.isdisjoint(words)
