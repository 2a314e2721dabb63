"""The layer of clouds that the argument `clouds` names."""

from dataclasses import replace

from spectralgpt.errors import OptionError
from spectralgpt.products.format import cloud_options
from spectralgpt.products.header import read_header
from spectralgpt.products.image import Image
from spectralgpt.products.stacking import share_a_place
from spectralgpt.raster.clouds import CloudLayer


def with_clouds(images: list[Image], clouds: str) -> list[Image]:
    """The images with the layer that --clouds names; OptionError where there is none."""
    if clouds.lower() in cloud_options():
        for image in images:
            if image.clouds is None:
                raise OptionError(
                    f"--clouds {clouds}: found no layer of clouds in {image.source}; expected a product that has one "
                    "(Sentinel-2 Level-2A, Landsat, HLS), or a raster: --clouds mask.tif"
                )
        return images
    paths = clouds.split(",")
    if len(paths) != len(images):
        raise OptionError(
            f"--clouds {clouds}: found {len(paths)} for {len(images)} image{'s' if len(images) > 1 else ''}; expected "
            f"{', '.join(cloud_options())}, or one raster a date, with commas."
        )
    return [replace(image, clouds=_mask(path, image)) for path, image in zip(paths, images, strict=True)]


def _mask(path: str, image: Image) -> CloudLayer:
    header = read_header(path)
    if len(header.bands) != 1:
        raise OptionError(f"--clouds {path}: found {len(header.bands)} bands; expected one, not 0 in clouds.")
    band = header.bands[0]
    if not share_a_place(image.grid, band.grid):
        raise OptionError(f"--clouds {path}: found that it shares no place with {image.source}; expected its clouds.")
    return CloudLayer("mask", band.path, band.index, band.grid, ())
