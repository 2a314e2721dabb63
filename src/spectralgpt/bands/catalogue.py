"""The sensors of this package, one TOML file each in `sensors/`, and those that users describe themselves."""

import os
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from spectralgpt.bands.sensor import Sensor
from spectralgpt.bands.sensor_file import described
from spectralgpt.bands.text import read_small_text
from spectralgpt.bands.wavelengths import bands_at, read_list
from spectralgpt.errors import BandError, did_you_mean

SENSORS = Path(__file__).parent / "sensors"
"""Each TOML file in it is a sensor, named after the file."""

MOST_SIMILAR = 5
"""Most names that a message offers in place of an unknown one."""

LIST_OF_WAVELENGTHS = "wavelengths"
"""Name of the sensor of bands that are known by their wavelengths only."""


def sensors() -> tuple[Sensor, ...]:
    """All sensors of this package, by name."""
    return _sensors(SENSORS)


@cache
def _sensors(folder: Path) -> tuple[Sensor, ...]:
    tables = {path.stem: _table(path) for path in folder.glob("*.toml")}

    def read(name: str, above: tuple[str, ...] = ()) -> Sensor:
        if name not in tables or name in above:
            raise BandError(f"sensors/{above[-1]}.toml: bands_of: found {name!r}", "the name of another sensor here")
        return described(name, tables[name], f"sensors/{name}.toml", lambda other: read(other, (*above, name)))

    return tuple(read(name) for name in sorted(tables))


def _table(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a sensor's TOML file. BandError, naming the file, if it cannot be read or is not TOML."""
    text = read_small_text(path, "a sensor as a TOML file")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BandError(f"{path}: is not valid TOML ({error})", do="Give a sensor as a TOML file") from None


def sensor(name: str) -> Sensor:
    """The sensor with this name. BandError, with the nearest name, if there is none."""
    known = {each.name: each for each in sensors()}
    found = known.get(name.strip().lower())
    if found is None:
        near = get_close_matches(name.strip().lower(), tuple(known), n=MOST_SIMILAR, cutoff=0.4)
        raise BandError(
            f"unknown sensor {name!r}",
            f"{'one like ' if near else 'one of '}{', '.join(near) if near else f'{len(known)} known sensors'}",
            f"{did_you_mean(name.lower(), tuple(known))} `spectralgpt sensors` lists all of them".lstrip(),
        )
    return found


def is_sensor(name: str) -> bool:
    """Whether a sensor of this package has this name."""
    return any(each.name == name.strip().lower() for each in sensors())


def read_sensor(path: str | os.PathLike[str]) -> Sensor:
    """A user's own sensor: a TOML file like those of this package, named after the file, in lower case.

    title, level and source may be left out. BandError, in one message, for a file that cannot be read or is not TOML,
    for unknown keys, missing or wrong values, a band or name given twice, and the name of a sensor of this package.
    """
    table = _table(path)
    name = Path(path).stem.strip().lower()
    if is_sensor(name) or name == LIST_OF_WAVELENGTHS:
        raise BandError(
            f"{path}: {name} is the name of a known sensor", do="Rename the file, as a sensor is named after its file"
        )
    return described(name, table, os.fspath(path), sensor)


def from_wavelengths(wavelengths: Sequence[float | int], fwhm: Sequence[float | int] | None = None) -> Sensor:
    """The sensor `wavelengths`: its bands in this order, named like `409.82 nm`; no level, scale or offset.

    wavelengths, fwhm: nm, or micrometres if all wavelengths are below 20. fwhm: default: from the distances between
    neighbours (`widths`). The gsd of the bands is 0: unknown. BandError for what cannot be wavelengths or widths.
    """
    bands = bands_at(LIST_OF_WAVELENGTHS, wavelengths, fwhm)
    return Sensor(
        name=LIST_OF_WAVELENGTHS,
        title=f"{len(bands)} wavelengths",
        level="",
        bands=bands,
        scale=None,
        offset=None,
        nodata=None,
        source="as given by the user",
        names_files=False,
    )


def read_wavelengths(path: str | os.PathLike[str]) -> Sensor:
    """The sensor of a list of wavelengths in a CSV or text file, one band per line. BandError if it cannot be read."""
    wavelengths, fwhm = read_list(path)
    try:
        return replace(from_wavelengths(wavelengths, fwhm), source=os.fspath(path))
    except BandError as error:
        raise error.about(os.fspath(path)) from None
