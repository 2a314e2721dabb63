"""Landsat Collection 1 reflectance from USGS's ESPA: scene_sr_band2.tif or scene_toa_band2.tif, one file per band.

Source: USGS, LSDS-1368 (Landsat 4-7 surface reflectance, LEDAPS) and LSDS-1368-8 (Landsat 8, LaSRC): stored x 0.0001,
fill -9999. An XML file of ESPA's internal metadata states these; it, an MTL file or the scene's name gives the sensor.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from spectralgpt.days import UNKNOWN, day_of, iso_date
from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import day_in_name
from spectralgpt.products.archive import Archive, open_archive
from spectralgpt.products.format import Format, any_named
from spectralgpt.products.formats.landsat.mtl import MTL_NAME, SATELLITE_IN_FILE, THERMAL, family_of, read_mtl
from spectralgpt.products.header import Header, number_in, single_band
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.clouds import CloudLayer
from spectralgpt.raster.xml import parse_xml

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
    """What a metadata file states. files: (sr or toa, band) -> file name, scale, offset, stored value of fill."""

    source: str
    family: str
    day: int
    scene: str
    files: dict[tuple[str, int], tuple[str, float, float, float]] = field(default_factory=dict)


def read(path: str, expected: int | None) -> Product | tuple[Product, ...] | None:
    """The Product of a folder or archive with files of these names, one per scene in order of time; surface reflectance
    is preferred.

    RasterError for scenes of several sensors or of one day, metadata of another scene, or no metadata that give the
    sensor.
    """
    archive = open_archive(path)
    names = archive.names(1) if archive else ()
    matches = [match for name in names if (match := BAND_FILE.fullmatch(name))]
    if archive is None or not matches:
        return None
    scenes = sorted({match[1] for match in matches})
    if len(scenes) == 1:
        return _scene(path, archive, names, scenes[0], matches)
    products = [
        _scene(
            path,
            archive,
            tuple(name for name in names if name.startswith((f"{scene}_", f"{scene}."))),
            scene,
            [match for match in matches if match[1] == scene],
        )
        for scene in scenes
    ]
    days = {product.day for product in products}
    if len({product.sensor for product in products}) > 1 or len(days) < len(products) or UNKNOWN in days:
        raise RasterError(
            f"{path}: found files of {len(scenes)} scenes ({', '.join(scenes[:4])})",
            "one scene, or several of one sensor on different days",
            "Keep each in its own folder",
        )
    return tuple(sorted(products, key=lambda product: product.day))


def _scene(
    path: str, archive: Archive, names: tuple[str, ...], scene: str, matches: Sequence[re.Match[str]]
) -> Product:
    """The Product of a scene. names: of its files; matches: of those with bands."""
    metadata = _metadata(path, archive, names, scene)
    present = {(match[2].lower(), int(match[3])): archive.gdal_path(match[0]) for match in matches}
    kinds = {kind for kind, _ in present}
    kind = "sr" if "sr" in kinds else "toa"
    files = {number: file for (of_kind, number), file in present.items() if of_kind == kind}
    listed = {number: name for (of_kind, number), (name, *_) in metadata.files.items() if of_kind == kind}
    numbers = sorted({*files, *listed} - set(THERMAL[metadata.family]))
    read_bands = [_band(metadata, kind, number, files[number]) for number in numbers if number in files]
    if not read_bands:
        raise RasterError(f"{path}: found only thermal bands", "at least one reflectance band")
    bands = tuple(band for band, _ in read_bands)
    warnings = [warning for _, header in read_bands for warning in header.warnings]
    if kinds == {"sr", "toa"}:
        warnings.append(
            f"{path}: the surface reflectance is read; the top-of-atmosphere reflectance beside it is left out"
        )
    return Product(
        bands=bands,
        sensor=f"{metadata.family}-{SENSOR_LEVELS[kind]}",
        day=metadata.day,
        clouds=_clouds(archive, names),
        missing=tuple((f"B{number}", listed[number]) for number in numbers if number not in files),
        tags=(("LANDSAT_SCENE_ID", metadata.scene),),
        facts=_facts(metadata, kind, bands, {number for _, number in present}),
        warnings=tuple(warnings),
    )


def _band(metadata: EspaMetadata, kind: str, number: int, file: str) -> tuple[StoredBand, Header]:
    """A band with scale, offset and nodata, as stated or by ESPA's convention, and its file's header."""
    _, scale, offset, fill = metadata.files.get((kind, number), ("", 1e-4, 0.0, -9999.0))
    band, header = single_band(file)
    nodata = fill if band.nodata is None else band.nodata
    return replace(band, name=f"B{number}", scale=scale, offset=offset, nodata=nodata), header


def _facts(metadata: EspaMetadata, kind: str, bands: Sequence[StoredBand], numbers: set[int]) -> tuple[str, ...]:
    """Where scale and offset come from, and which of the numbers of all files are thermal bands, which are left out."""
    where = os.path.basename(metadata.source) if metadata.files else "ESPA's convention"
    units = {f"scale {band.scale:g}, offset {band.offset:g}" for band in bands}
    left_out = ", ".join(f"B{number}" for number in sorted(numbers & set(THERMAL[metadata.family])))
    return (
        f"{REFLECTANCE[kind]} reflectance: {'; '.join(sorted(units))} from {where}",
        *([f"thermal bands are left out ({left_out}), as they contain no reflectance"] if left_out else []),
    )


def read_espa(text: str, source: str) -> EspaMetadata | None:
    """What ESPA's XML states, None for other XML. RasterError when it is broken or does not give the sensor."""
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


