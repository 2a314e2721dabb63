"""Granules of Harmonized Landsat Sentinel-2 (HLS): HLS.L30.T15RTP.2020123T170000.v2.0.B02.tif and the like.

Source: NASA, HLS Product User's Guide, versions 1.4 and 2.0. Both products have 30 m, a tile of Sentinel-2, surface
reflectance stored x 0.0001 and fill -9999; L30 has Landsat's band names and wavelengths, S30 Sentinel-2's.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from spectralgpt.days import EPOCH, UNKNOWN, iso_date
from spectralgpt.errors import RasterError
from spectralgpt.products.acquisition import day_in_tags
from spectralgpt.products.archive import open_archive
from spectralgpt.products.format import CloudCode, Format, any_named
from spectralgpt.products.header import Header, number_in, single_band
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.clouds import CloudLayer

LAYER = re.compile(
    r"(?P<granule>HLS\.(?P<product>[LS]30)\.(?P<tile>T\d{2}[A-Z]{3})\.(?P<year>\d{4})(?P<day>\d{3})(T\d{6})?\.v(?P<version>\d)\.\d)"
    r"\.(?P<layer>\w+)\.tiff?",
    re.IGNORECASE,
)

BANDS = {
    "L30": tuple(f"B0{number}" for number in (1, 2, 3, 4, 5, 6, 7, 9)),
    "S30": (*(f"B{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 8)), "B8A", *(f"B{n:02}" for n in (9, 10, 11, 12))),
}

THERMAL_LAYERS = {"L30": ("B10", "B11"), "S30": ()}

FMASK = tuple((1 << bit, 1 << bit) for bit in (1, 2, 3))
"""Cloud, next to cloud, and shadow in HLS's Fmask of version 2."""

CIRRUS_BIT = ((1, 1),)
"""Bit 0 of Fmask, which only version 1 uses."""


KEPT_TAGS = ("LANDSAT_PRODUCT_ID", "PRODUCT_URI", "SENSING_TIME", "SPACECRAFT_NAME", "SENSOR")
"""Tags of the last band's file that the product keeps."""


def read(path: str, expected: int | None) -> Product | tuple[Product, ...] | None:
    """The Product of a folder or archive that holds a granule's files, one per date for several granules of one tile;
    layers of angles are left out.

    RasterError for files of other granules, or without a band that holds reflectance.
    """
    archive = open_archive(path)
    # an archive may hold the granule's folder
    names = archive.names(1 if archive.kind == "folder" else 2) if archive else ()
    layers = {name: match for name in names if (match := LAYER.fullmatch(os.path.basename(name)))}
    if archive is None or not layers:
        return None
    granules = sorted({match["granule"]: match for match in layers.values()}.items())
    kinds = {(match["product"].upper(), match["tile"].upper()) for _, match in granules}
    if len(kinds) > 1 or len({match["year"] + match["day"] for _, match in granules}) < len(granules):
        raise RasterError(
            f"{path}: found layers of {len(granules)} granules ({', '.join(name for name, _ in granules[:4])})",
            "one granule, or several of one tile and product on different days",
            "Keep each in its own folder",
        )
    files = {
        granule: {
            match["layer"].upper(): archive.gdal_path(name)
            for name, match in layers.items()
            if match["granule"] == granule
        }
        for granule, _ in granules
    }
    products = [_granule(path, match, files[granule]) for granule, match in granules]
    return tuple(sorted(products, key=lambda product: product.day)) if len(products) > 1 else products[0]


def _granule(path: str, any_layer: re.Match[str], found: Mapping[str, str]) -> Product:
    """The Product of a granule. found: its layers and their files."""
    granule, product, version = any_layer["granule"], any_layer["product"].upper(), int(any_layer["version"])
    day = _day(granule, int(any_layer["year"]), int(any_layer["day"]))
    read_bands = [_band(name, found[name], day) for name in BANDS[product] if name in found]
    if not read_bands:
        raise RasterError(
            f"{path}: found {', '.join(sorted(found))} of {granule}",
            f"at least one reflectance band ({', '.join(BANDS[product])})",
        )
    bands = tuple(band for band, _ in read_bands)
    tags = dict(read_bands[-1][1].tags)
    thermal = [name for name in THERMAL_LAYERS[product] if name in found]
    units = sorted({f"scale {band.scale:g}, offset {band.offset:g}" for band in bands})
    return Product(
        bands=bands,
        sensor=f"hls-{product.lower()}",
        day=day,
        clouds=_clouds(found["FMASK"], version) if "FMASK" in found else None,
        tags=(("HLS_GRANULE", granule), *((key, tags[key]) for key in KEPT_TAGS if key in tags)),
        facts=(
            f"surface reflectance, adjusted to nadir view: {'; '.join(units)}",
            *(
                [f"thermal bands are left out ({', '.join(thermal)}), as they contain no reflectance"]
                if thermal
                else []
            ),
        ),
        warnings=tuple(warning for _, header in read_bands for warning in header.warnings),
    )


def _band(name: str, file: str, day: int) -> tuple[StoredBand, Header]:
    """A band with scale, offset and nodata, from the file or by HLS's convention, and the file's header."""
    band, header = single_band(file)
    tags = dict(header.tags)
    _check_day(file, day, tags)
    scale, offset = band.scale, band.offset
    if scale is None or offset is None:
        scale = number_in(tags.get("scale_factor"), "scale_factor", 1e-4, file)
        offset = number_in(tags.get("add_offset"), "add_offset", 0.0, file)
    nodata = -9999.0 if band.nodata is None else band.nodata
    return replace(band, name=name, scale=scale, offset=offset, nodata=nodata), header


def _clouds(file: str, version: int) -> CloudLayer:
    layer = single_band(file)[0]
    return CloudLayer("fmask", layer.path, layer.index, layer.grid, FMASK if version >= 2 else CIRRUS_BIT + FMASK)


def _day(granule: str, year: int, of_year: int) -> int:
    """The day since 1970-01-01 of a year and a day in it, from 1."""
    when = date(year, 1, 1) + timedelta(days=of_year - 1) if year else None
    if when is None or when.year != year:
        raise RasterError(
            f"{granule}: found day {of_year} of the year {year}", "a day from 1 to 365, or 366 in a leap year"
        )
    return (when - EPOCH).days


def _check_day(path: str, day: int, tags: Mapping[str, str]) -> None:
    # the scenes of one granule may have been taken on both sides of midnight
    tagged = day_in_tags(tags)
    if tagged != UNKNOWN and abs(tagged - day) > 1:
        raise RasterError(
            f"{path}: found {iso_date(day)} in the name and {iso_date(tagged)} in the tags",
            "the same in both",
            "Download it again",
        )


FORMAT = Format(
    title="granules of Harmonized Landsat Sentinel-2 (HLS), L30 and S30",
    priority=20,
    read=read,
    archives=(".zip", ".tar"),
    claims_folder=any_named(LAYER),
    clouds=(CloudCode("fmask", "fmask", FMASK),),
)
