"""One file: a GeoTIFF, or another image that a listed driver of GDAL (raster.trusted) opens as one grid of bands."""

import os
from dataclasses import replace
from pathlib import Path

from spectralgpt.products.acquisition import acquisition
from spectralgpt.products.format import CloudCode, Format
from spectralgpt.products.header import band_in, names_band, read_header
from spectralgpt.products.own_map import refuse_own_map
from spectralgpt.products.product import Product


def read(path: str, expected: int | None) -> Product | None:
    """The Product of one file. A single band without a name, or described by what no band is called, is named after the
    band in the file's name."""
    if os.path.isdir(path):
        return None
    header = read_header(path, expected)
    refuse_own_map(header)
    bands = header.bands
    if len(bands) == 1 and (named := band_in(Path(path).stem)) and not names_band(bands[0].name):
        bands = (replace(bands[0], name=named),)
    taken = acquisition(path, [header.tags], [Path(path).name])
    return Product(bands, day=taken.day, tags=header.tags, warnings=(*header.warnings, *taken.notes))


QA60 = ((1 << 10, 1 << 10), (1 << 11, 1 << 11))
"""Opaque clouds and cirrus in the band of Google Earth Engine."""

FORMAT = Format(
    title="GeoTIFF, JPEG 2000, and other images that a listed driver of GDAL opens as one grid of bands",
    priority=100,  # last: it takes any file
    read=read,
    suffixes=(".tif", ".tiff", ".jp2", ".img", ".bsq", ".bil", ".bip"),
    named=(".png",),
    clouds=(CloudCode("qa", "qa60", QA60),),
)
