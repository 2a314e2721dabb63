"""Which bands a file has: from its metadata, its names and the user's choice, never from their position alone."""

import math
from collections.abc import Sequence
from dataclasses import replace

from spectralgpt.bands.band import Band, canonical
from spectralgpt.bands.candidates import (
    AS_COUNTED,
    IN_A_SENSOR_FILE,
    MOST_LISTED,
    declared_sensor,
    identify_alone,
    refuse_without_names,
    renaming,
    without_thermal,
)
from spectralgpt.bands.catalogue import is_sensor, sensor, sensors
from spectralgpt.bands.choice import chosen_sensor
from spectralgpt.bands.evidence import (
    NAME_EACH,
    Evidence,
    Identity,
    agrees,
    bands_named,
    quoted,
    refuse_repeated,
    refuse_unnamed,
)
from spectralgpt.bands.fitting import can_open, could_be_resampled, fits_grid, ranked
from spectralgpt.bands.meaning import reads
from spectralgpt.bands.naming import could_count, is_alias, is_auxiliary, notes_on, written_names
from spectralgpt.bands.renaming import renamed
from spectralgpt.bands.sensor import Sensor
from spectralgpt.bands.wavelength_names import bands_at_wavelengths, wavelengths_in_names
from spectralgpt.errors import Advice, BandError, argument, counted, did_you_mean, first_few


def identify(evidence: Evidence, choice: str | None) -> Identity:
    """The bands of a file, in the order in which they are read.

    choice: None: metadata, else names, else wavelengths decide. A sensor, or a TOML file that describes one: the names
    are those of this sensor; a file without names is read in the order of the sensor, if the count fits. A list like
    `B02,B03`, or `landsat8-toa:B2,B3`: the names of a file without names, or what to take from a file with names;
    `B02=blue_1` renames a band. Wavelengths in nm, as a list or a text file: of all bands of the file, in its order.

    Names that only count, like Band 1, Band 2, are no names. Auxiliary layers beside bands (SCL, NDVI) are left out
    with a warning, as is the suffix of B2_median.

    BandError for a repeated, unknown or missing name, for a count that does not fit, and if the sensors that have all
    the names would feed different bands of the model or differ in scale or offset. Where all give them the same
    meaning, Level-2A is taken with a warning; B10 is in Level-1C only. Its advice has been tried on this evidence.
    """
    try:
        return _identified(evidence, choice)
    except BandError as error:
        if not error.advice:
            raise
        working = _working(error.advice, evidence, choice)
        advice = working or (("bands", "mine.toml"),)
        raise type(error)(error.found, error.expected, error.do if working else IN_A_SENSOR_FILE, *advice) from None


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


def _identified(evidence: Evidence, choice: str | None) -> Identity:
    """As `identify`, with advice as it comes to mind."""
    known, wanted = renamed(_at_wavelengths(evidence, choice), choice)
    declared = declared_sensor(known)
    written = written_names(known.names, declared.knows if declared is not None else None)
    found = tuple(each.name for each in written)
    if could_count(found) and not any(all(map(each.knows, filter(None, found))) for each in sensors()):
        found = (None,) * len(found)  # B1 ... B13
    chosen = None if wanted is None else chosen_sensor(wanted)
    notes = () if chosen is not None and chosen.name == "wavelengths" else notes_on(written, known.source)
    if wanted is not None and chosen is None:
        refuse_repeated([name for name in found if name], known.source, NAME_EACH)
        identity = _listed(found, wanted, known)
    elif chosen is not None and chosen.name == "wavelengths":
        identity = _by_position(found, chosen, known)
    else:
        identity = _without_auxiliary(found, chosen, wanted, known)
    return replace(identity, warnings=(*identity.warnings, *notes))