def _metadata(path: str, archive: Archive, names: tuple[str, ...], scene: str) -> EspaMetadata:
    """From the XML, else the MTL, else the scene's name. RasterError without any, and when the name contradicts it."""
    by_name = _in_name(path, scene)
    metadata = _in_files(archive, names, scene) or by_name
    if metadata is None:
        raise RasterError(
            f"{path}: found {scene}_sr_band files without the scene's XML or MTL file, or a name like LC08_L1TP_...",
            "one of these, which gives the sensor",
        )
    if by_name is not None:
        _refuse_contradiction(path, metadata, by_name.family, metadata.family)
        if UNKNOWN not in (by_name.day, metadata.day):
            _refuse_contradiction(path, metadata, iso_date(by_name.day), iso_date(metadata.day))
    return metadata


def _in_name(path: str, scene: str) -> EspaMetadata | None:
    """Sensor and day from the name of a scene, None for a name without a known satellite."""
    satellite = SATELLITE_IN_FILE.match(f"{scene}_")
    instrument = INSTRUMENT_OF_SATELLITE.get(satellite[2]) if satellite else None
    if satellite is None or instrument is None:
        return None
    return EspaMetadata(scene, family_of(f"LANDSAT_{satellite[2]}", instrument, path), day_in_name(scene), scene)


def _in_files(archive: Archive, names: tuple[str, ...], scene: str) -> EspaMetadata | None:
    """What the scene's XML, else its MTL file states; None without both."""
    for name in sorted(names, key=lambda name: not name.lower().endswith(".xml")):
        source = os.path.join(archive.path, name)
        if MTL_NAME.match(name):
            mtl = read_mtl(archive.text(name), source)
            return EspaMetadata(source, mtl.family, mtl.day, mtl.need("LANDSAT_PRODUCT_ID", "LANDSAT_SCENE_ID"))
        if name.lower() == f"{scene}.xml".lower() and (found := read_espa(archive.text(name), source)):
            return found
    return None


def _refuse_contradiction(path: str, metadata: EspaMetadata, in_name: str, stated: str) -> None:
    if in_name != stated:
        raise RasterError(
            f"{path}: found {in_name} in the files' names and {stated} in {os.path.basename(metadata.source)}",
            "the same in both",
            "Download it again",
        )


def _clouds(archive: Archive, names: tuple[str, ...]) -> CloudLayer | None:
    found = [match for name in names if (match := QUALITY_FILE.fullmatch(name))]
    if not found:
        return None
    best = max(found, key=lambda match: match[2].lower() == "pixel_qa")
    layer = single_band(archive.gdal_path(best[0]))[0]
    cloudy = SHADOW_CLOUD_CIRRUS if best[2].lower() == "pixel_qa" else CLASSES
    return CloudLayer("qa", layer.path, layer.index, layer.grid, cloudy)


FORMAT = Format(
    title="Landsat surface reflectance of ESPA (Collection 1), `*_sr_band1.tif` and the like",
    priority=10,  # before Landsat's own format, as these folders hold an MTL file, too
    read=read,
    archives=(".zip", ".tar"),
    claims_folder=any_named(BAND_FILE),
)
