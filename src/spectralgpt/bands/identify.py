"""Which bands a file has: from its metadata, its names, what the user says, never from their position alone."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from spectralgpt.bands.align import fed
from spectralgpt.bands.band import Band, canonical
from spectralgpt.bands.catalogue import (
    Sensor,
    from_wavelengths,
    is_sensor,
    read_sensor,
    read_wavelengths,
    sensor,
    sensors,
)
from spectralgpt.errors import BandError, did_you_mean

USUAL = ("s2-l2a", "s2-l1c")
"""The sensors that are taken, in this order, where names fit several that read alike."""

MOST_LISTED = 6

MOST_POSITIONS = 20
"""Whole numbers below are no wavelengths, not even in micrometres: somebody counts bands."""

NUMBER_FIRST = re.compile(r"(?:S[RT]_)?B\d+A?\s+\S", re.IGNORECASE)
"""A band's number and a remark, like B1 blue."""

PADDED = re.compile(r"\s*B(?:AND)?[ _]?0\d", re.IGNORECASE)

AGREE = 15.0
"""nm. A wavelength that a file tells may be this far from the sensor's, or half the band's width: lists are rounded."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a file says of its bands.

    names: as written, None without one. source: for messages. metadata: the sensor that its metadata or its name tell.
    wavelengths, fwhms: of every band in nm, or empty.
    """

    names: tuple[str | None, ...]
    source: str
    metadata: str | None = None
    wavelengths: tuple[float, ...] = ()
    fwhms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """The bands that are read, their indices in the file (from 0), whose names they bear, and what to warn of.

    conflicts: what speaks against it; a verb refuses these unless the user trusts the input.
    """

    bands: tuple[Band, ...]
    indices: tuple[int, ...]
    sensor: Sensor
    warnings: tuple[str, ...] = field(default=())
    conflicts: tuple[str, ...] = field(default=())


def identify(evidence: Evidence, choice: str | None) -> Identity:
    """The bands of a file, in the order in which they are read.

    choice: None: metadata, else names, else wavelengths decide. A sensor, or a TOML file that describes one: whose
    names the file's names are; a file without names is read in that sensor's order, if the count fits. A list like
    `B02,B03`, or `landsat8-toa:B2,B3`: the names of a nameless file, or what to take of a named one. Wavelengths in nm,
    as a list or a text file: of all the file's bands, in its order.

    BandError when a name is repeated, unknown or lacking, when the count does not fit, or when the sensors that have
    all the names would feed other bands of the model or differ in scale or offset. Where they read alike, Level-2A is
    taken with a warning; B10 is in Level-1C only.
    """
    found = _named(evidence.names)
    _refuse_repeated([name for name in found if name], f"{evidence.source}: found")
    if choice is None:
        return _untold(found, evidence)
    chosen = _sensor_of(choice)
    if chosen is not None and chosen.name == "wavelengths":
        return _by_position(found, chosen, evidence)
    if chosen is not None:
        return _of_sensor(found, chosen, evidence)
    return _listed(found, choice, evidence)


def bands_of(choice: str | Sequence[Band], count: int, source: str) -> tuple[tuple[Band, ...], Sensor | None]:
    """The bands of an array: a sensor's name (all its bands, in file order), a list like `B02,B03`, or the bands
    themselves; and the sensor whose conventions hold, None where the bands were given. BandError when count differs.
    """
    if isinstance(choice, str):
        identity = identify(Evidence((None,) * count, source), choice)
        return identity.bands, identity.sensor
    bands = tuple(choice)
    _refuse_repeated([band.name for band in bands], f"{source}: found")
    if len(bands) != count:
        raise BandError(f"{source}: found {_count(count)}", f"{len(bands)}, as many as are named")
    return bands, None


def sensor_in_name(name: str) -> str | None:
    """The sensor that a product's name tells, by the sensors' own patterns; None when none or several fit."""
    fitting = {each.name for each in sensors() if each.product and re.search(each.product, name, re.IGNORECASE)}
    return fitting.pop() if len(fitting) == 1 else None


def is_alias(name: str) -> bool:
    """Whether any sensor has a band of this name."""
    return any(each.knows(name) for each in sensors())


def is_list(choice: str) -> bool:
    """Whether --bands picks bands by name, not whole sensors."""
    return _sensor_of(choice) is None


def choice_count(choice: str | None) -> int | None:
    """How many bands --bands names, None where it does not say."""
    if choice is None:
        return None
    chosen = _sensor_of(choice)
    return len(chosen.bands) if chosen is not None else sum(1 for word in choice.split(",") if word.strip())


