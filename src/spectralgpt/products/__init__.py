"""From paths and arrays to rasters and pixels: file formats and products, their bands, units and dates."""

from spectralgpt.products.arrays import as_pixels
from spectralgpt.products.format import (
    CloudCode,
    Format,
    all_formats,
    archive_suffixes,
    cloud_options,
    format_of_file,
    image_suffixes,
    is_product_folder,
    looks_like_image,
)
from spectralgpt.products.opening import open_pair, open_raster
from spectralgpt.products.source_files import SourceFiles, source_files
from spectralgpt.products.targets import check_replacing

__all__ = [
    "CloudCode",
    "Format",
    "SourceFiles",
    "all_formats",
    "archive_suffixes",
    "as_pixels",
    "check_replacing",
    "cloud_options",
    "format_of_file",
    "image_suffixes",
    "is_product_folder",
    "looks_like_image",
    "open_pair",
    "open_raster",
    "source_files",
]
