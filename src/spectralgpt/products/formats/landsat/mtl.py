"""The MTL file of a Landsat product: groups of keys and values in three syntaxes, and what they say of the files."""

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from spectralgpt.days import UNKNOWN, day_of, iso_date
from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import day_in_name
from spectralgpt.products.archive import Archive
from spectralgpt.raster.xml import parse_xml

MTL_NAME = re.compile(r"^(.*?)[._]?MTL\.(txt|json|xml)$", re.IGNORECASE)

ROOTS = ("LANDSAT_METADATA_FILE", "L1_METADATA_FILE")

DESCRIBING = (
    "PRODUCT_CONTENTS",
    "IMAGE_ATTRIBUTES",
    "METADATA_FILE_INFO",
    "PRODUCT_METADATA",
    "PRODUCT_PARAMETERS",
    "LEVEL1_PROCESSING_RECORD",
)
"""Groups that describe the product, its own before those of the Level 1 that it was computed from."""

SURFACE = ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS",)
RESCALING = ("LEVEL1_RADIOMETRIC_RESCALING", "RADIOMETRIC_RESCALING")
LIMITS = ("LEVEL1_MIN_MAX_RADIANCE", "MIN_MAX_RADIANCE", "LEVEL1_MIN_MAX_PIXEL_VALUE", "MIN_MAX_PIXEL_VALUE")

FAMILIES = {"TM": ("landsat5", "45"), "ETM": ("landsat7", "7"), "OLI": ("landsat8", "89")}
"""By instrument: the sensor family of its bands, and the satellites that carry it."""

THERMAL = {"landsat5": (6,), "landsat7": (6,), "landsat8": (10, 11)}

BAND_KEY = re.compile(r"FILE_NAME_BAND_(?:ST_B)?(\d{1,2})(?:_VCID_\d)?|BAND(\d)\d?_FILE_NAME")

BAND_IN_FILE = re.compile(r"_B(\d{1,2})(?:_VCID_\d)?\.\w+$", re.IGNORECASE)

SATELLITE_IN_FILE = re.compile(r"L([COTE])0?(\d)[_\d]", re.IGNORECASE)
"""LC08_L1TP_..., and LC82320832016040LGN00_... before the collections."""

INSTRUMENTS = {"C": "OLI", "O": "OLI", "T": "TM", "E": "ETM"}


@dataclass(frozen=True, slots=True)
class Mtl:
    """What an MTL file states: group -> key -> value as text. Level-2 files have some keys in several groups."""

    source: str
    groups: Mapping[str, Mapping[str, str]]

    def get(self, key: str, groups: tuple[str, ...] = DESCRIBING) -> str | None:
        """The value in the first of these groups that has the key."""
        found = (self.groups[group][key] for group in groups if key in self.groups.get(group, {}))
        return next(found, None)

    def need(self, key: str, *others: str) -> str:
        """The value of the first of these keys that has one. RasterError when none has."""
        found = next((value for name in (key, *others) if (value := self.get(name))), None)
        if found is None:
            raise RasterError(f"{self.source}: found no {key}", "the MTL file of a Landsat product")
        return found

    def number(self, key: str, groups: tuple[str, ...] = DESCRIBING) -> float | None:
        """A value as a number, None without the key. RasterError when it is not a finite number."""
        text = self.get(key, groups)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise RasterError(f"{self.source}: found {text!r} for {key}", "a number")
        return value

    @property
    def satellite(self) -> str:
        """Its number, a digit."""
        return self.need("SPACECRAFT_ID")[-1]

    @property
    def family(self) -> str:
        """The sensor family of the bands: landsat5 (TM of 4 and 5), landsat7 or landsat8 (OLI of 8 and 9)."""
        return family_of(self.need("SPACECRAFT_ID"), self.need("SENSOR_ID"), self.source)

    @property
    def level(self) -> str:
        """l1 or c2l2, as in the names of sensors."""
        stated = self.need("PROCESSING_LEVEL", "DATA_TYPE", "PRODUCT_TYPE")
        if stated[:2].upper() not in ("L1", "L2"):
            raise RasterError(f"{self.source}: found the processing level {stated!r}", "L1 or L2")
        return "l1" if stated[:2].upper() == "L1" else "c2l2"

    @property
    def day(self) -> int:
        stated = self.get("DATE_ACQUIRED") or self.get("ACQUISITION_DATE")
        return day_of(stated, self.source) if stated else UNKNOWN

    def files(self) -> tuple[tuple[int, str], ...]:
        """The number and file of each band, as listed; also thermal bands, and both gains of one.

        RasterError for a name that leads elsewhere, or that has another band, satellite, level or date than the MTL.
        """
        listed = self.groups.get("PRODUCT_CONTENTS") or self.groups.get("PRODUCT_METADATA") or {}
        found = []
        for key, name in listed.items():
            if match := BAND_KEY.fullmatch(key):
                number = int(match[1] or match[2])
                _check_file(self, key, number, name)
                found.append((number, name))
        if not found:
            raise RasterError(f"{self.source}: found no file of a band", "the MTL file of a Landsat product")
        return tuple(found)


