"""Whether an image looks like reflectance at the top of the atmosphere or at the surface.

It advises: air scatters blue light, so that at the top of the atmosphere no place is dark in blue. Over haze, snow and
clouds both levels look alike, and nothing is said.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from spectralgpt.bands import Band, sensor
from spectralgpt.bands.candidates import LEVEL_OPEN
from spectralgpt.bands.fitting import USUAL
from spectralgpt.checks.flags import Flag
from spectralgpt.checks.pixel_sample import PixelSample
from spectralgpt.checks.typical import Typical, typical
from spectralgpt.errors import argument

MARGIN = 1.0
"""Difference per band of the two distances above which a level is advised (benchmarks/level.py)."""


def suspected_level(sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"]) -> list[Flag]:
    """A flag when the spectra fit the other level better, whether the level is open or was given."""
    other = other_level(sample)
    if other is None:
        return []
    level, name = other
    odder = looks_like_other_level(sample.bands, quantiles, sample.level, level)
    is_open = sample.other is not None
    return [] if odder is None else [Flag("level", (), level_advice(sample.level, level, name, odder, is_open))]


def other_level(sample: PixelSample) -> tuple[str, str] | None:
    """The other level, and the sensor with it: where the level is open, or for Sentinel-2's bands that both have."""
    if sample.other is not None:
        return sample.other
    levels = {name: sensor(name).level for name in USUAL}
    others = [name for name, level in levels.items() if level != sample.level]
    if sample.level not in levels.values() or not {band.sensor for band in sample.bands} <= levels.keys():
        return None
    return next(((levels[name], name) for name in others if all(map(sensor(name).knows, sample.names))), None)


def without_level_note(warnings: Sequence[str], flags: Sequence[Flag]) -> tuple[str, ...]:
    """The warnings without the note on an open level, where a flag says more about it."""
    if not any(flag.kind == "level" for flag in flags):
        return tuple(warnings)
    return tuple(warning for warning in warnings if LEVEL_OPEN not in warning)


def how_much_odder(
    one: Typical, other: Typical, spectra: Float[np.ndarray, "spectrum band"], bands: Sequence[Band]
) -> float | None:
    """How much odder the spectra of an image are by one table than by another, per band; None without three bands.

    Twice the difference of the logarithms of both densities: with the usual distance alone the wider table would win.
    """
    both = list(zip(one.same(bands), other.same(bands), strict=True))
    used = [band for band, (here, there) in enumerate(both) if here is not None and there is not None]
    if len(used) < 3:
        return None
    columns = [[here for band in used if (here := both[band][side]) is not None] for side in (0, 1)]
    order = np.arange(len(used))[None]
    distances = [
        float(table.oddness(spectra[:, used], places, order)[0]) + table.volume(places)
        for table, places in zip((one, other), columns, strict=True)
    ]
    return distances[0] - distances[1]


def looks_like_other_level(
    bands: Sequence[Band], quantiles: Float[np.ndarray, "quantile band"], level: str, other: str
) -> float | None:
    """How much odder per band an image is at its level than at the other, where that is over MARGIN; else None.

    quantiles: 2 %, 50 % and 98 % of each band, in reflectance. level, other: as sensors have them, like L2A.
    """
    used = [index for index in range(len(bands)) if np.isfinite(quantiles[:, index]).all()]
    found = how_much_odder(typical(level), typical(other), quantiles[:, used], [bands[index] for index in used])
    return found if found is not None and found > MARGIN else None


def level_advice(level: str, other: str, sensor_of_other: str, odder: float, is_open: bool) -> str:
    """What is suspected, in words, and what to do. odder: as `looks_like_other_level`. is_open: whether the level is
    only a guess by the band names."""
    names = {"L1C": "Level-1C", "L2A": "Level-2A"}
    here, there = names.get(level, level), names.get(other, other)
    why = "which band names do not show" if is_open else "as which it is read by its name, metadata or your choice"
    return (
        f"found values that look like {there} rather than {here}, {why} (odder by {odder:.1f} per band as {here}, more "
        f"than {MARGIN:g}). How it was made decides: MSIL1C or MSIL2A in the product's name, or its provider. If it is "
        f"{there}, give {argument('bands', sensor_of_other)}"
    )
