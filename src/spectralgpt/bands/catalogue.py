"""Named lists of bands with their conventions; each is one TOML file of `sensors/`, or the user's own.

Keys: title, level, source; scale and offset (reflectance = stored x scale + offset; both left out: the numbers are no
reflectance without metadata); nodata (what products mark as not measured; left out: nothing); names_files = false:
names found in a file never point to it; zero_padded = false: its products never write B02; product: what its files' and
folders' names match, as a regular expression. `bands` in file order, each with name, wavelength (nm), fwhm (nm), gsd
(m) and perhaps aliases, other names that files give it. Instead of `bands`: `wavelengths`, a list in nm, and perhaps
`fwhm`, of bands that are called by them, like `409.82 nm`; or `bands_of`, another sensor's bands, with
`order` for some of them or for another order, and `aliases`, a table of further ones. They become bands of this sensor;
only with `names_files = false` they stay the other's, whose file order this is.
"""

import os
import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from spectralgpt.bands.band import Band, canonical
from spectralgpt.bands.text import read_small_text
from spectralgpt.bands.wavelengths import LONGEST, SHORTEST, in_nanometres, names_of, read_list
from spectralgpt.errors import BandError, did_you_mean

NUMBER, TEXT, FLAG, LIST, TABLE = "a number", "a text", "true or false", "a list", "a table"

KEYS = {
    "title": TEXT, "level": TEXT, "source": TEXT, "scale": NUMBER, "offset": NUMBER, "nodata": NUMBER,
    "names_files": FLAG, "zero_padded": FLAG, "product": TEXT,
    "bands": LIST, "wavelengths": LIST, "fwhm": LIST, "bands_of": TEXT, "order": LIST, "aliases": TABLE,
}  # fmt: skip
BAND_KEYS = {"name": TEXT, "wavelength": NUMBER, "fwhm": NUMBER, "gsd": NUMBER, "aliases": LIST}
TYPES: dict[str, type | tuple[type, ...]] = {NUMBER: (int, float), TEXT: str, FLAG: bool, LIST: list, TABLE: dict}