def _named(names: Sequence[str | None]) -> tuple[str | None, ...]:
    """The canonical names; of `B1 blue` and `SR_B1 coastal` the first word, unless that would make two bands one."""
    whole = [canonical(name) if name and name.strip() else None for name in names]
    short = [canonical(name.split()[0]) if name and NUMBER_FIRST.match(name) else name for name in whole]
    return tuple(one if short.count(one) == 1 else other for one, other in zip(short, whole, strict=True))


def _sensor_of(choice: str) -> Sensor | None:
    """The sensor that --bands means, None where it is a list of names."""
    word = choice.strip()
    if word.lower().endswith(".toml"):
        return read_sensor(word)
    if word.lower().endswith((".csv", ".txt")):
        return read_wavelengths(word)
    if is_sensor(word):
        return sensor(word)
    numbers = [_number(part) for part in word.split(",") if part.strip()]
    known = [number for number in numbers if number is not None]
    if (
        known
        and len(known) == len(numbers)
        and all(number < MOST_POSITIONS and number.is_integer() for number in known)
    ):
        raise BandError(
            f"--bands: found {choice!r}, which looks like positions; expected names like B02,B03 or wavelengths in nm, "
            "as bands are never taken by position."
        )
    return from_wavelengths(known) if known and len(known) == len(numbers) else None


def _number(text: str) -> float | None:
    try:
        return float(text.strip().lower().removesuffix("nm"))
    except ValueError:
        return None


def _by_position(found: tuple[str | None, ...], chosen: Sensor, evidence: Evidence) -> Identity:
    """The user gave a wavelength for each band of the file."""
    if len(found) != len(chosen.bands):
        raise BandError(
            f"{evidence.source}: found {_count(len(found))}; expected {len(chosen.bands)}, as many as --bands gives "
            "wavelengths. Give one for each band of the file, in its order."
        )
    return Identity(chosen.bands, tuple(range(len(found))), chosen)


def _of_sensor(found: tuple[str | None, ...], chosen: Sensor, evidence: Evidence) -> Identity:
    """Read with a sensor that the user named."""
    source = evidence.source
    if all(name is None for name in found):
        if len(found) != len(chosen.bands):
            fitting = [each.name for each in sensors() if len(each.bands) == len(found)]
            raise BandError(
                f"{source}: found {_count(len(found))} without names; expected the {len(chosen.bands)} of {chosen.name}"
                f" ({', '.join(chosen.names)}). Name them with --bands LIST"
                + (f", or choose one of {', '.join(fitting)}, which have as many." if fitting else ".")
            )
        return Identity(chosen.bands, tuple(range(len(found))), chosen, (), _against(chosen, chosen.bands, evidence))
    _refuse_unnamed(found, source)
    names = tuple(name for name in found if name)
    unknown = [name for name in names if not chosen.knows(name)]
    if unknown:
        known = [name for name in names if chosen.knows(name)]
        raise BandError(
            f"{source}: found band names {_quoted(unknown)}, which {chosen.name} does not have; expected some of "
            f"{', '.join(chosen.names)}.{did_you_mean(unknown[0], chosen.names)} Choose what to read with "
            f"--bands {chosen.name}:{','.join(known) or ','.join(chosen.names[:2])}"
        )
    bands = _bands(chosen, names, source)
    return Identity(bands, tuple(range(len(names))), chosen, (), _against(chosen, bands, evidence))


