"""The cloud layers that the argument `clouds` names."""

from dataclasses import replace

from spectralgpt.errors import OptionError, argument
from spectralgpt.products.format import cloud_options
from spectralgpt.products.header import read_header
from spectralgpt.products.image import Image
from spectralgpt.products.stacking import overlap
from spectralgpt.raster.clouds import CloudLayer


def with_clouds(images: list[Image], clouds: str) -> list[Image]:
    """The images with the cloud layers that the argument `clouds` names. OptionError for an image without one."""
    if clouds.lower() in cloud_options():
        for image in images:
            if image.clouds is None:
                raise OptionError(
                    f"{argument('clouds', clouds)}: found no cloud layer in {image.source}",
                    "a product that has one (Sentinel-2 Level-2A, Landsat, HLS)",
                    "Give a raster instead:",
                    ("clouds", "mask.tif"),
                )
        return images
    paths = clouds.split(",")
    if len(paths) != len(images):
        raise OptionError(
            f"{argument('clouds', clouds)}: found {len(paths)} for {len(images)} image{'s' if len(images) > 1 else ''}",
            f"{', '.join(cloud_options())}, or one raster per date, separated by commas",
        )
    return [replace(image, clouds=_mask(path, image)) for path, image in zip(paths, images, strict=True)]


def _mask(path: str, image: Image) -> CloudLayer:
    header = read_header(path)
    if len(header.bands) != 1:
        raise OptionError(f"{argument('clouds', path)}: found {len(header.bands)} bands", "one, not 0 in clouds")
    band = header.bands[0]
    if not overlap(image.grid, band.grid):
        raise OptionError(
            f"{argument('clouds', path)}: does not overlap {image.source}", do="Give the clouds of this image"
        )
    return CloudLayer("mask", band.path, band.index, band.grid, ())
