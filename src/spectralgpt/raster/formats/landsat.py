"""Landsat products of USGS: one file a band, and an MTL file that says what their numbers are.

Collection 2 (Level 1 and 2), Collection 1 and what came before, as a folder, a zip, a tar, or the MTL file's own path.
Sources: USGS, Landsat Data Format Control Books LSDS-1822 (Collection 2 Level 1), LSDS-1328 and -1618 (Level 2),
LSDS-809 (Collection 1); for products without reflectance coefficients USGS, "Where can I find the ESUN for the Landsat
sensors" (solar spectrum ChKur).
"""

import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from spectralgpt.errors import RasterError
from spectralgpt.raster.archive import Archive, open_archive
from spectralgpt.raster.dates import EPOCH, UNKNOWN, day_in_name, day_of, written
from spectralgpt.raster.formats.file import Header, read_header
from spectralgpt.raster.product import QA_PIXEL, CloudLayer, Product, StoredBand
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
"""Groups that describe the product, its own before those of the Level 1 that it was made from."""

SURFACE = ("LEVEL2_SURFACE_REFLECTANCE_PARAMETERS",)
RESCALING = ("LEVEL1_RADIOMETRIC_RESCALING", "RADIOMETRIC_RESCALING")
LIMITS = ("LEVEL1_MIN_MAX_RADIANCE", "MIN_MAX_RADIANCE", "LEVEL1_MIN_MAX_PIXEL_VALUE", "MIN_MAX_PIXEL_VALUE")

FAMILIES = {"TM": ("landsat5", "45"), "ETM": ("landsat7", "7"), "OLI": ("landsat8", "89")}
"""By instrument: whose bands they are, and the satellites that carry it."""

THERMAL = {"landsat5": (6,), "landsat7": (6,), "landsat8": (10, 11)}

BAND_KEY = re.compile(r"FILE_NAME_BAND_(?:ST_B)?(\d{1,2})(?:_VCID_\d)?|BAND(\d)\d?_FILE_NAME")

BAND_IN_FILE = re.compile(r"_B(\d{1,2})(?:_VCID_\d)?\.\w+$", re.IGNORECASE)

SATELLITE_IN_FILE = re.compile(r"L([COTE])0?(\d)[_\d]", re.IGNORECASE)
"""LC08_L1TP_..., and LC82320832016040LGN00_... of before the collections."""

INSTRUMENTS = {"C": "OLI", "O": "OLI", "T": "TM", "E": "ETM"}

ESUN = {
    "4": {1: 1958.0, 2: 1826.0, 3: 1554.0, 4: 1033.0, 5: 214.7, 7: 80.70},
    "5": {1: 1958.0, 2: 1827.0, 3: 1551.0, 4: 1036.0, 5: 214.9, 7: 80.65},
    "7": {1: 1970.0, 2: 1842.0, 3: 1547.0, 4: 1044.0, 5: 225.7, 7: 82.06, 8: 1369.0},
}
"""The sun's irradiance at 1 astronomical unit by satellite and band, W / m2 / um."""

YEAR_2000 = (date(2000, 1, 1) - EPOCH).days

QUALITY_KEYS = ("FILE_NAME_QUALITY_L1_PIXEL", "FILE_NAME_BAND_QUALITY")

CLOUD_SHADOW_CIRRUS = ((16, 16), (3 << 7, 3 << 7), (3 << 11, 3 << 11))
"""BQA of Collection 1: bit 4, and high confidence in bits 7-8 and 11-12, the last of OLI alone."""

CLOUD_CIRRUS_UNTIL_2017 = ((3 << 14, 3 << 14), (3 << 12, 3 << 12))
"""BQA of Landsat 8 before the collections: high confidence in bits 14-15 and 12-13."""