def _listed(found: tuple[str | None, ...], choice: str, evidence: Evidence) -> Identity:
    """Read the bands that the user listed, with or without whose they are."""
    whose, colon, rest = choice.partition(":")
    chosen = _sensor_of(whose) if colon else None
    if colon and chosen is None:
        sensor(whose)  # says which there are
    words = tuple(word.strip() for word in (rest if colon else choice).split(",") if word.strip())
    wanted = tuple(map(canonical, words))
    source = evidence.source
    if not wanted:
        raise BandError(f"found an empty list of bands ({choice!r})", "a sensor or names like B02,B03,B04")
    _refuse_repeated(wanted, "--bands: found")
    if len(wanted) == 1 and not is_alias(wanted[0]) and wanted[0] not in found:
        everything = tuple(each.name for each in sensors())
        raise BandError(
            f"--bands: found {choice!r}, which is neither a sensor nor a band; expected one of {', '.join(everything)} "
            f"or names like B02,B03.{did_you_mean(choice.lower(), everything)}"
        )
    if all(name is None for name in found):
        if len(wanted) != len(found):
            raise BandError(
                f"{source}: found {_count(len(found))} without names; expected {len(wanted)}, as many as --bands names "
                f"({', '.join(wanted)}). Name every band of the file, in its order."
            )
        named = Evidence(words, "--bands" if chosen is None else source, evidence.metadata)
        identity = _untold(wanted, named) if chosen is None else _of_sensor(wanted, chosen, named)
        return Identity(
            identity.bands, tuple(range(len(found))), identity.sensor, identity.warnings, identity.conflicts
        )
    missing = [name for name in wanted if name not in found]
    if missing:
        there = tuple(name for name in found if name)
        raise BandError(
            f"{source}: found the bands {', '.join(there)}; expected also {', '.join(missing)}, as --bands names "
            f"{'it' if len(missing) == 1 else 'them'}."
        )
    # what else is in the file still tells the level: B10 among the others says Level-1C
    kept = [
        index
        for index, name in enumerate(found)
        if name and (name in wanted or (chosen.knows(name) if chosen else is_alias(name)))
    ]
    part = Evidence(
        tuple(evidence.names[index] for index in kept),
        source,
        evidence.metadata,
        tuple(evidence.wavelengths[index] for index in kept) if evidence.wavelengths else (),
        tuple(evidence.fwhms[index] for index in kept) if evidence.fwhms else (),
    )
    names = tuple(found[index] for index in kept)
    identity = _untold(names, part) if chosen is None else _of_sensor(names, chosen, part)
    return Identity(
        tuple(identity.bands[names.index(name)] for name in wanted),
        tuple(found.index(name) for name in wanted),
        identity.sensor,
        identity.warnings,
        identity.conflicts,
    )


def _untold(found: tuple[str | None, ...], evidence: Evidence) -> Identity:
    """The user says nothing: metadata, else the sensors that have every name of the file, else its wavelengths."""
    names = tuple(name for name in found if name)
    complete = len(names) == len(found)
    if complete and evidence.metadata is not None and is_sensor(evidence.metadata):
        told = sensor(evidence.metadata)
        if all(map(told.knows, names)):
            return Identity(_bands(told, names, evidence.source), tuple(range(len(names))), told)
    naming = tuple(each for each in sensors() if each.names_files and _may_write(each, evidence.names))
    candidates = [each for each in naming if complete and all(map(each.knows, names))]
    if evidence.wavelengths:
        candidates = [each for each in candidates if _agrees(each, names, evidence.wavelengths)]
        if not candidates:
            own = from_wavelengths(evidence.wavelengths, evidence.fwhms or None)
            return Identity(own.bands, tuple(range(len(found))), own)
    if not names:
        raise BandError(
            f"{evidence.source}: found {_count(len(found))} without {'a name' if len(found) == 1 else 'names'}; "
            f"expected names like B02, as bands are never matched by position. {_say_which(found)}"
        )
    _refuse_unnamed(found, evidence.source)
    if not candidates:
        _refuse_unknown(names, naming, evidence.source)
    usual = [each for name in USUAL for each in candidates if each.name == name]
    chosen = usual[0] if usual else candidates[0]
    if len({_reads(each, names) for each in candidates}) > 1:
        raise BandError(
            f"{evidence.source}: found bands {', '.join(names)}, which could be of {_some(candidates, chosen)}; "
            "expected one sensor, as these differ in wavelengths, scale or offset. Say which with --bands, like "
            f"--bands {chosen.name}"
        )
    warnings: tuple[str, ...] = ()
    if len(candidates) > 1:
        others = [each.name for each in (*usual, *candidates) if each is not chosen]
        warnings = (
            f"{evidence.source}: the band names do not tell the level; taken as {chosen.name}. If it is "
            f"{' or '.join(dict.fromkeys(others))}, say so, like --bands {others[0]}",
        )
    return Identity(
        _bands(chosen, names, evidence.source), tuple(range(len(names))), chosen, warnings, _unlike(names, evidence)
    )


def _some(candidates: Sequence[Sensor], chosen: Sensor) -> str:
    """The candidates by name, the usual one first; of many only some."""
    names = [chosen.name, *(each.name for each in candidates if each is not chosen)]
    return (
        " or ".join(names)
        if len(names) <= MOST_LISTED
        else f"{', '.join(names[:MOST_LISTED])} or {len(names) - MOST_LISTED} more"
    )


def _may_write(each: Sensor, names: Sequence[str | None]) -> bool:
    """Whether a sensor's products write their names so: Landsat never pads with a zero."""
    return each.zero_padded or not any(PADDED.match(name) for name in names if name)


def _agrees(each: Sensor, names: Sequence[str], wavelengths: Sequence[float]) -> bool:
    """Whether the wavelengths that a file tells can be those of the sensor's bands of these names."""
    return all(
        abs(band.wavelength - told) <= max(AGREE, band.fwhm / 2)
        for band, told in zip(map(each.band, names), wavelengths, strict=True)
    )


