"""Landsat Collection 1 reflectance as USGS's ESPA made it: scene_sr_band2.tif or scene_toa_band2.tif, one file a band.

Source: USGS, LSDS-1368 (Landsat 4-7 surface reflectance, LEDAPS) and LSDS-1368-8 (Landsat 8, LaSRC): stored x 0.0001,
fill -9999; an XML file of ESPA's internal metadata says so, an MTL file or the scene's name whose bands they are.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from spectralgpt.days import UNKNOWN, day_of, iso_date
from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import day_in_name
from spectralgpt.products.archive import Archive, open_archive
from spectralgpt.products.format import Format
from spectralgpt.products.formats.landsat.mtl import MTL_NAME, SATELLITE_IN_FILE, THERMAL, family_of, read_mtl
from spectralgpt.products.header import number_in, single_band
from spectralgpt.products.product import Product
from spectralgpt.products.xml import parse_xml
from spectralgpt.raster.clouds import CloudLayer

BAND_FILE = re.compile(r"(.+)_(sr|toa)_band(\d{1,2})\.tiff?", re.IGNORECASE)

QUALITY_FILE = re.compile(r"(.+)_(pixel_qa|cfmask)\.tiff?", re.IGNORECASE)

SPACE = "{*}"

SENSOR_LEVELS = {"sr": "c1sr", "toa": "toa"}

REFLECTANCE = {"sr": "surface", "toa": "top-of-atmosphere"}

SHADOW_CLOUD_CIRRUS = ((8, 8), (32, 32), (3 << 8, 3 << 8))
"""pixel_qa: bits 3 and 5, and high confidence in bits 8-9, which only OLI's products set."""

CLASSES = ((255, 2), (255, 4))
"""cfmask: cloud shadow, cloud."""

INSTRUMENT_OF_SATELLITE = {"4": "TM", "5": "TM", "7": "ETM", "8": "OLI", "9": "OLI"}


@dataclass(frozen=True, slots=True)
class EspaMetadata:
    """What a metadata file says. files: (sr or toa, band) -> file name, scale, offset, stored value of fill."""

    source: str
    family: str
    day: int
    scene: str
    files: dict[tuple[str, int], tuple[str, float, float, float]] = field(default_factory=dict)


def read(path: str, expected: int | None) -> Product | None:
    """The Product of a folder or archive of files of this naming: surface reflectance where there are both.

    RasterError for files of several scenes, metadata of another, or none that say whose bands they are.
    """
    archive = open_archive(path)
    names = archive.names(1) if archive else ()
    matches = [match for name in names if (match := BAND_FILE.fullmatch(name))]
    if archive is None or not matches:
        return None
    scenes = sorted({match[1] for match in matches})
    if len(scenes) > 1:
        raise RasterError(
            f"{path}: found files of {len(scenes)} scenes ({', '.join(scenes[:4])})",
            "one",
            "Keep each in its own folder",
        )
    told = _told(path, archive, names, scenes[0])
    there = {(match[2].lower(), int(match[3])): match[0] for match in matches}
    kind = "sr" if any(each == "sr" for each, _ in there) else "toa"
    listed = {number: name for (each, number), (name, *_) in told.files.items() if each == kind}
    numbers = sorted({number for each, number in there if each == kind} | set(listed))
    bands, missing = [], []
    warnings: list[str] = []
    for number in numbers:
        if number in THERMAL[told.family]:
            continue
        if (kind, number) not in there:
            missing.append((f"B{number}", listed[number]))
            continue
        _, scale, offset, fill = told.files.get((kind, number), ("", 1e-4, 0.0, -9999.0))
        band, header = single_band(archive.gdal_path(there[kind, number]))
        nodata = fill if band.nodata is None else band.nodata
        bands.append(replace(band, name=f"B{number}", scale=scale, offset=offset, nodata=nodata))
        warnings.extend(header.warnings)
    if not bands:
        raise RasterError(f"{path}: found thermal bands alone", "bands that hold reflectance")
    if kind == "sr" and any(each == "toa" for each, _ in there):
        warnings.append(f"{path}: surface reflectance is read, top-of-atmosphere reflectance beside it is left out")
    thermal = sorted({number for _, number in there} & set(THERMAL[told.family]))
    left_out = ", ".join(f"B{number}" for number in thermal)
    where = os.path.basename(told.source) if told.files else "ESPA's convention"
    units = {f"scale {band.scale:g}, offset {band.offset:g}" for band in bands}
    return Product(
        bands=tuple(bands),
        sensor=f"{told.family}-{SENSOR_LEVELS[kind]}",
        day=told.day,
        clouds=_clouds(archive, names),
        missing=tuple(missing),
        tags=(("LANDSAT_SCENE_ID", told.scene),),
        facts=(
            f"{REFLECTANCE[kind]} reflectance: {'; '.join(sorted(units))} from {where}",
            *([f"thermal bands are left out ({left_out}): they hold no reflectance"] if thermal else []),
        ),
        warnings=tuple(warnings),
    )