@dataclass(frozen=True, slots=True)
class Mtl:
    """What an MTL file says: group -> key -> value as text. Level-2 files have some keys in several groups."""

    source: str
    groups: Mapping[str, Mapping[str, str]]

    def get(self, key: str, groups: tuple[str, ...] = DESCRIBING) -> str | None:
        """The value in the first of these groups that has the key."""
        found = (self.groups[group][key] for group in groups if key in self.groups.get(group, {}))
        return next(found, None)

    def need(self, key: str, *others: str) -> str:
        """The first of these keys that describes the product. RasterError when there is none."""
        found = next((value for each in (key, *others) if (value := self.get(each))), None)
        if found is None:
            raise RasterError(f"{self.source}: found no {key}", "the MTL file of a Landsat product")
        return found

    def number(self, key: str, groups: tuple[str, ...] = DESCRIBING) -> float | None:
        """A value as a number, None when the key is not there. RasterError when it is no finite number."""
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
        """Whose bands these are: landsat5 (TM of 4 and 5), landsat7 or landsat8 (OLI of 8 and 9)."""
        return family_of(self.need("SPACECRAFT_ID"), self.need("SENSOR_ID"), self.source)

    @property
    def level(self) -> str:
        """l1 or c2l2, as sensors are called."""
        told = self.need("PROCESSING_LEVEL", "DATA_TYPE", "PRODUCT_TYPE")
        if told[:2].upper() not in ("L1", "L2"):
            raise RasterError(f"{self.source}: found the processing level {told!r}", "L1 or L2")
        return "l1" if told[:2].upper() == "L1" else "c2l2"

    @property
    def day(self) -> int:
        told = self.get("DATE_ACQUIRED") or self.get("ACQUISITION_DATE")
        return day_of(told, self.source) if told else UNKNOWN

    def files(self) -> tuple[tuple[int, str], ...]:
        """The number and file of each band, as listed; thermal ones and both gains of one too.

        RasterError for a name that leads elsewhere, or tells another band, satellite, level or date than the MTL does.
        """
        listed = self.groups.get("PRODUCT_CONTENTS") or self.groups.get("PRODUCT_METADATA") or {}
        found = []
        for key, name in listed.items():
            if match := BAND_KEY.fullmatch(key):
                number = int(match[1] or match[2])
                _check_file(self, key, number, name)
                found.append((number, name))
        if not found:
            raise RasterError(f"{self.source}: found no band's file name", "the MTL file of a Landsat product")
        return tuple(found)


def read(path: str, expected: int | None) -> Product | None:
    """The Product of a folder or archive that holds an MTL file, or of an MTL file's own path."""
    if os.path.isfile(path) and MTL_NAME.match(os.path.basename(path)):
        archive: Archive | None = Archive(os.path.dirname(os.path.abspath(path)), "folder")
        found = [os.path.basename(path)]
    else:
        archive = open_archive(path)
        # an archive may hold the product's folder
        names = archive.names(1 if archive.kind == "folder" else 2) if archive else ()
        found = [name for name in names if MTL_NAME.match(os.path.basename(name))]
    if archive is None or not found:
        return None
    mtl = _agreed(path, archive, found)
    return _product(path, archive, os.path.dirname(found[0]), mtl)


def read_mtl(text: str, source: str) -> Mtl:
    """The groups of an MTL file in any of its syntaxes: ODL (.txt), JSON, XML.

    RasterError when it is empty, cut off, something else, or says two things of one key.
    """
    start = text.lstrip("\ufeff\0 \t\r\n")
    if not start:
        raise RasterError(f"{source}: found an empty file", "a Landsat product's metadata", "Fetch it again")
    syntax = _json if start[0] == "{" else _xml if start[0] == "<" else _odl
    groups: dict[str, dict[str, str]] = {}
    for group, key, value in syntax(start, source):
        told = groups.setdefault(group, {}).setdefault(key, value)
        if told != value:
            raise RasterError(f"{source}: found {told!r} and {value!r} for {key} of {group}", "one value")
    return Mtl(source, groups)


def family_of(spacecraft: str, instrument: str, source: str) -> str:
    """Whose bands: landsat5, landsat7 or landsat8. RasterError for an instrument of none, or on a wrong satellite."""
    kind = re.split(r"[_+]", instrument.upper())[0]
    number = re.fullmatch(r"LANDSAT[_ -]?(\d)", spacecraft, re.IGNORECASE)
    if number is None or kind not in FAMILIES:
        raise RasterError(
            f"{source}: found {spacecraft} {instrument}",
            "TM of Landsat 4 or 5, ETM of 7, or OLI of 8 or 9",
            "MSS and thermal products have no bands that are known here",
        )
    family, satellites = FAMILIES[kind]
    if number[1] not in satellites:
        raise RasterError(
            f"{source}: found {instrument} on {spacecraft}",
            f"it on Landsat {' or '.join(satellites)}",
            "The metadata contradict themselves",
        )
    return family


