"""Which bands a file has: from its metadata, its names and the user's choice, never from their position alone."""

import math
from collections.abc import Sequence
from dataclasses import replace

from spectralgpt.bands.band import Band, canonical
from spectralgpt.bands.candidates import declared_sensor, identify_alone, is_alias, reads
from spectralgpt.bands.catalogue import sensor, sensors
from spectralgpt.bands.choice import chosen_sensor
from spectralgpt.bands.evidence import (
    Evidence,
    Identity,
    agrees,
    bands_named,
    canonical_names,
    quoted,
    refuse_repeated,
    refuse_unnamed,
)
from spectralgpt.bands.sensor import Sensor
from spectralgpt.errors import BandError, argument, counted, did_you_mean


def identify(evidence: Evidence, choice: str | None) -> Identity:
    """The bands of a file, in the order in which they are read.

    choice: None: metadata, else names, else wavelengths decide. A sensor, or a TOML file that describes one: the names
    are those of this sensor; a file without names is read in the order of the sensor, if the count fits. A list like
    `B02,B03`, or `landsat8-toa:B2,B3`: the names of a file without names, or what to take from a file with names.
    Wavelengths in nm, as a list or a text file: of all bands of the file, in its order.

    BandError for a repeated, unknown or missing name, for a count that does not fit, and if the sensors that have all
    the names would feed different bands of the model or differ in scale or offset. Where all give them the same
    meaning, Level-2A is taken with a warning; B10 is in Level-1C only.
    """
    found = canonical_names(evidence.names)
    refuse_repeated([name for name in found if name], evidence.source)
    if choice is None:
        return identify_alone(found, evidence)
    chosen = chosen_sensor(choice)
    if chosen is not None and chosen.name == "wavelengths":
        return _by_position(found, chosen, evidence)
    if chosen is not None:
        return _of_sensor(found, chosen, choice, evidence)
    return _listed(found, choice, evidence)


def bands_of(choice: str | Sequence[Band], count: int, source: str) -> tuple[tuple[Band, ...], Sensor | None]:
    """The bands of an array, and the sensor with its conventions, None if the bands themselves are given.

    choice: the name of a sensor (all its bands, in file order), a list like `B02,B03`, or the bands. BandError if their
    number is not `count`.
    """
    if isinstance(choice, str):
        identity = identify(Evidence((None,) * count, source), choice)
        return identity.bands, identity.sensor
    bands = tuple(choice)
    refuse_repeated([band.name for band in bands], source)
    if len(bands) != count:
        raise BandError(f"{source}: found {counted(count, 'band')}", f"{len(bands)}, the number of bands given")
    return bands, None


def _by_position(found: tuple[str | None, ...], chosen: Sensor, evidence: Evidence) -> Identity:
    """The user gave a wavelength for each band of the file."""
    if len(found) != len(chosen.bands):
        raise BandError(
            f"{evidence.source}: found {counted(len(found), 'band')}",
            f"{len(chosen.bands)}, the number of wavelengths given",
            "Give one wavelength per band of the file, in its order",
        )
    return Identity(chosen.bands, tuple(range(len(found))), chosen)


def _of_sensor(found: tuple[str | None, ...], chosen: Sensor, called: str, evidence: Evidence) -> Identity:
    """The bands of a file, by a sensor that the user named. called: the name, or the path of a TOML file."""
    everything = tuple(range(len(found)))
    if all(name is None for name in found):
        if len(found) != len(chosen.bands):
            _refuse_count(len(found), chosen, evidence.source)
        return Identity(chosen.bands, everything, chosen, (), _contradicted(chosen, chosen.bands, evidence))
    refuse_unnamed(found, evidence.source)
    names = tuple(name for name in found if name)
    unknown = [name for name in names if not chosen.knows(name)]
    if unknown:
        known = [name for name in names if chosen.knows(name)]
        choose = "Choose the sensor of these bands" + (", or only bands that it has:" if known else "")
        raise BandError(
            f"{evidence.source}: found band names {quoted(unknown)}, which {chosen.name} does not have",
            f"some of: {', '.join(chosen.names)}",
            f"{did_you_mean(unknown[0], chosen.names)} {choose}".lstrip(),
            *([("bands", f"{called}:{','.join(known)}")] if known else []),
        )
    bands = bands_named(chosen, names, evidence.source)
    return Identity(bands, everything, chosen, (), _contradicted(chosen, bands, evidence))


def _refuse_count(count: int, chosen: Sensor, source: str) -> None:
    fitting = [("bands", each.name) for each in sensors() if len(each.bands) == count]
    choose = "Choose a sensor with that many bands, or list" if fitting else "List"
    raise BandError(
        f"{source}: found {counted(count, 'band')} without names",
        f"the {len(chosen.bands)} of {chosen.name} ({', '.join(chosen.names)})",
        f"{choose} the names in the order of the file:",
        *fitting,
        ("bands", "B02,B03,..."),
    )


