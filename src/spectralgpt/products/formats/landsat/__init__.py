"""Landsat products of USGS: one file per band, and an MTL file that describes them.

Collection 2 (Level 1 and 2), Collection 1 and older products, as a folder, a zip, a tar, or the MTL file's own path.
Sources: USGS, Landsat Data Format Control Books LSDS-1822 (Collection 2 Level 1), LSDS-1328 and -1618 (Level 2),
LSDS-809 (Collection 1); for products without reflectance coefficients USGS, "Where can I find the ESUN for the Landsat
sensors" (solar spectrum ChKur).
"""

import os
from dataclasses import replace

from spectralgpt.errors import RasterError
from spectralgpt.products.archive import Archive, open_archive
from spectralgpt.products.format import CloudCode, Format, any_named
from spectralgpt.products.formats.landsat.mtl import MTL_NAME, RESCALING, THERMAL, Mtl, agreed_mtls, check_name
from spectralgpt.products.formats.landsat.units import reflectance, sun_elevation
from spectralgpt.products.header import Header, single_band
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.clouds import CloudLayer

QA_PIXEL = tuple((1 << bit, 1 << bit) for bit in (1, 2, 3, 4))
"""Dilated cloud, cirrus, cloud and shadow in Landsat's QA_PIXEL of Collection 2."""

QUALITY_KEYS = ("FILE_NAME_QUALITY_L1_PIXEL", "FILE_NAME_BAND_QUALITY")

CLOUD_SHADOW_CIRRUS = ((16, 16), (3 << 7, 3 << 7), (3 << 11, 3 << 11))
"""BQA of Collection 1: bit 4, and high confidence in bits 7-8 and 11-12, the last in OLI's products only."""

CLOUD_CIRRUS_UNTIL_2017 = ((3 << 14, 3 << 14), (3 << 12, 3 << 12))
"""BQA of Landsat 8 before the collections: high confidence in bits 14-15 and 12-13."""


KEPT_KEYS = ("LANDSAT_PRODUCT_ID", "LANDSAT_SCENE_ID", "PROCESSING_LEVEL", "SPACECRAFT_ID", "SUN_ELEVATION")
"""Keys of the MTL file that the product keeps as tags."""


def read(path: str, expected: int | None) -> Product | tuple[Product, ...] | None:
    """The Product of a folder or archive that holds an MTL file, or of an MTL file's own path; one per date for several
    products of one kind of sensor and level."""
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
    products = tuple(
        _product(path, archive, os.path.dirname(name), mtl) for name, mtl in agreed_mtls(path, archive, found)
    )
    return products if len(products) > 1 else products[0]


def _product(path: str, archive: Archive, inside: str, mtl: Mtl) -> Product:
    files = _located(archive, inside)
    thermal_numbers = THERMAL[mtl.family]
    reflective = [(number, name) for number, name in mtl.files() if number not in thermal_numbers]
    thermal = sorted({number for number, _ in mtl.files()} & set(thermal_numbers))
    located = [(number, name, files.get(name.lower())) for number, name in reflective]
    read_bands = [_band(mtl, number, file) for number, _, file in located if file is not None]
    missing = [(f"B{number}", name) for number, name, file in located if file is None]
    if not read_bands:
        raise RasterError(
            f"{path}: found the metadata of {len(reflective)} bands in {os.path.basename(mtl.source)} but none of "
            "their files",
            f"{', '.join(name for _, name in reflective[:3])}, ... beside it",
        )
    quality = _quality_name(mtl)
    quality_file = files.get(quality.lower()) if quality is not None else None
    if quality is not None and quality_file is None:
        missing.append(("qa", quality))
    bands = [band for band, _ in read_bands]
    return Product(
        bands=tuple(bands),
        sensor=f"{mtl.family}-{mtl.level}",
        day=mtl.day,
        clouds=_clouds(mtl, quality_file),
        missing=tuple(missing),
        tags=tuple((key, value) for key in KEPT_KEYS if (value := mtl.get(key))),
        facts=(_units(mtl, bands), *([_without(thermal)] if thermal else [])),
        warnings=tuple(warning for _, header in read_bands for warning in header.warnings),
    )


def _located(archive: Archive, inside: str) -> dict[str, str]:
    """GDAL's paths of the files in the folder `inside`, by name in lower case."""
    names = archive.names(1 if archive.kind == "folder" else 2)
    split = ((name, *os.path.split(name.lower())) for name in names)
    return {file: archive.gdal_path(name) for name, folder, file in split if folder == inside.lower()}


def _band(mtl: Mtl, number: int, file: str) -> tuple[StoredBand, Header]:
    """A band with its scale and offset to reflectance, and its file's header."""
    band, header = single_band(file)
    scale, offset = reflectance(mtl, number)
    nodata = 0.0 if band.nodata is None else band.nodata
    return replace(band, name=f"B{number}", scale=scale, offset=offset, nodata=nodata), header


def _quality_name(mtl: Mtl) -> str | None:
    """The name of the quality layer's file. RasterError for one that leads elsewhere."""
    name = next(filter(None, map(mtl.get, QUALITY_KEYS)), None)
    if name is not None:
        check_name(mtl, name)
    return name


def _clouds(mtl: Mtl, file: str | None) -> CloudLayer | None:
    """The quality layer in a file, None where its bits are not known."""
    cloudy = _cloudy(mtl)
    if file is None or not cloudy:
        return None
    layer = single_band(file)[0]
    return CloudLayer("qa", layer.path, layer.index, layer.grid, cloudy)


def _units(mtl: Mtl, bands: list[StoredBand]) -> str:
    file = os.path.basename(mtl.source)
    if mtl.level == "c2l2":
        pairs = {(band.scale, band.offset) for band in bands}
        units = ", ".join(f"scale {scale:g}, offset {offset:g}" for scale, offset in sorted(pairs, key=str))
        return f"surface reflectance: {units} from {file}"
    by_reflectance = any(key.startswith("REFLECTANCE_MULT") for group in RESCALING for key in mtl.groups.get(group, {}))
    how = "its reflectance coefficients" if by_reflectance else "its radiance coefficients, USGS's solar irradiances"
    sun = f"the sun's elevation of {sun_elevation(mtl):g} degrees"
    return f"top-of-atmosphere reflectance, computed with {how} and {sun}, from {file}"


def _without(thermal: list[int]) -> str:
    return (
        f"thermal bands are left out ({', '.join(f'B{number}' for number in thermal)}), as they contain no reflectance"
    )


def _cloudy(mtl: Mtl) -> tuple[tuple[int, int], ...]:
    """The bits of cloud, cirrus and shadow in the quality layer; empty when they are not known."""
    collection = mtl.number("COLLECTION_NUMBER")
    if collection is None:
        return CLOUD_CIRRUS_UNTIL_2017 if mtl.family == "landsat8" else ()
    if collection == 1:
        return CLOUD_SHADOW_CIRRUS if mtl.family == "landsat8" else CLOUD_SHADOW_CIRRUS[:2]
    return QA_PIXEL


FORMAT = Format(
    title="USGS Landsat products (Collection 1 and 2, Level 1 and 2, and older), recognized by their MTL file",
    priority=30,
    read=read,
    archives=(".zip", ".tar"),
    claims_folder=any_named(MTL_NAME),
    clouds=(CloudCode("qa", "qa_pixel", QA_PIXEL),),
)
