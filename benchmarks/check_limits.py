"""Limits of the input check, each set on all data sets but one and judged on that one.

A limit is one step less sensitive than the first of its candidates that flags at most 2 in 1000 right images of the
other data sets. The order of bands is judged by typical spectra that were computed without the data set, too
(benchmarks/level.py).
"""

import importlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import level
import numpy as np
from jaxtyping import Float
from typical_reflectance import TABLES

from spectralgpt.bands import sensor
from spectralgpt.checks.contract import stated_by_metadata
from spectralgpt.checks.fill import undeclared_fill
from spectralgpt.checks.level import other_level, suspected_level
from spectralgpt.checks.look import look
from spectralgpt.checks.offset import suspected_offset, wrapped
from spectralgpt.checks.order import suspected_order
from spectralgpt.checks.pixel_sample import PixelSample
from spectralgpt.checks.shift import shifted
from spectralgpt.checks.typical import Typical, typical
from spectralgpt.checks.units import suspected_units
from spectralgpt.raster import Raster

FALSE_ALARMS = 0.002
"""Share of right images that a limit may flag."""

Found = dict[str, tuple[bool, ...]]
"""Per limit, whether an image is flagged with each of its candidates."""


Quantiles = Float[np.ndarray, "quantile band"]


@dataclass(frozen=True)
class Limit:
    """A limit of the check.

    constant: its module and name. candidates: from the most sensitive to the least. faults: names of those that it is
    to find. judge: whether a sample, without fill but for `fill`, is flagged. others: other limits meanwhile, so that
    a flag is this one's.
    """

    constant: str
    candidates: tuple[float, ...]
    faults: tuple[str, ...]
    judge: Callable[[PixelSample, Quantiles, bool], bool]
    others: tuple[tuple[str, float], ...] = ()

    def found(self, sample: PixelSample, quantiles: Quantiles, declared: bool) -> tuple[bool, ...]:
        flagged: list[bool] = []
        for candidate in self.candidates:
            # what a more sensitive one does not find, this one does not either
            if flagged and not flagged[-1]:
                flagged.append(False)
                continue
            with changed({self.constant: candidate} | dict(self.others)):
                flagged.append(self.judge(sample, quantiles, declared))
        return tuple(flagged)


@contextmanager
def changed(values: dict[str, Any]) -> Iterator[None]:
    """Names of modules of the checks with other values."""
    with ExitStack() as restored:
        for name, value in values.items():
            module_name, attribute = name.split(".")
            module = importlib.import_module(f"spectralgpt.checks.{module_name}")
            restored.callback(setattr, module, attribute, getattr(module, attribute))
            setattr(module, attribute, value)
        yield


def odd_order(sample: PixelSample, quantiles: Quantiles, declared: bool) -> bool:
    other = other_level(sample)
    if other and suspected_level(sample, quantiles):
        sample = replace(sample, level=other[0])
    return bool(suspected_order(sample, quantiles))


def odd_units(sample: PixelSample, quantiles: Quantiles, declared: bool) -> bool:
    return bool(suspected_units(sample, quantiles, declared))


def odd_offset(sample: PixelSample, quantiles: Quantiles, declared: bool) -> bool:
    return bool(suspected_offset(sample, declared))


def odd_places(sample: PixelSample, quantiles: Quantiles, declared: bool) -> bool:
    return bool(shifted(sample))


BRIGHT = ("times 10", "stretched to 16 bits")
DARK = ("a tenth", "percent", "times 1000", "0 to 255")  # floats above 2 are read with the scale 1e-4
EXCHANGED = ("two bands exchanged", "reversed")
SHIFTS = ("a band 2 pixels off", "a band 6 pixels off")
LIMITS = {
    "too bright": Limit("units.SUSPECTED_UP", (2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0), BRIGHT, odd_units),
    "too dark": Limit("units.SUSPECTED_DOWN", (1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0), DARK, odd_units),
    "1000 left in": Limit(
        "offset.EDGE",
        (0.16, 0.08, 0.04, 0.02, 0.01, 0.005),
        ("1000 left in",),
        odd_offset,
        (("offset.NEGATIVE_SHARE", 2.0),),
    ),
    "1000 subtracted twice": Limit(
        "offset.NEGATIVE_SHARE",
        (0.00625, 0.0125, 0.025, 0.05, 0.1, 0.2),
        ("1000 subtracted twice",),
        odd_offset,
        (("offset.EDGE", -1.0),),
    ),
    "wrapped": Limit(
        "offset.WRAPPED_PIXELS", (1, 2, 3, 5, 10, 20), ("wrapped below zero",), lambda s, q, d: bool(wrapped(s)[1])
    ),
    "fill": Limit(
        "fill.FILL_SHARE",
        (0.00125, 0.0025, 0.005, 0.01, 0.02),
        ("undeclared fill",),
        lambda s, q, d: bool(undeclared_fill(s)[1]),
    ),
    "order": Limit("order.GAIN", (4.0, 5.0, 6.3, 8.0, 10.0, 12.5, 16.0), EXCHANGED, odd_order),
    "spectra like none": Limit("order.ODD", (3.2, 4.0, 5.0, 6.3, 8.0, 10.0, 12.5), EXCHANGED, odd_order),
    "shift, pixels": Limit("shift.MISPLACED_ACROSS", (1.5, 2.0, 3.0, 4.0, 5.0, 6.0), SHIFTS, odd_places),
    "shift, clearness": Limit("shift.CLEAR", (6.0, 7.5, 9.0, 11.0, 14.0), SHIFTS, odd_places),
}


SAME_SET = {
    "scenes_l1c": "L1C scenes",
    "pairs_l1c_offset": "TerraMesh L1C",
    "clouds_landsat7": "cloud shadow chip",
    "landsat_c1": "landsat_c1",
}
"""Data sets of images that typical spectra were not computed from, where it is not the first word of the family."""


