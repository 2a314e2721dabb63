"""Which sensors the bands of a file can be of, from its metadata, its names and its wavelengths alone."""

import re
from collections.abc import Sequence

from spectralgpt.bands.align import fed
from spectralgpt.bands.catalogue import from_wavelengths, is_sensor, sensor, sensors
from spectralgpt.bands.evidence import (
    Evidence,
    Identity,
    agrees,
    bands_named,
    quoted,
    refuse_unnamed,
)
from spectralgpt.bands.sensor import Sensor
from spectralgpt.errors import BandError, counted, did_you_mean

USUAL = ("s2-l2a", "s2-l1c")
"""The sensors that are taken, in this order, where the names fit several that give them the same meaning."""

MOST_LISTED = 6
"""Most candidates that a message lists."""

PADDED = re.compile(r"\s*B(?:AND)?[ _]?0\d", re.IGNORECASE)
"""A zero-padded name, like B02."""


def identify_alone(found: tuple[str | None, ...], evidence: Evidence) -> Identity:
    """The bands of a file without a choice by the user: by its metadata, else by the sensors that have all its names,
    else by its wavelengths. found: its canonical names.

    BandError as `identify`.
    """
    names = tuple(name for name in found if name)
    complete = len(names) == len(found)
    everything = tuple(range(len(found)))
    declared = declared_sensor(evidence)
    if complete and declared is not None and all(map(declared.knows, names)):
        return Identity(bands_named(declared, names, evidence.source), everything, declared)
    naming = tuple(each for each in sensors() if each.names_files and _may_write(each, evidence.names))
    candidates = [each for each in naming if complete and all(map(each.knows, names))]
    if evidence.wavelengths:
        candidates = [each for each in candidates if _agrees(each, names, evidence.wavelengths)]
        if not candidates:
            own = from_wavelengths(evidence.wavelengths, evidence.fwhms or None)
            return Identity(own.bands, everything, own)
    if not names:
        _refuse_nameless(len(found), evidence.source)
    refuse_unnamed(found, evidence.source)
    if not candidates:
        _refuse_unknown(names, naming, evidence.source)
    chosen, warnings = _chosen(candidates, names, evidence.source)
    bands = bands_named(chosen, names, evidence.source)
    conflicts = _contradicted(names, chosen, evidence)
    return Identity(bands, everything, chosen, warnings, conflicts, _other_level(candidates, chosen))


def declared_sensor(evidence: Evidence) -> Sensor | None:
    """The sensor that the metadata or the name of a file declare, if it is one of this package."""
    declared = evidence.metadata
    return sensor(declared) if declared is not None and is_sensor(declared) else None


def reads(each: Sensor, names: Sequence[str]) -> tuple[object, ...]:
    """How a sensor reads these names: scale, offset, and the band of the released model that each feeds."""
    model = sensor("spectralgpt-12").bands
    return each.scale, each.offset, tuple(fed(band, model) for band in map(each.band, names))


def sensor_in_name(name: str) -> str | None:
    """The sensor with products of such a name; None if no sensor or several claim it."""
    claiming = [each.name for each in sensors() if each.claims(name)]
    return claiming[0] if len(claiming) == 1 else None


def is_alias(name: str) -> bool:
    """Whether any sensor has a band with this name or alias."""
    return any(each.knows(name) for each in sensors())


def _may_write(each: Sensor, names: Sequence[str | None]) -> bool:
    """Whether products of a sensor have names that are written like this: only few pad them with a zero."""
    return each.zero_padded or not any(PADDED.match(name) for name in names if name)


def _agrees(each: Sensor, names: Sequence[str], wavelengths: Sequence[float]) -> bool:
    return all(agrees(band, given) for band, given in zip(map(each.band, names), wavelengths, strict=True))


def _chosen(candidates: Sequence[Sensor], names: Sequence[str], source: str) -> tuple[Sensor, tuple[str, ...]]:
    """The usual one of several candidates, with a warning. BandError if they give the names different meanings."""
    usual = [each for name in USUAL for each in candidates if each.name == name]
    chosen = usual[0] if usual else candidates[0]
    if len({reads(each, names) for each in candidates}) > 1:
        raise BandError(
            f"{source}: the bands {', '.join(names)} could be those of {_some(candidates, chosen)}, which differ in "
            "wavelengths, scale or offset",
            "",
            "Choose their sensor, like",
            ("bands", chosen.name),
        )
    if len(candidates) == 1:
        return chosen, ()
    others = dict.fromkeys(each.name for each in (*usual, *candidates) if each is not chosen)
    return chosen, (
        f"{source}: the band names do not show the level; read as {chosen.name}. If it is {' or '.join(others)}, "
        f"choose it, like bands={next(iter(others))!r}",
    )


def _other_level(candidates: Sequence[Sensor], chosen: Sensor) -> str:
    """The usual sensor of another level among the candidates; empty without one."""
    others = (each.name for name in USUAL for each in candidates if each.name == name and each is not chosen)
    return next(others, "") if chosen.name in USUAL else ""


def _some(candidates: Sequence[Sensor], chosen: Sensor) -> str:
    """The names of the candidates, the usual one first; only some of many."""
    names = [chosen.name, *(each.name for each in candidates if each is not chosen)]
    if len(names) <= MOST_LISTED:
        return " or ".join(names)
    return f"{', '.join(names[:MOST_LISTED])} or {len(names) - MOST_LISTED} more"


def _contradicted(names: Sequence[str], chosen: Sensor, evidence: Evidence) -> tuple[str, ...]:
    """The conflict where names decide, but the metadata declare a sensor that does not have all of them."""
    declared = declared_sensor(evidence)
    if declared is None:
        return ()
    missing = [name for name in names if not declared.knows(name)]
    return (
        f"{evidence.source}: the metadata or the file name declares {declared.name}, which has no "
        f"{', '.join(missing)}. Choose the sensor of these bands, like bands={chosen.name!r}",
    )


def _refuse_nameless(count: int, source: str) -> None:
    fitting = [("bands", each.name) for each in sensors() if len(each.bands) == count]
    choose = "Choose their sensor, or list" if fitting else "List"
    raise BandError(
        f"{source}: found {counted(count, 'band')} without {'a name' if count == 1 else 'names'}",
        "names like B02, as bands are never matched by position",
        f"{choose} the names in the order of the file:",
        *fitting,
        ("bands", "B02,B03,..."),
    )


def _refuse_unknown(names: Sequence[str], naming: Sequence[Sensor], source: str) -> None:
    closest = max(naming, key=lambda each: (sum(map(each.knows, names)), each.name in USUAL))
    unknown = [name for name in names if not closest.knows(name)]
    known = [name for name in names if closest.knows(name)]
    raise BandError(
        f"{source}: found band names {quoted(unknown)}, which no sensor has together with the others",
        f"names of one sensor, such as {closest.name}: {', '.join(closest.names)}",
        f"{did_you_mean(unknown[0], closest.names)} Choose the bands to read:".lstrip(),
        ("bands", ",".join(known) if known else "B02,B03,B04"),
    )
