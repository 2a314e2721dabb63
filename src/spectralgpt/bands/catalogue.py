"""Named lists of bands with their conventions; each is one TOML file of `sensors/`.

Keys: title, level, scale, offset (reflectance = stored x scale + offset), nodata (what products mark as not measured;
left out: nothing), source, and `bands` in file order, each with name, wavelength (nm), fwhm (nm), gsd (m). A mere file
order of another sensor's bands says `bands_of` and `order` instead, and `names_files = false`: names never point to it.
"""

import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

from spectralgpt.bands.band import Band, canonical
from spectralgpt.errors import BandError

KEYS = {"title", "level", "scale", "offset", "nodata", "source", "names_files", "bands", "bands_of", "order"}


@dataclass(frozen=True, slots=True)
class Sensor:
    """A named list of bands, in file order, with its conventions: reflectance = stored x scale + offset.

    names_files: whether names found in a file may mean this sensor; a mere file order is chosen by its name only.
    """

    name: str
    title: str
    level: str
    bands: tuple[Band, ...]
    scale: float
    offset: float
    nodata: float | None
    source: str
    names_files: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(band.name for band in self.bands)

    def band(self, name: str) -> Band:
        """The band of this name, however it is written. BandError, with the nearest name, when there is none."""
        wanted = canonical(name)
        for band in self.bands:
            if band.name == wanted:
                return band
        raise BandError(
            f"found band name {name!r}, which {self.name} does not have; expected one of {', '.join(self.names)}."
            f"{did_you_mean(wanted, self.names)}"
        )


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
    return tuple(_from_table(name, tables) for name in sorted(tables))


def _from_table(name: str, tables: dict[str, dict[str, Any]]) -> Sensor:
    table = tables[name]
    unknown = set(table) - KEYS
    assert not unknown, f"sensors/{name}.toml has unknown keys {sorted(unknown)}"
    if "bands_of" in table:
        named = {band.name: band for band in _from_table(table["bands_of"], tables).bands}
        bands = tuple(named[band] for band in table["order"])
    else:
        bands = tuple(
            Band(name, row["name"], float(row["wavelength"]), float(row["fwhm"]), float(row["gsd"]))
            for row in table["bands"]
        )
    nodata = table.get("nodata")
    return Sensor(
        name=name,
        title=table["title"],
        level=table["level"],
        bands=bands,
        scale=float(table["scale"]),
        offset=float(table["offset"]),
        nodata=None if nodata is None else float(nodata),
        source=table["source"],
        names_files=table.get("names_files", True),
    )


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


def did_you_mean(name: str, known: tuple[str, ...]) -> str:
    """` Did you mean X?`, or nothing when nothing is near."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""
