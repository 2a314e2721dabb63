"""Which bands a file has: from its names, from what the user says, never from their position alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from spectralgpt.bands.band import Band, canonical
from spectralgpt.bands.catalogue import Sensor, did_you_mean, is_sensor, sensor, sensors
from spectralgpt.errors import BandError


@dataclass(frozen=True, slots=True)
class Identity:
    """The bands that are read, their indices in the file (from 0), whose names they bear, and what to warn of."""

    bands: tuple[Band, ...]
    indices: tuple[int, ...]
    sensor: Sensor
    warnings: tuple[str, ...] = ()


def identify(names: Sequence[str | None], choice: str | None, source: str, metadata: str | None = None) -> Identity:
    """The bands of a file whose bands are called so (None: without a name), in the order in which they are read.

    choice: None: the names decide. A sensor: whose names the file's names are; a file without names is read in that
    sensor's order, if the count fits. A list like `B02,B03`: the names of a nameless file, or what to take of a named
    one. metadata: the sensor that the file itself names, if it does. source: for messages.

    BandError when a name is repeated, unknown or lacking, when the count does not fit, or when several sensors remain
    that differ in more than their level. B10 is in Level-1C only; without it, Level-2A is taken, with a warning.
    """
    found = tuple(canonical(name) if name and name.strip() else None for name in names)
    _refuse_repeated([name for name in found if name], f"{source}: found")
    if choice is None:
        if all(name is None for name in found):
            raise BandError(
                f"{source}: found {_count(len(found))} without {'a name' if len(found) == 1 else 'names'}; expected "
                f"names like B02, as bands are never matched by position. {_say_which(found)}"
            )
        return _all_named(found, source, metadata)
    if is_sensor(choice):
        return _of_sensor(found, sensor(choice), source)
    return _listed(found, choice, source, metadata)


def bands_of(choice: str | Sequence[Band], count: int, source: str) -> tuple[tuple[Band, ...], Sensor | None]:
    """The bands of an array: a sensor's name (all its bands, in file order), a list like `B2,B3`, or the bands
    themselves; and the sensor whose conventions hold, None where the bands were given. BandError when count differs.
    """
    if isinstance(choice, str):
        identity = identify([None] * count, choice, source)
        return identity.bands, identity.sensor
    bands = tuple(choice)
    _refuse_repeated([band.name for band in bands], f"{source}: found")
    if len(bands) != count:
        raise BandError(f"{source}: found {_count(count)}; expected {len(bands)}, as many as are named.")
    return bands, None


def _of_sensor(found: tuple[str | None, ...], chosen: Sensor, source: str) -> Identity:
    """Read with a sensor that the user named."""
    if all(name is None for name in found):
        if len(found) != len(chosen.bands):
            fitting = [each.name for each in sensors() if len(each.bands) == len(found)]
            raise BandError(
                f"{source}: found {_count(len(found))} without names; expected the {len(chosen.bands)} of {chosen.name}"
                f" ({', '.join(chosen.names)}). Name them with --bands LIST"
                + (f", or choose one of {', '.join(fitting)}, which have as many." if fitting else ".")
            )
        return Identity(chosen.bands, tuple(range(len(found))), chosen)
    _refuse_unnamed(found, source)
    unknown = [name for name in found if name not in chosen.names]
    if unknown:
        known = [name for name in found if name and name in chosen.names]
        raise BandError(
            f"{source}: found band names {_quoted(unknown)}, which {chosen.name} does not have; expected some of "
            f"{', '.join(chosen.names)}.{did_you_mean(unknown[0] or '', chosen.names)} Choose what to read with "
            f"--bands {','.join(known) or 'B02,B03'}"
        )
    return Identity(tuple(chosen.band(name) for name in found if name), tuple(range(len(found))), chosen)


def _listed(found: tuple[str | None, ...], choice: str, source: str, metadata: str | None) -> Identity:
    """Read the bands that the user listed."""
    wanted = tuple(canonical(word) for word in choice.split(",") if word.strip())
    if not wanted:
        raise BandError(f"found an empty list of bands ({choice!r}); expected a sensor or names like B02,B03,B04.")
    _refuse_repeated(wanted, "--bands: found")
    if len(wanted) == 1 and not _known_to_any(wanted[0]):
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
        identity = _all_named(wanted, "--bands", metadata)
        return Identity(identity.bands, tuple(range(len(found))), identity.sensor, identity.warnings)
    missing = [name for name in wanted if name not in found]
    if missing:
        there = tuple(name for name in found if name)
        raise BandError(
            f"{source}: found the bands {', '.join(there)}; expected also {', '.join(missing)}, as --bands names "
            f"{'it' if len(missing) == 1 else 'them'}."
        )
    # what else is in the file still tells the level: B10 among the others says Level-1C
    evidence = tuple(name for name in found if name and (name in wanted or _known_to_any(name)))
    identity = _all_named(evidence, source, metadata)
    return Identity(
        tuple(identity.bands[evidence.index(name)] for name in wanted),
        tuple(found.index(name) for name in wanted),
        identity.sensor,
        identity.warnings,
    )


def _all_named(found: tuple[str | None, ...], source: str, metadata: str | None) -> Identity:
    """Infer the sensor: what the metadata say, else those that have every name of the file."""
    _refuse_unnamed(found, source)
    names = tuple(name for name in found if name)
    if metadata is not None and is_sensor(metadata):
        told = sensor(metadata)
        if set(names) <= set(told.names):
            return Identity(tuple(map(told.band, names)), tuple(range(len(names))), told)
    naming = tuple(each for each in sensors() if each.names_files)
    candidates = [each for each in naming if set(names) <= set(each.names)]
    if not candidates:
        closest = max(naming, key=lambda each: len(set(names) & set(each.names)))
        unknown = [name for name in names if name not in closest.names]
        known = [name for name in names if name in closest.names]
        raise BandError(
            f"{source}: found band names {_quoted(unknown)}, which no sensor has beside the others; expected names of "
            f"one sensor, as {closest.name}: {', '.join(closest.names)}.{did_you_mean(unknown[0], closest.names)} "
            f"Choose what to read with --bands {','.join(known) if known else 'B02,B03,B04'}"
        )
    chosen = max(candidates, key=lambda each: each.level)
    if any(_differs(each, chosen, names) for each in candidates):
        raise BandError(
            f"{source}: found bands {', '.join(names)}, which could be of {' or '.join(e.name for e in candidates)}; "
            f"expected one sensor, as these differ. Say which with --bands {candidates[0].name}"
        )
    warnings: tuple[str, ...] = ()
    if len(candidates) > 1:
        others = " or ".join(each.name for each in candidates if each is not chosen)
        warnings = (
            f"{source}: the band names do not tell the level; taken as {chosen.name}. "
            f"If it is {others}, say --bands {others}",
        )
    return Identity(tuple(map(chosen.band, names)), tuple(range(len(names))), chosen, warnings)


def _differs(one: Sensor, other: Sensor, names: Sequence[str]) -> bool:
    """Whether two sensors read these names as other bands or other reflectance, not only another level."""

    def reads(each: Sensor) -> object:
        return each.scale, each.offset, [(b.wavelength, b.fwhm) for b in map(each.band, names)]

    return reads(one) != reads(other)


def _known_to_any(name: str) -> bool:
    return any(name in each.names for each in sensors())


def _refuse_repeated(names: Sequence[str], found: str) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise BandError(
            f"{found} the band name {_quoted(repeated)} more than once (B1 and B01 are the same); expected each once."
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