@dataclass(frozen=True)
class Judged:
    """What is found in an image of a data set. fault: the one that was made in it, empty in a right one."""

    data_set: str
    fault: str
    found: Found


class LeftOut:
    """Data sets, with the typical spectra of all others for each."""

    def __init__(self, data: Path):
        self.of_image: dict[Path, str] = {}
        for name, (_, *globs) in level.IMAGES.items():
            self.of_image |= {path: name for each in globs for path in data.glob(each)}
        self.spectra = {
            name: {p: s for p in sorted(self.of_image) if self.of_image[p] == name and (s := level.spectra_of(p, how))}
            for name, (how, *_) in level.IMAGES.items()
        }

    def data_set(self, path: Path, family: str) -> str:
        """The one of an image; for those that typical spectra were not computed from, the first word of its family."""
        return self.of_image.get(path) or SAME_SET.get(family, family.split("_")[0])

    def typical_without(self, data_set: str) -> Callable[[str], Typical]:
        tables = {sensor(choice).level: table for table, (choice, _) in TABLES.items()}

        def without(image_level: str) -> Typical:
            table = tables["L1C" if typical(image_level) is typical("L1C") else "L2A"]
            return level.fitted(table, data_set, self.spectra) if data_set in level.IMAGES else typical(image_level)

        return without

    def judged(self, raster: Raster, data_set: str, fault: str = "") -> Judged:
        """What the limits that concern it find in a right image, or in one with a fault."""
        with_fill, _ = look(raster)
        declared, _ = stated_by_metadata(raster.facts)
        sample = undeclared_fill(with_fill)[0]
        quantiles = sample.quantiles()
        found: Found = {}
        with changed({"order.typical": self.typical_without(data_set)}):
            for name, limit in LIMITS.items():
                if not fault or fault in limit.faults:
                    found[name] = limit.found(with_fill if name == "fill" else sample, quantiles, declared)
        return Judged(data_set, fault, found)


def refused(data_set: str, fault: str) -> Judged:
    """An image with a fault that is refused when it is opened, whatever the limits are."""
    everywhere = {name: (True,) * len(each.candidates) for name, each in LIMITS.items() if fault in each.faults}
    return Judged(data_set, fault, everywhere)


def judged_by_others(judged: list[Judged]) -> dict[str, Any]:
    """Per limit: the one that is shipped, and per data set the limit that the others set with the false alarms
    [flagged, images] and misses [missed, made] that it has there."""
    result: dict[str, Any] = {}
    for name, limit in LIMITS.items():
        module, attribute = limit.constant.split(".")
        shipped = getattr(importlib.import_module(f"spectralgpt.checks.{module}"), attribute)
        flagged: dict[tuple[str, bool], list[tuple[bool, ...]]] = defaultdict(list)
        for each in judged:
            if name in each.found:
                flagged[each.data_set, bool(each.fault)].append(each.found[name])
        of_sets = {}
        for data_set in dict.fromkeys(each.data_set for each in judged):
            right = [
                found for (of, fault), founds in flagged.items() if of != data_set and not fault for found in founds
            ]
            chosen = with_margin(np.array(right))
            here, faulty = flagged[data_set, False], flagged[data_set, True]
            of_sets[data_set] = {
                "limit": limit.candidates[chosen],
                "false_alarms": [sum(found[chosen] for found in here), len(here)],
                "misses": [sum(not found[chosen] for found in faulty), len(faulty)],
            }
        result[name] = {"constant": limit.constant, "shipped": shipped, "data_sets": of_sets}
    return result


def with_margin(flagged: np.ndarray) -> int:
    """The candidate (column) after the first that flags few enough images (rows), as a margin."""
    allowed = np.flatnonzero(flagged.mean(axis=0) <= FALSE_ALARMS)
    return min(int(allowed[0]) + 1 if allowed.size else flagged.shape[1], flagged.shape[1] - 1)


def summary(result: dict[str, Any]) -> str:
    """A table with a row per limit."""
    rows = [
        "| limit | used | set by the others | false alarms | misses | false alarms in |",
        "|---|---|---|---|---|---|",
    ]
    for name, each in result.items():
        sets = each["data_sets"]
        limits = sorted({one["limit"] for one in sets.values()})
        alarms, misses = (np.sum([one[key] for one in sets.values()], axis=0) for key in ("false_alarms", "misses"))
        where = [f"{data_set} {one['false_alarms'][0]}" for data_set, one in sets.items() if one["false_alarms"][0]]
        span = f"{limits[0]:g}" if len(limits) == 1 else f"{limits[0]:g} to {limits[-1]:g}"
        rows.append(
            f"| {name} | {each['shipped']:g} | {span} | {alarms[0]} of {alarms[1]} | {misses[0]} of {misses[1]} | "
            f"{', '.join(where)} |"
        )
    return "\n".join(rows)


def by_data_set(result: dict[str, Any]) -> str:
    """A table with a row per data set: false alarms of its right images / misses of the faults made in it; empty where
    there are neither."""
    names = list(next(iter(result.values()))["data_sets"])
    rows = [f"| data set | images | {' | '.join(result)} |", "|---|---|" + "---|" * len(result)]
    for data_set in names:
        each = [one["data_sets"][data_set] for one in result.values()]
        cells = [cell(*one["false_alarms"], *one["misses"]) for one in each]
        rows.append(f"| {data_set} | {each[0]['false_alarms'][1]} | {' | '.join(cells)} |")
    return "\n".join(rows)


def cell(flagged: int, images: int, missed: int, made: int) -> str:
    return f"{flagged} / {missed} of {made}" if flagged or missed else ""
