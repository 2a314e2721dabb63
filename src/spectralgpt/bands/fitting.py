"""How well a sensor fits what is known of a file: pixel size, type, its name, and how odd its pixels would be."""

import math
import re
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from spectralgpt.bands.evidence import Evidence
from spectralgpt.bands.sensor import Sensor

USUAL = ("s2-l2a", "s2-l1c")
"""The sensors that are taken, in this order, where the names fit several that give them the same meaning."""

LIKE = 1.4
"""Pixels up to this many times larger or smaller than measured are a product's own: PlanetScope of 3.7 m has 3 m."""

AERIAL = 2.0
"""The same below 1 m, where sensors fly at different heights."""

DARK = 0.1
"""Types that cannot reach this reflectance do not follow the sensor's convention: bytes are not reflectance x 10000."""


RESAMPLED = 3.2
"""Exports are often resampled, up to this many times finer or coarser: Landsat to 10 m."""

FAR_ODDER = 10.0
"""How much odder per band the pixels may be by a sensor than by the likeliest for it to be advised at all."""

CONTRADICTED = 2.0
"""How much odder per band pixels may be by a sensor than by the likeliest; above, they speak against it."""


def fits_grid(each: Sensor, names: Sequence[str], gsd: float) -> bool:
    """Whether pixels of this size are those of a sensor's products with these bands, all bands if names is empty. True
    where the size, or that of the sensor's bands, is unknown."""
    sizes = _sizes(each, names, gsd)
    return not sizes or any(_times(gsd, size) <= (AERIAL if size < 1 else LIKE) for size in sizes)


def could_be_resampled(each: Sensor, names: Sequence[str], gsd: float) -> bool:
    """Whether pixels of this size are those of a sensor's products, or of an export that was resampled; otherwise as
    `fits_grid`."""
    sizes = _sizes(each, names, gsd)
    return not sizes or any(_times(gsd, size) <= RESAMPLED for size in sizes)


def can_open(each: Sensor, evidence: Evidence) -> bool:
    """Whether stored numbers of this type become reflectance by the sensor's convention or the file's metadata. Floats
    of a sensor without a convention may be reflectance; only pixels tell."""
    if evidence.is_scaled or evidence.dtype is None:
        return True
    integers = np.dtype(evidence.dtype).kind in "iu"
    return each.is_scaled and (not integers or np.iinfo(evidence.dtype).max * (each.scale or 0.0) >= DARK)


def ranked(candidates: Sequence[Sensor], names: Sequence[str], evidence: Evidence) -> list[Sensor]:
    """The candidates, first those that fit the file best; of equals, the usual ones. names: of bands, all if empty."""
    usual = [each for name in USUAL for each in candidates if each.name == name]
    together = list(dict.fromkeys([*usual, *candidates]))
    return sorted(together, key=lambda each: rank(each, names, evidence))


def rank(
    each: Sensor, names: Sequence[str], evidence: Evidence, choice: str | None = None
) -> tuple[bool | float | int, ...]:
    """What speaks against a sensor, the heaviest first: sorted by it, the likeliest sensor is first. choice: in the
    evidence's `odder`, default: the sensor's name."""
    marked = each.nodata is not None and each.nodata < 0
    unsigned = evidence.dtype is not None and np.dtype(evidence.dtype).kind == "u"
    odder = dict(evidence.odder).get(choice or each.name)
    return (
        not could_be_resampled(each, names, evidence.gsd),
        not _is_named(each, evidence),
        odder is not None and odder > CONTRADICTED,
        not fits_grid(each, names, evidence.gsd),
        not can_open(each, evidence),
        not (each.is_scaled or evidence.is_scaled),
        not _has_level(each, evidence),
        unsigned and marked,
        evidence.dtype == "int16" and not marked,
        # levels of one sensor differ by less than one in either direction
        math.inf if evidence.odder and not math.isfinite(_known(odder)) else round(odder or 0.0),
    )


def _known(odder: float | None) -> float:
    return math.inf if odder is None else odder


def _sizes(each: Sensor, names: Sequence[str], gsd: float) -> list[float]:
    """The pixel sizes of a sensor's bands that reflect light; none where the pixels' own size is unknown."""
    if not (math.isfinite(gsd) and gsd > 0):
        return []
    bands = [each.band(name) for name in names] or list(each.bands)
    return [float(band.gsd) for band in bands if not band.is_thermal and band.gsd > 0]


def _times(one: float, other: float) -> float:
    return max(one / other, other / one)


def _is_named(each: Sensor, evidence: Evidence) -> bool:
    """Whether the metadata, or the name of the file or its folder, speak of the sensor."""
    stated = evidence.metadata == each.name or each.is_spoken_of(evidence.platform)
    return stated or each.is_spoken_of(_name(evidence))


def _has_level(each: Sensor, evidence: Evidence) -> bool:
    """Whether the name of the file or its folder has the sensor's level as a word: lake_toa.tif."""
    return each.level.lower() in re.split(r"[^a-z0-9]+", _name(evidence).lower())


def _name(evidence: Evidence) -> str:
    return "/".join(PurePath(evidence.source).parts[-2:])