def reflectance(mtl: Mtl, number: int) -> tuple[float, float]:
    """Scale and offset of a band: reflectance = stored x scale + offset.

    Level 2: as the MTL gives them. Level 1: REFLECTANCE_MULT and _ADD over the sine of the sun's elevation; without
    these pi d2 / ESUN times the coefficients of radiance. RasterError when neither is there.
    """
    if mtl.level == "c2l2":
        scale, offset = (mtl.number(f"REFLECTANCE_{each}_BAND_{number}", SURFACE) for each in ("MULT", "ADD"))
        return _checked(mtl, number, scale, offset)
    sine = math.sin(math.radians(sun_elevation(mtl)))
    scale, offset = (mtl.number(f"REFLECTANCE_{each}_BAND_{number}", RESCALING) for each in ("MULT", "ADD"))
    if scale is None or offset is None:
        scale, offset = _radiance(mtl, number)
        irradiance = ESUN.get(mtl.satellite, {}).get(number)
        factor = math.pi * sun_distance(mtl) ** 2 / irradiance if irradiance else math.nan
        scale, offset = (None if each is None or not irradiance else each * factor for each in (scale, offset))
    scale, offset = _checked(mtl, number, scale, offset)
    return scale / sine, offset / sine


def sun_elevation(mtl: Mtl) -> float:
    """Degrees above the horizon at the scene's centre. RasterError when it is not told, or the sun is down."""
    degrees = mtl.number("SUN_ELEVATION")
    if degrees is None or not 0 < degrees <= 90:
        raise RasterError(
            f"{mtl.source}: found the sun's elevation {'missing' if degrees is None else f'{degrees:g} degrees'}",
            "above 0 and at most 90: there is no reflectance without it",
        )
    return degrees


def sun_distance(mtl: Mtl) -> float:
    """Astronomical units from Earth to Sun: the MTL's, else of the day, to 0.0001 (Astronomical Almanac)."""
    told = mtl.number("EARTH_SUN_DISTANCE")
    if told is None and mtl.day != UNKNOWN:
        anomaly = math.radians(357.529 + 0.98560028 * (mtl.day - YEAR_2000))
        told = 1.00014 - 0.01671 * math.cos(anomaly) - 0.00014 * math.cos(2 * anomaly)
    if told is None or not 0.98 < told < 1.02:
        raise RasterError(f"{mtl.source}: found neither Earth's distance from the sun nor a date", "either")
    return told


def number_told(text: str | None, what: str, default: float, source: str) -> float:
    """A number that metadata tell as text; the default where they are silent. RasterError where it is none."""
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RasterError(f"{source}: found {text!r} for {what}", "a number")
    return value


def single_band(path: str) -> tuple[StoredBand, Header]:
    """The band of a file, and the file's header. RasterError when it has several."""
    header = read_header(path)
    if len(header.bands) != 1:
        raise RasterError(f"{path}: found {len(header.bands)} bands", "the one that the metadata name")
    return header.bands[0], header


def _product(path: str, archive: Archive, inside: str, mtl: Mtl) -> Product:
    family, level = mtl.family, mtl.level
    there = {name.lower(): name for name in archive.names(1 if archive.kind == "folder" else 2)}

    def located(name: str) -> str | None:
        found = there.get(f"{inside}/{name}".lower() if inside else name.lower())
        return archive.gdal_path(found) if found else None

    measuring = [(number, name) for number, name in mtl.files() if number not in THERMAL[family]]
    thermal = sorted({number for number, _ in mtl.files()} & set(THERMAL[family]))
    missing = [(f"B{number}", name) for number, name in measuring if located(name) is None]
    if len(missing) == len(measuring):
        raise RasterError(
            (
                f"{path}: found the metadata of {len(measuring)} bands in {os.path.basename(mtl.source)} and none of "
                "their files"
            ),
            f"{', '.join((name for _, name in measuring[:3]))} ..",
            "beside it",
        )
    bands = []
    warnings: list[str] = []
    for number, name in measuring:
        file = located(name)
        if file is not None:
            band, header = single_band(file)
            scale, offset = reflectance(mtl, number)
            nodata = 0.0 if band.nodata is None else band.nodata
            bands.append(replace(band, name=f"B{number}", scale=scale, offset=offset, nodata=nodata))
            warnings.extend(header.warnings)
    quality = next(filter(None, map(mtl.get, QUALITY_KEYS)), None)
    clouds = None
    if quality is not None:
        _check_name(mtl, quality)
        layer_file = located(quality)
        if layer_file is None:
            missing.append(("qa", quality))
        elif cloudy := _cloudy(mtl):
            layer = single_band(layer_file)[0]
            clouds = CloudLayer("qa", layer.path, layer.index, layer.grid, cloudy)
    kept = ("LANDSAT_PRODUCT_ID", "LANDSAT_SCENE_ID", "PROCESSING_LEVEL", "SPACECRAFT_ID", "SUN_ELEVATION")
    return Product(
        bands=tuple(bands),
        sensor=f"{family}-{level}",
        day=mtl.day,
        clouds=clouds,
        missing=tuple(missing),
        tags=tuple((key, value) for key in kept if (value := mtl.get(key))),
        facts=(_units(mtl, bands), *([_without(thermal)] if thermal else [])),
        warnings=tuple(warnings),
    )


