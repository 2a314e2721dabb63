"""Which sensors the bands of a file can be of, from its metadata, its names and its wavelengths alone."""

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

from spectralgpt.bands.catalogue import from_wavelengths, is_sensor, sensor, sensors
from spectralgpt.bands.evidence import (
    Evidence,
    Identity,
    agrees,
    bands_named,
    quoted,
    refuse_unnamed,
)
from spectralgpt.bands.fitting import FAR_ODDER, USUAL, could_be_resampled, ranked
from spectralgpt.bands.meaning import may_write, reads
from spectralgpt.bands.naming import could_count, written_names
from spectralgpt.bands.proposals import RGB, proposed
from spectralgpt.bands.sensor import Sensor, spelled
from spectralgpt.errors import BandError, counted, did_you_mean, first_few

LEVEL_OPEN = "the band names do not show the level"
"""What the note on an open level says; it is left out where a check says more."""

MOST_LISTED = 6
"""Most candidates that a message lists."""

AS_COUNTED = {
    12: ("s2-l2a", "B1,B2,B3,B4,B5,B6,B7,B8,B8A=B9,B9=B10,B11,B12"),
}
"""What to choose where B1 ... Bn turn out to count the bands of Sentinel-2: the sensor, and the names of its bands."""

ALIKE_WORDS = 0.75
"""How similar a word must be to a band's for a renaming to be advised, from 0 to 1 (difflib)."""

IN_A_SENSOR_FILE = "Describe its bands in a sensor file (name, wavelength, fwhm and gsd of each, scale and offset):"


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
    naming = tuple(each for each in sensors() if each.names_files and may_write(each, evidence.names))
    candidates = [each for each in naming if complete and all(map(each.knows, names))]
    candidates = _on_platform(_as_in_words(candidates, evidence), names, evidence)
    if evidence.wavelengths:
        candidates = [each for each in candidates if _agrees(each, names, evidence.wavelengths)]
        if not candidates:
            own = from_wavelengths(evidence.wavelengths, evidence.fwhms or None)
            return Identity(own.bands, everything, own)
    if not names:
        _refuse_nameless(evidence)
    refuse_unnamed(found, evidence.source)
    if not candidates:
        _refuse_unknown(names, naming, evidence)
    chosen, warnings = _chosen(candidates, names, evidence)
    bands = bands_named(chosen, names, evidence.source)
    conflicts = _contradicted(names, chosen, evidence)
    notes = (*warnings, *_maybe_counted(found, evidence))
    return Identity(bands, everything, chosen, notes, conflicts, _other_level(candidates, chosen))


def declared_sensor(evidence: Evidence) -> Sensor | None:
    """The sensor that the metadata or the name of a file declare, if it is one of this package."""
    declared = evidence.metadata
    return sensor(declared) if declared is not None and is_sensor(declared) else None


def sensor_in_name(name: str) -> str | None:
    """The sensor with products of such a name; None if no sensor or several claim it."""
    claiming = [each.name for each in sensors() if each.claims(name)]
    return claiming[0] if len(claiming) == 1 else None


def without_thermal(each: Sensor, names: Sequence[str]) -> list[str]:
    """The names that a sensor has for bands that measure reflected light."""
    return [name for name in names if each.knows(name) and not each.band(name).is_thermal]


def _agrees(each: Sensor, names: Sequence[str], wavelengths: Sequence[float]) -> bool:
    return all(agrees(band, given) for band, given in zip(map(each.band, names), wavelengths, strict=True))


def _as_in_words(candidates: Sequence[Sensor], evidence: Evidence) -> list[Sensor]:
    """The candidates that have the same band for a number and the word beside it, as in `Band 4 (Red)`."""
    both = [(each.name, each.word) for each in written_names(evidence.names) if each.name and each.word]
    return [
        each
        for each in candidates
        if all(each.knows(word) and each.band(name) == each.band(word) for name, word in both)
    ]


def _on_platform(candidates: Sequence[Sensor], names: Sequence[str], evidence: Evidence) -> list[Sensor]:
    """The candidates with the bands of the satellite that tags of the file state; all where none is of it."""
    stated = [each for each in candidates if evidence.platform and each.is_spoken_of(evidence.platform)]
    centres = {tuple(each.band(name).wavelength for name in names) for each in stated}
    same = [each for each in candidates if tuple(each.band(name).wavelength for name in names) in centres]
    return same or list(candidates)


def _chosen(candidates: Sequence[Sensor], names: Sequence[str], evidence: Evidence) -> tuple[Sensor, tuple[str, ...]]:
    """The usual one of several candidates, with a warning. BandError if they give the names different meanings."""
    usual = [each for name in USUAL for each in candidates if each.name == name]
    chosen = usual[0] if usual else candidates[0]
    if len({reads(each, names) for each in candidates}) > 1:
        _refuse_ambiguous(candidates, names, evidence)
    if len(candidates) == 1:
        return chosen, ()
    others = list(dict.fromkeys(each.name for each in (*usual, *candidates) if each is not chosen))
    return chosen, (
        f"{evidence.source}: {LEVEL_OPEN}; read as {chosen.name}. If it is "
        f"{' or '.join(others)}, choose it, like bands={others[0]!r}",
    )


def _other_level(candidates: Sequence[Sensor], chosen: Sensor) -> str:
    """The usual sensor of another level among the candidates; empty without one."""
    others = (each.name for name in USUAL for each in candidates if each.name == name and each is not chosen)
    return next(others, "") if chosen.name in USUAL else ""