def _reads(each: Sensor, names: Sequence[str]) -> tuple[object, ...]:
    """What a sensor makes of these names: scale, offset, and which of the model's bands each feeds."""
    model = sensor("spectralgpt-12").bands
    return each.scale, each.offset, tuple(fed(band, model) for band in map(each.band, names))


def _unlike(names: Sequence[str], evidence: Evidence) -> tuple[str, ...]:
    """What speaks against names that decide: metadata of a sensor that lacks some of them."""
    if evidence.metadata is None or not is_sensor(evidence.metadata):
        return ()
    told = sensor(evidence.metadata)
    lacking = [name for name in names if not told.knows(name)]
    return (
        f"{evidence.source}: found metadata or a name of {told.name}, which has no {', '.join(lacking)}; expected its "
        "bands. Say whose they are with --bands",
    )


def _against(chosen: Sensor, bands: Sequence[Band], evidence: Evidence) -> tuple[str, ...]:
    """What speaks against a sensor that the user chose: what the file's metadata say, and its wavelengths."""
    conflicts = []
    if evidence.metadata is not None and is_sensor(evidence.metadata) and evidence.metadata != chosen.name:
        told = sensor(evidence.metadata)
        names = [band.name for band in bands]
        # a file order of the same bands (eurosat of s2-l1c) is no other sensor
        if (
            not all(map(told.knows, names))
            or _reads(told, names) != _reads(chosen, names)
            or told.level != chosen.level
        ):
            conflicts.append(
                f"{evidence.source}: found metadata or a name of {told.name}; expected {chosen.name}, as --bands says. "
                f"Say --bands {told.name}, or leave it out"
            )
    far = [
        f"{band.name} {told:g} nm instead of {band.wavelength:g}"
        for band, told in zip(bands, evidence.wavelengths, strict=False)
        if math.isfinite(told) and abs(band.wavelength - told) > max(AGREE, band.fwhm / 2)
    ]
    if far and len(evidence.wavelengths) == len(bands):
        conflicts.append(
            f"{evidence.source}: found the wavelengths {', '.join(far[:4])}; expected those of {chosen.name}, as "
            "--bands says. Say whose bands they are"
        )
    return tuple(conflicts)


def _bands(whose: Sensor, names: Sequence[str], source: str) -> tuple[Band, ...]:
    """The sensor's bands of these names. BandError when two names mean one band, as B8 and nir do."""
    bands = tuple(map(whose.band, names))
    for band, times in Counter(bands).items():
        if times > 1:
            twice = [name for name, each in zip(names, bands, strict=True) if each == band]
            raise BandError(f"{source}: found {' and '.join(twice)}, which are one band of {whose.name}", "one")
    return bands


def _refuse_unknown(names: Sequence[str], naming: Sequence[Sensor], source: str) -> None:
    closest = max(naming, key=lambda each: (sum(map(each.knows, names)), each.name in USUAL))
    unknown = [name for name in names if not closest.knows(name)]
    known = [name for name in names if closest.knows(name)]
    raise BandError(
        f"{source}: found band names {_quoted(unknown)}, which no sensor has beside the others; expected names of "
        f"one sensor, as {closest.name}: {', '.join(closest.names)}.{did_you_mean(unknown[0], closest.names)} "
        f"Choose what to read with --bands {','.join(known) if known else 'B02,B03,B04'}"
    )


def _refuse_repeated(names: Sequence[str], found: str) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise BandError(
            f"{found} the band name {_quoted(repeated)} more than once (B1 and B01 are the same)", "each once"
        )


def _refuse_unnamed(found: Sequence[str | None], source: str) -> None:
    unnamed = [index for index, name in enumerate(found, 1) if name is None]
    if unnamed:
        named = [name for name in found if name]
        raise BandError(
            f"{source}: found bands without a name (number {', '.join(map(str, unnamed))}) beside named ones; expected "
            f"a name for each. Choose what to read with --bands {','.join(named)}"
        )


def _say_which(found: Sequence[str | None]) -> str:
    fitting = [each.name for each in sensors() if len(each.bands) == len(found)]
    whose = f"whose they are with --bands {' or '.join(fitting)}, or " if fitting else ""
    return f"Say {whose}which they are with --bands B02,B03,... in the file's order."


def _count(bands: int) -> str:
    return f"{bands} band{'' if bands == 1 else 's'}"


def _quoted(names: Sequence[str | None]) -> str:
    return ", ".join(repr(name) for name in names)