def _units(mtl: Mtl, bands: list[StoredBand]) -> str:
    file = os.path.basename(mtl.source)
    if mtl.level == "c2l2":
        pairs = {(band.scale, band.offset) for band in bands}
        told = ", ".join(f"scale {scale:g}, offset {offset:g}" for scale, offset in sorted(pairs, key=str))
        return f"surface reflectance: {told} from {file}"
    by_reflectance = any(key.startswith("REFLECTANCE_MULT") for group in RESCALING for key in mtl.groups.get(group, {}))
    how = "its reflectance coefficients" if by_reflectance else "its radiance coefficients, USGS's solar irradiances"
    sun = f"the sun's elevation of {sun_elevation(mtl):g} degrees"
    return f"top-of-atmosphere reflectance: by {how} and {sun}, from {file}"


def _without(thermal: list[int]) -> str:
    return f"thermal bands are left out ({', '.join(f'B{number}' for number in thermal)}): they hold no reflectance"


def _cloudy(mtl: Mtl) -> tuple[tuple[int, int], ...]:
    """What the quality layer calls cloud, cirrus or shadow; empty when its bits are not known."""
    collection = mtl.number("COLLECTION_NUMBER")
    if collection is None:
        return CLOUD_CIRRUS_UNTIL_2017 if mtl.family == "landsat8" else ()
    if collection == 1:
        return CLOUD_SHADOW_CIRRUS if mtl.family == "landsat8" else CLOUD_SHADOW_CIRRUS[:2]
    return QA_PIXEL


def _radiance(mtl: Mtl, number: int) -> tuple[float | None, float | None]:
    """Scale and offset from stored values to W / (m2 sr um): as told, else from the limits of both."""
    scale, offset = (mtl.number(f"RADIANCE_{each}_BAND_{number}", RESCALING) for each in ("MULT", "ADD"))
    if scale is not None and offset is not None:
        return scale, offset
    for names in (
        ("RADIANCE_MINIMUM_BAND_", "RADIANCE_MAXIMUM_BAND_", "QUANTIZE_CAL_MIN_BAND_", "QUANTIZE_CAL_MAX_BAND_"),
        ("LMIN_BAND", "LMAX_BAND", "QCALMIN_BAND", "QCALMAX_BAND"),
    ):
        low, high, least, most = (mtl.number(f"{name}{number}", LIMITS) for name in names)
        if low is not None and high is not None and least is not None and most is not None and most != least:
            scale = (high - low) / (most - least)
            return scale, low - scale * least
    return None, None


def _checked(mtl: Mtl, number: int, scale: float | None, offset: float | None) -> tuple[float, float]:
    if scale is None or offset is None:
        raise RasterError(
            f"{mtl.source}: found no coefficients of band {number} that lead to reflectance",
            f"REFLECTANCE_MULT_BAND_{number} and REFLECTANCE_ADD_BAND_{number}: raw numbers are not reflectance",
            "Fetch the product's MTL file again",
        )
    if scale <= 0:
        raise RasterError(f"{mtl.source}: found {scale:g} for the scale of band {number}", "above 0")
    return scale, offset


def _check_name(mtl: Mtl, name: str) -> None:
    if not name or name in (".", "..") or re.search(r"[/\\\0:]", name):
        raise RasterError(f"{mtl.source}: found the file name {name!r}", "one of a file beside it")


