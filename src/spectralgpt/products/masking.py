"""The cloud layers that the argument `clouds` names."""

import os
from dataclasses import replace

from spectralgpt.errors import OptionError, argument, counted
from spectralgpt.products.format import OWN_LAYER, cloud_options
from spectralgpt.products.header import read_header
from spectralgpt.products.image import Image
from spectralgpt.products.stacking import both_placed, overlap
from spectralgpt.raster.clouds import CloudLayer


def with_clouds(images: list[Image], clouds: str) -> list[Image]:
    """The images with the cloud layers that the argument `clouds` names. OptionError for an image without one."""
    if clouds.lower() in cloud_options():
        return [_with_own_layer(image, clouds) for image in images]
    paths = clouds.split(",")
    if len(paths) != len(images):
        raise OptionError(
            f"{argument('clouds', clouds)}: found {len(paths)} for {counted(len(images), 'image')}",
            f"{', '.join(cloud_options())}, or one raster per date, separated by commas",
        )
    return [replace(image, clouds=_mask(path, image)) for path, image in zip(paths, images, strict=True)]


def _with_own_layer(image: Image, option: str) -> Image:
    """The image with its own layer of this name, for `auto` its first. A product whose only layer has another name is
    read by that, with a warning: a folder of several kinds of products has one argument."""
    layers = [layer for layer in (image.clouds, *image.other_clouds) if layer is not None]
    for layer in layers:
        if option.lower() in (OWN_LAYER, layer.name):
            return replace(image, clouds=layer)
    if len(layers) == 1:
        instead = f"{argument('clouds', option)}: {image.source} has {layers[0].name} instead, which is used"
        return replace(image, warnings=(*image.warnings, instead))
    found = f"the cloud layers {', '.join(layer.name for layer in layers)}" if layers else "no cloud layer"
    raise OptionError(
        f"{argument('clouds', option)}: found {found} in {image.source}",
        f"one that the product has ({', '.join(cloud_options()[1:])})",
        "Leave the option out, or give a raster that is not 0 in clouds:",
        ("clouds", "mask.tif"),
    )


def _mask(path: str, image: Image) -> CloudLayer:
    if not os.path.exists(path) and "://" not in path and not path.startswith("/vsi"):
        raise OptionError(
            f"{argument('clouds', path)}: there is no such file",
            f"{', '.join(cloud_options())}, or a raster that is not 0 in clouds",
        )
    header = read_header(path)
    if len(header.bands) != 1:
        raise OptionError(f"{argument('clouds', path)}: found {len(header.bands)} bands", "one, not 0 in clouds")
    band = header.bands[0]
    if not image.grid.coincides(band.grid) and not both_placed(image.grid, band.grid):
        raise OptionError(
            f"{argument('clouds', path)}: found no georeference in it or in {image.source}",
            "the same pixels, or a CRS and transform in both",
        )
    if not overlap(image.grid, band.grid):
        raise OptionError(
            f"{argument('clouds', path)}: does not overlap {image.source}", do="Give the clouds of this image"
        )
    return CloudLayer("mask", band.path, band.index, band.grid, ())
