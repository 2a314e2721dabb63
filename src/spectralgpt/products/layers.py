"""Layers of clouds and of absent data among the bands of a file."""

from dataclasses import replace

from spectralgpt.products.format import cloud_codes
from spectralgpt.products.product import Product, StoredBand
from spectralgpt.raster.clouds import CloudLayer

DATA_MASKS = ("datamask", "data_mask")
"""Names of layers that are 0 where there are no data."""


def with_layers_of_bands(product: Product) -> Product:
    """The product with the cloud layers among its bands (SCL, QA60, QA_PIXEL, Fmask) after its own, and with a layer
    `dataMask` of a file as the alpha of the file's other bands."""
    layers = [layer for band in product.bands if (layer := _cloud_layer(band)) is not None]
    own = [] if product.clouds is None else [product.clouds, *product.other_clouds]
    clouds = [*own, *layers]
    masks = {band.path: band.index for band in product.bands if _name(band) in DATA_MASKS}
    bands = tuple(
        replace(band, alpha=masks[band.path])
        if band.alpha == 0 and masks.get(band.path, band.index) != band.index
        else band
        for band in product.bands
    )
    return replace(product, bands=bands, clouds=clouds[0] if clouds else None, other_clouds=tuple(clouds[1:]))


def _cloud_layer(band: StoredBand) -> CloudLayer | None:
    code = cloud_codes().get(_name(band))
    return None if code is None else CloudLayer(code.option, band.path, band.index, band.grid, code.cloudy)


def _name(band: StoredBand) -> str:
    return (band.name or "").strip().lower()