def _check_file(mtl: Mtl, key: str, number: int, name: str) -> None:
    """RasterError when a band's file name leads elsewhere, or contradicts the metadata."""
    _check_name(mtl, name)
    told = BAND_IN_FILE.search(name)
    contradictions = []
    # names of before 2012 have the gain as a second digit: _B10 is band 1
    if told and key.startswith("FILE_NAME") and int(told[1]) != number:
        contradictions.append(f"band {told[1]} under {key}")
    satellite = SATELLITE_IN_FILE.match(name)
    if satellite:
        spacecraft, instrument = mtl.need("SPACECRAFT_ID"), mtl.need("SENSOR_ID")
        if satellite[2] != mtl.satellite or not instrument.upper().startswith(INSTRUMENTS[satellite[1].upper()]):
            contradictions.append(f"{satellite[0][:-1]} under {spacecraft} {instrument}")
    measuring = key.startswith("FILE_NAME") and number not in THERMAL[mtl.family]
    if measuring and ("_SR_B" in name.upper()) != (mtl.level == "c2l2"):
        contradictions.append(f"another level than {mtl.need('PROCESSING_LEVEL', 'DATA_TYPE', 'PRODUCT_TYPE')}")
    day = day_in_name(name)
    if UNKNOWN not in (day, mtl.day) and day != mtl.day:
        contradictions.append(f"{written(day)} under {written(mtl.day)}")
    if contradictions:
        raise RasterError(
            f"{mtl.source}: found the file name {name!r}, which tells {' and '.join(contradictions)}",
            "what the metadata say",
            "Fetch the product again",
        )


def _agreed(path: str, archive: Archive, names: list[str]) -> Mtl:
    """The one MTL of a product, which may come in three syntaxes. RasterError when they, or products, differ."""
    products = sorted({MTL_NAME.sub(r"\1", name) for name in names})
    if len(products) > 1:
        raise RasterError(
            f"{path}: found the metadata of {len(products)} products ({', '.join(products[:4])})",
            "those of one",
            "Keep each in its own folder",
        )
    first, *others = (read_mtl(archive.text(name), os.path.join(archive.path, name)) for name in names)
    for other in others:
        for group, values in first.groups.items():
            for key, value in other.groups.get(group, {}).items():
                if not _same(value, values.get(key, value)):
                    raise RasterError(
                        (
                            f"{path}: found {key} = {values[key]} in {os.path.basename(first.source)} and {value} in "
                            f"{os.path.basename(other.source)}"
                        ),
                        "the same",
                        "Fetch the product again",
                    )
    return first


def _same(one: str, other: str) -> bool:
    try:
        return one == other or float(one) == float(other)
    except ValueError:
        return False


def _odl(text: str, source: str) -> Iterator[tuple[str, str, str]]:
    """Group, key, value of lines KEY = VALUE between GROUP = NAME and END_GROUP = NAME."""
    open_groups: list[str] = []
    closed = False
    for line in text.splitlines():
        key, equals, value = (part.strip(" \t\0") for part in line.partition("="))
        if not equals:
            if key == "END":
                break
            if key:
                raise RasterError(f"{source}: found the line {key[:60]!r}", "KEY = VALUE of a Landsat MTL file")
        elif key == "GROUP":
            if not open_groups and value not in ROOTS:
                raise RasterError(f"{source}: found the group {value[:60]!r}", f"{' or '.join(ROOTS)}")
            open_groups.append(value)
        elif not open_groups:
            raise RasterError(f"{source}: found {key[:60]!r} outside of a group", "a Landsat MTL file")
        elif key == "END_GROUP":
            if open_groups.pop() != value:
                raise RasterError(f"{source}: found the end of {value!r}, which is not the open group. It is damaged.")
            closed = not open_groups
        else:
            yield open_groups[-1], key, value.strip('"')
    if open_groups or not closed:
        raise RasterError(
            f"{source}: found no end of the group {open_groups[-1] if open_groups else ROOTS[0]}",
            "END_GROUP",
            "It is cut off: fetch it again",
        )


def _json(text: str, source: str) -> Iterator[tuple[str, str, str]]:
    def pairs(listed: list[tuple[str, object]]) -> list[tuple[str, object]]:
        return listed  # a dict would keep the last of two values without a word

    try:
        root = json.loads(text, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise RasterError(f"{source}: found broken JSON ({error})", "a Landsat MTL file", "Fetch it again") from None
    if len(root) != 1 or root[0][0] not in ROOTS or not isinstance(root[0][1], list):
        raise RasterError(f"{source}: found JSON without {ROOTS[0]}", "a Landsat MTL file")
    for group in root[0][1]:
        for pair in group[1] if isinstance(group, tuple) and isinstance(group[1], list) else ():
            if isinstance(pair, tuple) and isinstance(pair[1], str | int | float):
                yield group[0], pair[0], str(pair[1])


def _xml(text: str, source: str) -> Iterator[tuple[str, str, str]]:
    root = parse_xml(text, source)
    if root.tag not in ROOTS:
        raise RasterError(f"{source}: found XML of {root.tag[:60]!r}", f"{ROOTS[0]}")
    for group in root:
        for element in group:
            yield group.tag, element.tag, (element.text or "").strip()