def read_mtl(text: str, source: str) -> Mtl:
    """The groups of an MTL file in any of its syntaxes: ODL (.txt), JSON, XML.

    RasterError when it is empty, cut off, something else, or has two values for one key.
    """
    start = text.lstrip("\ufeff\0 \t\r\n")
    if not start:
        raise RasterError(f"{source}: found an empty file", "a Landsat product's metadata", "Download it again")
    syntax = _json if start[0] == "{" else _xml if start[0] == "<" else _odl
    groups: dict[str, dict[str, str]] = {}
    for group, key, value in syntax(start, source):
        first = groups.setdefault(group, {}).setdefault(key, value)
        if first != value:
            raise RasterError(f"{source}: found {first!r} and {value!r} for {key} of {group}", "one value")
    return Mtl(source, groups)


def family_of(spacecraft: str, instrument: str, source: str) -> str:
    """landsat5, landsat7 or landsat8. RasterError for an instrument of none of these, or on a wrong satellite."""
    kind = re.split(r"[_+]", instrument.upper())[0]
    number = re.fullmatch(r"LANDSAT[_ -]?(\d)", spacecraft, re.IGNORECASE)
    if number is None or kind not in FAMILIES:
        raise RasterError(
            f"{source}: found {spacecraft} {instrument}",
            "TM of Landsat 4 or 5, ETM of 7, or OLI of 8 or 9",
            "MSS and thermal products are not supported",
        )
    family, satellites = FAMILIES[kind]
    if number[1] not in satellites:
        raise RasterError(
            f"{source}: found {instrument} on {spacecraft}",
            f"it on Landsat {' or '.join(satellites)}",
            "The metadata contradict themselves: download them again",
        )
    return family


def check_name(mtl: Mtl, name: str) -> None:
    """RasterError for a file name that leads to another folder."""
    if not name or name in (".", "..") or re.search(r"[/\\\0:]", name):
        raise RasterError(f"{mtl.source}: found the file name {name!r}", "the name of a file beside it")


def _check_file(mtl: Mtl, key: str, number: int, name: str) -> None:
    """RasterError when a band's file name leads elsewhere, or contradicts the metadata."""
    check_name(mtl, name)
    in_name = BAND_IN_FILE.search(name)
    contradictions = []
    # before 2012 the second digit in a name is the gain: _B10 is band 1
    if in_name and key.startswith("FILE_NAME") and int(in_name[1]) != number:
        contradictions.append(f"band {in_name[1]} under {key}")
    satellite = SATELLITE_IN_FILE.match(name)
    if satellite:
        spacecraft, instrument = mtl.need("SPACECRAFT_ID"), mtl.need("SENSOR_ID")
        if satellite[2] != mtl.satellite or not instrument.upper().startswith(INSTRUMENTS[satellite[1].upper()]):
            contradictions.append(f"{satellite[0][:-1]} under {spacecraft} {instrument}")
    reflective = key.startswith("FILE_NAME") and number not in THERMAL[mtl.family]
    if reflective and ("_SR_B" in name.upper()) != (mtl.level == "c2l2"):
        contradictions.append(f"another level than {mtl.need('PROCESSING_LEVEL', 'DATA_TYPE', 'PRODUCT_TYPE')}")
    day = day_in_name(name)
    if UNKNOWN not in (day, mtl.day) and day != mtl.day:
        contradictions.append(f"{iso_date(day)} under {iso_date(mtl.day)}")
    if contradictions:
        raise RasterError(
            f"{mtl.source}: found the file name {name!r}, with {' and '.join(contradictions)}",
            "a name that agrees with the metadata",
            "Download it again",
        )