def _at_wavelengths(evidence: Evidence, choice: str | None) -> Evidence:
    """The evidence, where names are wavelengths, with these instead; with the names of a chosen sensor's bands there,
    if each wavelength is that of one. Lists select by the names as they are."""
    given = wavelengths_in_names(evidence.names)
    if not given:
        return evidence
    chosen = None if choice is None else chosen_sensor(choice)
    if choice is not None and chosen is None:
        called, colon, _ = choice.partition(":")
        chosen = chosen_sensor(called) if colon else None
        if chosen is None:
            return evidence
    found = () if chosen is None else bands_at_wavelengths(chosen, given)
    names = tuple(band.name for band in found) or (None,) * len(given)
    return replace(evidence, names=names, wavelengths=evidence.wavelengths or given)


def _without_auxiliary(
    found: tuple[str | None, ...], chosen: Sensor | None, called: str | None, evidence: Evidence
) -> Identity:
    """The bands of a file by a sensor, or alone, without auxiliary layers that stand beside bands."""
    beside = [
        index
        for index, name in enumerate(found)
        if name and is_auxiliary(name) and not (chosen is not None and chosen.knows(name))
    ]
    kept = [index for index in range(len(found)) if index not in beside]
    if not kept:
        beside, kept = [], list(range(len(found)))
    names, part = tuple(found[index] for index in kept), evidence.part(kept)
    refuse_repeated([name for name in names if name], evidence.source, NAME_EACH)
    identity = identify_alone(names, part) if chosen is None else _of_sensor(names, chosen, called or "", part)
    if not beside:
        return identity
    listed = first_few([str(evidence.names[index]) for index in beside], MOST_LISTED)
    return replace(
        identity,
        indices=tuple(kept[index] for index in identity.indices),
        warnings=(*identity.warnings, f"{evidence.source}: left out {listed}: masks, quality or indices, no bands"),
    )


def _working(advice: Sequence[Advice], evidence: Evidence, choice: str | None) -> tuple[Advice, ...]:
    """The advice that identifies the bands; a list of names that several sensors have, with each sensor before it."""
    working: list[Advice] = []
    for name, value in advice:
        text = str(value)
        if name != "bands" or text.endswith(".toml") or _works(text, evidence):
            working.append((name, value))
        elif is_sensor(text) and choice and _works(f"{text}:{choice}", evidence):
            working.append((name, f"{text}:{choice}"))  # a list of names that several sensors have
        elif not is_sensor(text) and ":" not in text:
            words = [canonical(word.partition("=")[0]) for word in text.split(",")]
            knowing = [each for each in sensors() if each.names_files and all(map(each.knows, words))]
            fitting = [each for each in knowing if could_be_resampled(each, words, evidence.gsd)] or knowing
            options = [f"{each.name}:{text}" for each in ranked(fitting, words, evidence)]
            working += [("bands", option) for option in options if _works(option, evidence)]
    return tuple(dict.fromkeys(working))[:MOST_LISTED]


def _works(choice: str, evidence: Evidence) -> bool:
    try:
        identity = _identified(evidence, choice)
    except BandError:
        return False
    return not identity.conflicts and can_open(identity.sensor, evidence)


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
            _refuse_count(chosen, evidence)
        return Identity(chosen.bands, everything, chosen, (), _contradicted(chosen, chosen.bands, evidence))
    refuse_unnamed(found, evidence.source)
    names = tuple(name for name in found if name)
    unknown = [name for name in names if not chosen.knows(name)]
    if unknown:
        _refuse_lacking(names, unknown, chosen, called, evidence)
    bands = bands_named(chosen, names, evidence.source)
    warnings = _on_another_grid(names, chosen, evidence)
    return Identity(bands, everything, chosen, warnings, _contradicted(chosen, bands, evidence))