def _refuse_ambiguous(candidates: Sequence[Sensor], names: Sequence[str], evidence: Evidence) -> None:
    likeliest = ranked(candidates, names, evidence)
    fitting = [each for each in likeliest if could_be_resampled(each, names, evidence.gsd)] or likeliest
    odder = dict(evidence.odder)
    fitting = [each for each in fitting if odder.get(each.name, 0.0) <= FAR_ODDER] or fitting
    raise BandError(
        f"{evidence.source}: the bands {', '.join(names)} could be those of {_some(likeliest)}, which differ in "
        "wavelengths, scale or offset",
        "",
        f"Choose their sensor; by {_judged_by(evidence)} the likeliest first:",
        *(("bands", each.name) for each in fitting),
    )


def _judged_by(evidence: Evidence) -> str:
    """What the order of the candidates depends on."""
    size = [f"pixels of {evidence.gsd:.3g} m"] if math.isfinite(evidence.gsd) else []
    return first_few(["file name", *size, "type", *(["values"] if evidence.odder else [])], 4)


def _some(candidates: Sequence[Sensor]) -> str:
    """The names of the candidates in their order; only some of many."""
    names = [each.name for each in candidates]
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


def _maybe_counted(found: Sequence[str | None], evidence: Evidence) -> tuple[str, ...]:
    """A note where B1 ... Bn may also be a count; no file says so."""
    if not could_count(found) or evidence.metadata is not None or evidence.wavelengths:
        return ()
    what = f"{evidence.source}: B1 to B{len(found)} are read as names, but could also only count the bands"
    counted_as = AS_COUNTED.get(len(found))
    if counted_as is None:
        return (f"{what}. If they do, rename them",)
    name, renamed = counted_as
    return (f"{what}. If they do and this is {name}, choose bands={f'{name}:{renamed}'!r}",)


def _refuse_nameless(evidence: Evidence) -> None:
    count = len(evidence.names)
    refuse_without_names(
        f"{evidence.source}: found {counted(count, 'band')} without {'a name' if count == 1 else 'names'}"
        + (f" ({_first_and_last(evidence.names)} only count them)" if any(evidence.names) else ""),
        "names like B02, as bands are never matched by position",
        evidence,
    )


def refuse_without_names(found: str, expected: str, evidence: Evidence) -> NoReturn:
    """BandError, with advice, about bands without names."""
    count = len(evidence.names)
    advice = proposed(count, evidence)
    listing = "List the names of its bands in the order of the file, separated by commas"
    if count in (RGB, RGB + 1):
        listing += " (red, green, blue and blue, green, red are both usual; values hardly show which)"
    whole = any(is_sensor(str(value)) for _, value in advice)
    do = f"{listing}, {'or choose their sensor' if whole else 'like'}:" if advice else listing
    raise BandError(found, expected, do, *advice)


def _first_and_last(names: Sequence[str | None]) -> str:
    return quoted(names[:1] if len(names) == 1 else (names[0], names[-1])).replace(", ", " to ")


def _refuse_unknown(names: Sequence[str], naming: Sequence[Sensor], evidence: Evidence) -> None:
    by_known = sorted(naming, key=lambda each: (-sum(map(each.knows, names)), each.name not in USUAL))
    best = [each for each in by_known if sum(map(each.knows, names)) == sum(map(by_known[0].knows, names))]
    renames = {each: renaming(*_parted(each, names), each) for each in best}
    closest = next((each for each in best if renames[each]), by_known[0])
    unknown, _ = _parted(closest, names)
    # without an unknown name, numbers and the words beside them contradict each other
    known = without_thermal(closest, names) if unknown else []
    unknown = unknown or [str(name) for name in evidence.names]
    kept = renames[closest]
    near = did_you_mean(unknown[0], closest.names)
    choose = f"Choose the bands to read, which leaves out {quoted(unknown[:MOST_LISTED])} (NEW=OLD renames one):"
    if kept:
        choose = "Rename with NEW=OLD, if it is meant:"
    raise BandError(
        f"{evidence.source}: found band names {quoted(unknown[:MOST_LISTED])}, which no sensor has together with the "
        "others",
        f"names of one sensor, such as {closest.name}: {', '.join(closest.names)}",
        (
            f"{near} {choose}"
            if known
            else f"{near} Rename them (NEW=OLD for each, separated by commas), or d{IN_A_SENSOR_FILE[1:]}"
        ).lstrip(),
        ("bands", kept or (",".join(known) if known else "mine.toml")),
    )


def _parted(each: Sensor, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names that a sensor does not have, and those that it has."""
    return [name for name in names if not each.knows(name)], [name for name in names if each.knows(name)]


def renaming(unknown: Sequence[str], known: Sequence[str], each: Sensor) -> str:
    """The choice that renames unknown words to those of a sensor's other bands, and so keeps all; empty where one is
    like none of them, or has a number, which is near to any other number."""
    if not known:
        return ""
    others = {band: name for name in each.spellings for band in [each.band(name)] if band not in map(each.band, known)}
    words = {spelled(name): name for name in each.spellings if each.band(name) in others}
    pairs = []
    for name in unknown:
        near = [] if re.search(r"\d", name) else get_close_matches(spelled(name), list(words), n=1, cutoff=ALIKE_WORDS)
        if not near:
            return ""
        pairs.append(f"{words[near[0]]}={name}")
    return ",".join(pairs) if len({pair.partition("=")[0] for pair in pairs}) == len(pairs) else ""