def read_espa(text: str, source: str) -> EspaMetadata | None:
    """What ESPA's XML says, None for other XML. RasterError when it is broken or lacks whose bands these are."""
    root = parse_xml(text, source)
    if root.tag.rpartition("}")[2] != "espa_metadata":
        return None

    def of_scene(name: str) -> str:
        return (root.findtext(f"{SPACE}global_metadata/{SPACE}{name}") or "").strip()

    date = of_scene("acquisition_date")
    files = {}
    for band in root.iterfind(f"{SPACE}bands/{SPACE}band"):
        named = re.fullmatch(r"(sr|toa)_band(\d{1,2})", band.get("name", ""))
        if named:
            name = (band.findtext(f"{SPACE}file_name") or "").strip()
            scale, offset, fill = (
                number_in(band.get(key), f"{key} of {band.get('name')}", default, source)
                for key, default in (("scale_factor", 1e-4), ("add_offset", 0.0), ("fill_value", -9999.0))
            )
            if scale <= 0:
                raise RasterError(f"{source}: found the scale {scale:g} of {named[0]}", "above 0")
            files[named[1], int(named[2])] = (name, scale, offset, fill)
    return EspaMetadata(
        source=source,
        family=family_of(of_scene("satellite"), of_scene("instrument"), source),
        day=day_of(date, source) if date else UNKNOWN,
        scene=of_scene("product_id") or of_scene("scene_id"),
        files=files,
    )


def _told(path: str, archive: Archive, names: tuple[str, ...], scene: str) -> EspaMetadata:
    """By the XML, else the MTL, else the scene's name. RasterError when the name contradicts what is told."""
    satellite = SATELLITE_IN_FILE.match(f"{scene}_")
    by_name = None
    if satellite and satellite[2] in INSTRUMENT_OF_SATELLITE:
        instrument = INSTRUMENT_OF_SATELLITE[satellite[2]]
        by_name = EspaMetadata(scene, family_of(f"LANDSAT_{satellite[2]}", instrument, path), day_in_name(scene), scene)
    told = by_name
    for name in sorted(names, key=lambda each: not each.lower().endswith(".xml")):
        source = os.path.join(archive.path, name)
        found: EspaMetadata | None = None
        if MTL_NAME.match(name):
            mtl = read_mtl(archive.text(name), source)
            found = EspaMetadata(source, mtl.family, mtl.day, mtl.need("LANDSAT_PRODUCT_ID", "LANDSAT_SCENE_ID"))
        elif name.lower() == f"{scene}.xml".lower():
            found = read_espa(archive.text(name), source)
        if found is not None:
            told = found
            break
    if told is None:
        raise RasterError(
            f"{path}: found {scene}_sr_band files without the scene's XML or MTL file, or a name like LC08_L1TP_...",
            "one of these: they say whose bands these are",
        )
    if by_name is not None and by_name.family != told.family:
        raise RasterError(
            (
                f"{path}: found {by_name.family} in the files' names and {told.family} in "
                f"{os.path.basename(told.source)}"
            ),
            "the same",
            "Fetch the product again",
        )
    if by_name is not None and UNKNOWN not in (by_name.day, told.day) and by_name.day != told.day:
        raise RasterError(
            (
                f"{path}: found {iso_date(by_name.day)} in the files' names and {iso_date(told.day)} in "
                f"{os.path.basename(told.source)}"
            ),
            "the same",
            "Fetch the product again",
        )
    return told


def _clouds(archive: Archive, names: tuple[str, ...]) -> CloudLayer | None:
    found = [match for name in names if (match := QUALITY_FILE.fullmatch(name))]
    if not found:
        return None
    best = max(found, key=lambda match: match[2].lower() == "pixel_qa")
    layer = single_band(archive.gdal_path(best[0]))[0]
    cloudy = SHADOW_CLOUD_CIRRUS if best[2].lower() == "pixel_qa" else CLASSES
    return CloudLayer("qa", layer.path, layer.index, layer.grid, cloudy)


def _is_product(folder: str, names: Sequence[str]) -> bool:
    return any(BAND_FILE.fullmatch(name) for name in names)


FORMAT = Format(
    title="Landsat surface reflectance of ESPA (Collection 1), `*_sr_band1.tif` and the like",
    priority=10,  # before Landsat's own format: its folders hold an MTL file, too
    read=read,
    archives=(".zip", ".tar"),
    claims_folder=_is_product,
)
