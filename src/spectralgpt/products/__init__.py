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
from spectralgpt.products.opening import open_raster

__all__ = [
    "CloudCode",
    "Format",
    "all_formats",
    "archive_suffixes",
    "as_pixels",
    "cloud_options",
    "format_of_file",
    "image_suffixes",
    "is_product_folder",
    "looks_like_image",
    "open_raster",
]