def _listed(found: tuple[str | None, ...], choice: str, evidence: Evidence) -> Identity:
    """The bands that the user listed, with or without their sensor."""
    name, colon, rest = choice.partition(":")
    chosen = chosen_sensor(name) if colon else None
    if colon and chosen is None:
        sensor(name)  # its message lists the sensors
    words = tuple(word.strip() for word in (rest if colon else choice).split(",") if word.strip())
    wanted = tuple(map(canonical, words))
    _check_list(wanted, found, choice)
    if all(name is None for name in found):
        return _naming(words, chosen, choice, evidence)
    missing = [name for name in wanted if name not in found]
    if missing:
        raise BandError(
            f"{evidence.source}: found no {' and no '.join(missing)} for {argument('bands', choice)}",
            f"some of: {', '.join(name for name in found if name)}",
        )
    return _selected(found, wanted, chosen, name, evidence)


def _check_list(wanted: tuple[str, ...], found: tuple[str | None, ...], choice: str) -> None:
    """BandError for a list that is empty, repeats a name, or is a single word that means nothing."""
    given = argument("bands", choice)
    if not wanted:
        raise BandError(f"{given}: found no band", "a sensor or names like B02,B03,B04")
    refuse_repeated(wanted, given)
    if len(wanted) == 1 and not is_alias(wanted[0]) and wanted[0] not in found:
        known = tuple(each.name for each in sensors())
        raise BandError(
            f"{given} is neither a sensor nor a band",
            f"one of: {', '.join(known)}, or names like B02,B03",
            did_you_mean(choice.lower(), known),
        )


def _naming(words: tuple[str, ...], chosen: Sensor | None, choice: str, evidence: Evidence) -> Identity:
    """The list names the bands of a file without names."""
    count, names = len(evidence.names), tuple(map(canonical, words))
    given = argument("bands", choice)
    if len(names) != count:
        raise BandError(
            f"{evidence.source}: found {counted(count, 'band')} without names",
            f"{len(names)}, as in {given}",
            "Name all bands of the file, in its order",
        )
    named = Evidence(words, given if chosen is None else evidence.source, evidence.metadata)
    return (
        identify_alone(names, named) if chosen is None else _of_sensor(names, chosen, choice.partition(":")[0], named)
    )


def _selected(
    found: tuple[str | None, ...], wanted: tuple[str, ...], chosen: Sensor | None, called: str, evidence: Evidence
) -> Identity:
    """The list selects from a file with names. called: the name of the sensor, or the path of its TOML file."""
    # the other bands of the file still show the level: B10 among them means Level-1C
    kept = [
        index
        for index, name in enumerate(found)
        if name and (name in wanted or (chosen.knows(name) if chosen else is_alias(name)))
    ]
    part = replace(
        evidence,
        names=tuple(evidence.names[index] for index in kept),
        wavelengths=tuple(evidence.wavelengths[index] for index in kept) if evidence.wavelengths else (),
        fwhms=tuple(evidence.fwhms[index] for index in kept) if evidence.fwhms else (),
    )
    names = tuple(found[index] for index in kept)
    identity = identify_alone(names, part) if chosen is None else _of_sensor(names, chosen, called, part)
    return replace(
        identity,
        bands=tuple(identity.bands[names.index(name)] for name in wanted),
        indices=tuple(found.index(name) for name in wanted),
    )


def _contradicted(chosen: Sensor, bands: Sequence[Band], evidence: Evidence) -> tuple[str, ...]:
    """The conflicts of a sensor that the user chose with the metadata and the wavelengths of the file."""
    conflicts = []
    declared = declared_sensor(evidence)
    if declared is not None and declared.name != chosen.name and not _same(declared, chosen, bands):
        conflicts.append(
            f"{evidence.source}: the metadata or the file name declares {declared.name}, but {chosen.name} was chosen. "
            f"Choose bands={declared.name!r}, or leave the choice out"
        )
    far = [
        f"{band.name} {given:g} nm instead of {band.wavelength:g}"
        for band, given in zip(bands, evidence.wavelengths, strict=False)
        if math.isfinite(given) and not agrees(band, given)
    ]
    if far and len(evidence.wavelengths) == len(bands):
        conflicts.append(
            f"{evidence.source}: the wavelengths are not those of {chosen.name}, which was chosen "
            f"({', '.join(far[:4])}). Choose the sensor of these bands"
        )
    return tuple(conflicts)


def _same(declared: Sensor, chosen: Sensor, bands: Sequence[Band]) -> bool:
    """Whether a sensor has the same bands in another file order, as eurosat has those of s2-l1c."""
    names = [band.name for band in bands]
    return (
        all(map(declared.knows, names))
        and reads(declared, names) == reads(chosen, names)
        and declared.level == chosen.level
    )