LIST_OF_WAVELENGTHS = "wavelengths"
"""What the sensor is called whose bands are known by their wavelengths only."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """A named list of bands, in file order, with its conventions: reflectance = stored x scale + offset.

    scale, offset: None where the products' numbers are no reflectance without metadata. nodata: what products mark as
    not measured, None without. names_files: whether names found in a file may mean this sensor; else it is chosen by
    its name, metadata or the file's name only. zero_padded: whether a name written B02 may be this sensor's. product:
    regular expression, to be searched in the name of a file or folder whatever the case. aliases: (other name as
    `spelled` gives it, the band's name).
    """

    name: str
    title: str
    level: str
    bands: tuple[Band, ...]
    scale: float | None
    offset: float | None
    nodata: float | None
    source: str
    names_files: bool = True
    zero_padded: bool = True
    product: str | None = None
    aliases: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)

    def knows(self, name: str) -> bool:
        """Whether a band is called so, by its name or another that files give it."""
        return self._find(name) is not None

    def band(self, name: str) -> Band:
        """The band of this name or alias, however it is written. BandError, with the nearest name, without one."""
        found = self._find(name)
        if found is None:
            raise BandError(
                f"found band name {name!r}, which {self.name} does not have; expected one of {', '.join(self.names)}."
                f"{did_you_mean(canonical(name), self.names)}"
            )
        return found

    def _find(self, name: str) -> Band | None:
        wanted = spelled(name)
        meant = next((band for alias, band in self.aliases if alias == wanted), None)
        return next((band for band in self.bands if band.name == meant or spelled(band.name) == wanted), None)


@lru_cache(maxsize=8192)
def spelled(name: str) -> str:
    """The one spelling in which names are compared: `canonical`, in small letters, `red-edge` and `Red Edge` alike,
    `458.90 nm` as `458.9_nm`.
    """
    word = canonical(name)
    measured = re.fullmatch(r"(\d+(?:\.\d*)?)\s*nm", word, re.IGNORECASE)
    return re.sub(r"[\s_-]+", "_", f"{float(measured[1]):.10g} nm" if measured else word).casefold()


def sensors() -> tuple[Sensor, ...]:
    """Every sensor of this package, by name."""
    return _sensors()


@cache
def _sensors() -> tuple[Sensor, ...]:
    folder = files("spectralgpt.bands") / "sensors"
    tables = {
        entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    }

    def read(name: str) -> Sensor:
        return _parsed(name, tables[name], f"sensors/{name}.toml", read)

    return tuple(read(name) for name in sorted(tables))


def read_sensor(path: str | os.PathLike[str]) -> Sensor:
    """A user's own sensor: a TOML file like those of this package, named after the file, in small letters.

    title, level and source may be left out. BandError, one message, for a file that cannot be read or is not TOML, for
    unknown keys, lacking or wrong values, a band or name twice, and the name of a sensor of this package.
    """
    text = read_small_text(path, "a sensor as a TOML file")
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BandError(f"{path}: found no valid TOML: {error}", "a sensor as a TOML file") from None
    name = Path(path).stem.strip().lower()
    if is_sensor(name) or name == LIST_OF_WAVELENGTHS:
        raise BandError(
            f"{path}: found the name of a known sensor, {name}",
            "another, as bands are told apart by it",
            "Rename the file",
        )
    return _parsed(name, table, os.fspath(path), sensor)


def from_wavelengths(wavelengths: Sequence[float | int], fwhm: Sequence[float | int] | None = None) -> Sensor:
    """The sensor `wavelengths`: its bands in this order, named like `409.82 nm`; no level, scale or offset.

    wavelengths, fwhm: nm, or micrometres when all wavelengths are below 20. fwhm left out: from the distances between
    neighbours (`widths`). The bands' gsd is 0: not known. BandError for what cannot be wavelengths or widths.
    """
    centres, breadths = in_nanometres(wavelengths, fwhm)
    bands = tuple(
        Band(LIST_OF_WAVELENGTHS, name, centre, breadth, 0)
        for name, centre, breadth in zip(names_of(centres), centres, breadths, strict=True)
    )
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
    """The sensor of a list of wavelengths in a CSV or text file, one band a line. BandError when it cannot be read."""
    try:
        return replace(from_wavelengths(*read_list(path)), source=os.fspath(path))
    except BandError as error:
        raise error if str(error).startswith(os.fspath(path)) else BandError(f"{path}: {error}") from None


def _parsed(name: str, table: dict[str, Any], where: str, known: Callable[[str], Sensor]) -> Sensor:
    """The sensor that a table describes. known: the sensor of a name, for `bands_of`. BandError where it is wrong."""
    _check(table, KEYS, where)
    ways = [key for key in ("bands", "wavelengths", "bands_of") if key in table]
    if len(ways) != 1:
        found = " and ".join(ways) if ways else "neither bands nor wavelengths nor bands_of"
        raise BandError(f"{where}: found {found}", "one of them")
    if "offset" in table and "scale" not in table:
        raise BandError(f"{where}: found an offset without a scale", "both, or neither")
    if table.get("scale", 1) <= 0:
        raise BandError(f"{where}: found scale = {table['scale']}", "a number above 0")
    if "bands_of" not in table:
        lone = [key for key in ("order", "aliases") if key in table]
        if lone:
            raise BandError(f"{where}: found {lone[0]} beside {ways[0]}", "it with bands_of only")
    if "fwhm" in table and "wavelengths" not in table:
        raise BandError(f"{where}: found fwhm beside {ways[0]}", "it with wavelengths only")
    bands: tuple[Band, ...]
    written: Written = []
    if "bands" in table:
        bands, written = _own_bands(name, table["bands"], where)
    elif "wavelengths" in table:
        bands = _by_wavelength(name, table, where)
    else:
        bands, written = _borrowed_bands(name, table, where, known)
    nodata = table.get("nodata")
    scale = table.get("scale")
    return Sensor(
        name=name,
        title=table.get("title", name),
        level=table.get("level", "user"),
        bands=bands,
        scale=None if scale is None else float(scale),
        offset=None if scale is None else float(table.get("offset", 0)),
        nodata=None if nodata is None else float(nodata),
        source=table.get("source", where),
        names_files=table.get("names_files", True),
        zero_padded=table.get("zero_padded", True),
        product=_pattern(table.get("product"), where),
        aliases=_unambiguous(bands, written, where),
    )


Written = list[tuple[str, str]]
"""Aliases as they are written, each with its band's name."""


def _own_bands(sensor: str, rows: list[Any], where: str) -> tuple[tuple[Band, ...], Written]:
    bands, written = [], []
    for number, row in enumerate(rows, 1):
        here = f"{where}: band {number}"
        if not isinstance(row, dict):
            raise BandError(f"{here}: found {row!r}", f"a table with {', '.join(BAND_KEYS)}")
        _check(row, BAND_KEYS, here)
        lacking = [key for key in ("name", "wavelength", "fwhm", "gsd") if key not in row]
        if lacking:
            raise BandError(f"{here}: found no {' and no '.join(lacking)}", "name, wavelength, fwhm and gsd")
        name = canonical(row["name"])
        if not name:
            raise BandError(f"{here}: found the name {row['name']!r}", "one that is not empty")
        for key, unit in (("wavelength", "nm"), ("fwhm", "nm"), ("gsd", "m")):
            if row[key] <= 0:
                raise BandError(f"{here} ({name}): found {key} = {row[key]}", f"{unit}, above 0")
        if not SHORTEST <= row["wavelength"] <= LONGEST:
            raise BandError(
                f"{here} ({name}): found wavelength = {row['wavelength']:g}",
                f"nanometres, {SHORTEST} to {LONGEST}",
                "A micrometre is 1000 nm",
            )
        bands.append(Band(sensor, name, row["wavelength"], row["fwhm"], row["gsd"]))
        written += [(alias, name) for alias in _texts(row.get("aliases", []), f"{here} ({name}): found the aliases")]
    if not bands:
        raise BandError(f"{where}: found no bands", "at least one")
    return tuple(bands), written


def _by_wavelength(sensor: str, table: dict[str, Any], where: str) -> tuple[Band, ...]:
    for key in ("wavelengths", "fwhm"):
        wrong = [each for each in table.get(key, []) if not isinstance(each, int | float) or isinstance(each, bool)]
        if wrong:
            raise BandError(f"{where}: found {wrong[0]!r} in {key}", "numbers, in nm")
    try:
        found = from_wavelengths(table["wavelengths"], table.get("fwhm")).bands
    except BandError as error:
        raise BandError(f"{where}: {error}") from None
    return tuple(replace(band, sensor=sensor) for band in found)


def _borrowed_bands(
    name: str, table: dict[str, Any], where: str, known: Callable[[str], Sensor]
) -> tuple[tuple[Band, ...], Written]:
    try:
        other = known(table["bands_of"])
        order = [
            other.band(each) for each in _texts(table.get("order", list(other.names)), f"{where}: found the order")
        ]
        written = [
            (alias, other.band(band).name)
            for band, aliases in table.get("aliases", {}).items()
            for alias in _texts(aliases, f"{where}: found the aliases of {band}")
        ]
    except BandError as error:
        raise error if str(error).startswith(where) else BandError(f"{where}: {error}") from None
    if not order:
        raise BandError(f"{where}: found an empty order", "at least one band")
    if table.get("names_files", True):
        order = [replace(band, sensor=name) for band in order]
    names = {band.name for band in order}
    return tuple(order), [(alias, band) for alias, band in (*other.aliases, *written) if band in names]


def _check(table: dict[str, Any], kinds: dict[str, str], where: str) -> None:
    """BandError for a key that does not exist, or a value of another kind."""
    for key, value in table.items():
        if key not in kinds:
            raise BandError(
                f"{where}: found the key {key!r}; expected some of {', '.join(kinds)}.{did_you_mean(key, tuple(kinds))}"
            )
        kind = kinds[key]
        if not isinstance(value, TYPES[kind]) or (kind == NUMBER and not _is_number(value, key == "nodata")):
            raise BandError(f"{where}: found {key} = {value!r}", f"{kind}")


def _is_number(value: Any, may_be_nan: bool) -> bool:
    """nodata may be nan: files of floats mark what they did not measure by it. TOML's whole numbers have no limit."""
    return not isinstance(value, bool) and (abs(value) < sys.float_info.max or (may_be_nan and value != value))


def _texts(value: object, found: str) -> Sequence[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BandError(f"{found} {value!r}", "a list of names")
    return value


def _pattern(product: str | None, where: str) -> str | None:
    try:
        re.compile(product or "")
    except re.error as error:
        raise BandError(f"{where}: found product = {product!r}: {error}", "a regular expression") from None
    return product


def _unambiguous(bands: Sequence[Band], written: Written, where: str) -> tuple[tuple[str, str], ...]:
    """The aliases as they are compared. BandError when a name stands for two bands, or a band stands twice."""
    meant: dict[str, str] = {}
    for band in bands:
        if spelled(band.name) in meant:
            raise BandError(f"{where}: found the band {band.name} twice", "each once")
        meant[spelled(band.name)] = band.name
    for alias, name in written:
        if meant.setdefault(spelled(alias), name) != name:
            raise BandError(f"{where}: found {alias!r} for {meant[spelled(alias)]} and {name}", "one band a name")
    return tuple((alias, name) for alias, name in meant.items() if alias != spelled(name))


def sensor(name: str) -> Sensor:
    """The sensor of this name. BandError, with the nearest name, when there is none."""
    known = {each.name: each for each in sensors()}
    found = known.get(name.strip().lower())
    if found is None:
        raise BandError(
            f"found sensor name {name!r}; expected one of {', '.join(known)}.{did_you_mean(name.lower(), tuple(known))}"
        )
    return found


def is_sensor(name: str) -> bool:
    """Whether a sensor is called so."""
    return any(each.name == name.strip().lower() for each in sensors())