def _refuse_lacking(
    names: Sequence[str], unknown: Sequence[str], chosen: Sensor, called: str, evidence: Evidence
) -> None:
    known = without_thermal(chosen, names)
    siblings = [
        each
        for each in sensors()
        if each.names_files and all(map(each.knows, names)) and reads(each, known) == reads(chosen, known)
    ]
    kept, choose = renaming(unknown, known, chosen), "Choose the sensor of these bands"
    advice = [f"{called}:{','.join(known)}"] if known else []
    sensor_counted, renames = AS_COUNTED.get(len(names), ("", ""))
    if could_count(names) and chosen.name == sensor_counted:
        choose, advice = "If the names only count the bands, rename them:", [f"{called}:{renames}"]
    elif known and siblings:  # B10 shows Level-1C: without it, the level would be taken for another
        advice = [each.name for each in ranked(siblings, names, evidence)]
        choose += f", which has {quoted(unknown[:MOST_LISTED])} too:"
    elif kept:
        choose, advice = "Rename with NEW=OLD, if it is meant:", [f"{called}:{kept}"]
    elif known:
        choose += f", or only bands that it has, which leaves out {quoted(unknown[:MOST_LISTED])}:"
    raise BandError(
        f"{evidence.source}: found band names {quoted(unknown[:MOST_LISTED])}, which {chosen.name} does not have",
        f"some of: {', '.join(chosen.names)}",
        f"{did_you_mean(unknown[0], chosen.names)} {choose}".lstrip(),
        *(("bands", one) for one in advice),
    )


def _on_another_grid(names: Sequence[str], chosen: Sensor, evidence: Evidence) -> tuple[str, ...]:
    """A warning where the pixels are not the chosen sensor's, but those of others that read the names differently."""
    if evidence.metadata == chosen.name or fits_grid(chosen, names, evidence.gsd):
        return ()
    others = [
        each
        for each in sensors()
        if each.names_files
        and all(map(each.knows, names))
        and fits_grid(each, names, evidence.gsd)
        and reads(each, names) != reads(chosen, names)
    ]
    if not others:
        return ()
    listed = first_few([each.name for each in ranked(others, names, evidence)], MOST_LISTED)
    return (
        f"{evidence.source}: found pixels of {evidence.gsd:.3g} m, which {chosen.name} does not have; unless the image "
        f"was resampled, its bands may be those of {listed}, which read the names differently",
    )


def _refuse_count(chosen: Sensor, evidence: Evidence) -> None:
    count = len(evidence.names)
    refuse_without_names(
        f"{evidence.source}: found {counted(count, 'band')} without names",
        f"the {len(chosen.bands)} of {chosen.name} ({', '.join(chosen.names)})",
        evidence,
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
    """The list names the bands of a file without names. Names that only count say no more than the file does."""
    count, names = len(evidence.names), tuple(each.name for each in written_names(words))
    given = argument("bands", choice)
    if len(names) != count:
        raise BandError(
            f"{evidence.source}: found {counted(count, 'band')} without names",
            f"{len(names)}, as in {given}",
            "Name all bands of the file, in its order",
        )
    named = replace(
        evidence, names=words, source=given if chosen is None else evidence.source, wavelengths=(), fwhms=()
    )
    if chosen is not None:
        return _of_sensor(names, chosen, choice.partition(":")[0], named)
    identity = identify_alone(names, named)
    # the file has no names that could be renamed
    renames = AS_COUNTED.get(count, ("", ""))[1]
    plain = ",".join(entry.partition("=")[0] for entry in renames.split(","))
    return replace(identity, warnings=tuple(each.replace(renames or "=", plain or "=") for each in identity.warnings))


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
    part = evidence.part(kept)
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
    """Whether a sensor has the same bands in another file order, as eurosat has those of s2-l1c, or a user's own sensor
    file has them with another scale and offset."""
    names = [band.name for band in bands]
    if not is_sensor(chosen.name):
        return all(
            declared.knows(band.name) and declared.band(band.name).wavelength == band.wavelength for band in bands
        )
    return (
        all(map(declared.knows, names))
        and reads(declared, names) == reads(chosen, names)
        and declared.level == chosen.level
    )