def agreed_mtls(path: str, archive: Archive, names: list[str]) -> list[tuple[str, Mtl]]:
    """A file's name and the MTL of each product, in order of time. RasterError for several that are not the dates of
    one kind of sensor and level."""
    products: dict[str, list[str]] = {}
    for name in names:
        products.setdefault(MTL_NAME.sub(r"\1", name), []).append(name)
    found = [(files[0], _agreed(path, archive, files)) for files in products.values()]
    kinds = {(mtl.family, mtl.level) for _, mtl in found} if len(found) > 1 else set()
    days = {mtl.day for _, mtl in found}
    if len(found) > 1 and (len(kinds) > 1 or len(days) < len(found) or UNKNOWN in days):
        raise RasterError(
            f"{path}: found the metadata of {len(found)} products ({', '.join(sorted(products)[:4])})",
            "one product, or the dates of one sensor and level",
            "Keep each in its own folder",
        )
    return sorted(found, key=lambda each: each[1].day)


def _agreed(path: str, archive: Archive, names: list[str]) -> Mtl:
    """The MTL of a product, which may have several syntaxes. RasterError when these differ."""
    first, *others = (read_mtl(archive.text(name), os.path.join(archive.path, name)) for name in names)
    for other in others:
        for group, values in first.groups.items():
            for key, value in other.groups.get(group, {}).items():
                if not _same(value, values.get(key, value)):
                    raise RasterError(
                        f"{path}: found {key} = {values[key]} in {os.path.basename(first.source)} and {value} in "
                        f"{os.path.basename(other.source)}",
                        "the same in both",
                        "Download it again",
                    )
    return first


def _same(one: str, other: str) -> bool:
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False


def _odl(text: str, source: str) -> Iterator[tuple[str, str, str]]:
    """Group, key and value of the lines KEY = VALUE between GROUP = NAME and END_GROUP = NAME."""
    open_groups: list[str] = []
    closed = False
    for line in text.splitlines():
        key, equals, value = (part.strip(" \t\0") for part in line.partition("="))
        if not equals:
            if key == "END":
                break
            if key:
                raise RasterError(f"{source}: found the line {key[:60]!r}", "KEY = VALUE, as in a Landsat MTL file")
        elif key == "GROUP":
            if not open_groups and value not in ROOTS:
                raise RasterError(f"{source}: found the group {value[:60]!r}", " or ".join(ROOTS))
            open_groups.append(value)
        elif not open_groups:
            raise RasterError(f"{source}: found {key[:60]!r} outside of a group", "a Landsat MTL file")
        elif key == "END_GROUP":
            if (ended := open_groups.pop()) != value:
                raise RasterError(
                    f"{source}: found the end of {value!r}", f"that of {ended!r}, the open group", "Download it again"
                )
            closed = not open_groups
        else:
            yield open_groups[-1], key, value.strip('"')
    if open_groups or not closed:
        raise RasterError(
            f"{source}: found no end of the group {open_groups[-1] if open_groups else ROOTS[0]}",
            "END_GROUP",
            "It is cut off: download it again",
        )


def _json(text: str, source: str) -> Iterator[tuple[str, str, str]]:
    def pairs(listed: list[tuple[str, object]]) -> list[tuple[str, object]]:
        return listed  # a dict would silently keep the last of two values

    try:
        root = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise RasterError(f"{source}: is not valid JSON ({error})", do="Download it again") from None
    if len(root) != 1 or root[0][0] not in ROOTS or not isinstance(root[0][1], list):
        raise RasterError(f"{source}: found JSON without {ROOTS[0]}", "a Landsat MTL file")
    for group in root[0][1]:
        for pair in group[1] if isinstance(group, tuple) and isinstance(group[1], list) else ():
            if isinstance(pair, tuple) and isinstance(pair[1], str | int | float):
                yield group[0], pair[0], str(pair[1])


def _xml(text: str, source: str) -> Iterator[tuple[str, str, str]]:
    root = parse_xml(text, source)
    if root.tag not in ROOTS:
        raise RasterError(f"{source}: found XML of {root.tag[:60]!r}", ROOTS[0])
    for group in root:
        for element in group:
            yield group.tag, element.tag, (element.text or "").strip()
