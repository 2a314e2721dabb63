"""One date of one place, opened: the bands in its files, how they become reflectance, and their grid."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spectralgpt.bands import Evidence, Identity, choice_count, identify, is_list, is_sensor, sensor_in_name
from spectralgpt.days import day_of
from spectralgpt.errors import BandError, RasterError, first_few
from spectralgpt.products.acquisition import platform_in_tags
from spectralgpt.products.dated_bands import products_by_date
from spectralgpt.products.format import cloud_options, read_products
from spectralgpt.products.layers import with_layers_of_bands
from spectralgpt.products.likeliest_sensor import with_oddness
from spectralgpt.products.nodata import GivenNodata
from spectralgpt.products.own_result import own_result, reconstruction_note, with_open_level
from spectralgpt.products.product import Product
from spectralgpt.products.units import layers_of, offset_notes, scale_notes
from spectralgpt.raster.clouds import CloudLayer
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.tags import SENSOR_TAG


@dataclass(frozen=True, slots=True)
class Image:
    """One date of one place, opened. day: since 1970-01-01, -1 unknown. facts: what was read from where."""

    source: str
    layers: tuple[Layer, ...]
    grid: Grid
    day: int
    identity: Identity
    clouds: CloudLayer | None
    other_clouds: tuple[CloudLayer, ...]
    tags: tuple[tuple[str, str], ...]
    facts: tuple[str, ...]
    warnings: tuple[str, ...]


def open_images(source: str, choice: str | None, nodata: GivenNodata, are_chosen: bool = False) -> list[Image]:
    """The image at a path, or at `PATH@DATE`; of a file or folder of several dates, one image per date, in order.

    choice: the argument `bands`. nodata: the argument `nodata`. are_chosen: whether the user chooses among the dates;
    then bands with impossible dates are left out. Without a list of bands, panchromatic and thermal bands are left out.
    BandError for bands that cannot be identified; RasterError for files that are missing or that do not
    fit together, and for a date given to several.
    """
    path, day = path_and_date(source)
    dated = read_products(path, choice_count(choice))
    if len(dated) == 1:
        dated = products_by_date(path, dated[0], choice, are_chosen, day is not None)
    products = tuple(map(with_layers_of_bands, dated))
    if day is not None:
        if len(products) > 1:
            raise RasterError(
                f"{source}: found one date for a {'folder' if os.path.isdir(path) else 'file'} of {len(products)}",
                "one of one date",
                "Leave the date out; choose some of the dates with the argument `dates`",
            )
        products = (replace(products[0], day=day),)
    return [_image(path, product, choice, nodata) for product in products]


def _image(path: str, product: Product, choice: str | None, nodata: GivenNodata) -> Image:
    """The image of a product of one date."""
    if choice is None and product.sensor is not None and not is_sensor(product.sensor):
        raise BandError(
            f"{path}: found a product of {product.sensor}",
            "one of the known sensors",
            "Describe its bands in a sensor file (name, wavelength, fwhm and gsd of each, scale and offset):",
            ("bands", "mine.toml"),
        )
    identity = _identified(path, product, choice)
    result = own_result(dict(product.tags))
    if choice is None or is_list(choice):
        identity = with_open_level(identity, result, path)
    if choice is None or not is_list(choice):
        _refuse_missing(path, product, identity)
        identity, left_out = _reflective(identity)
    else:
        left_out = ()
    chosen = [product.bands[index] for index in identity.indices]
    grid = _finest(path, [band.grid for band in chosen])
    layers, units = layers_of(path, product.bands, identity, grid, nodata)
    return Image(
        source=path,
        layers=layers,
        grid=grid,
        day=product.day,
        identity=identity,
        clouds=product.clouds,
        other_clouds=product.other_clouds,
        tags=product.tags,
        facts=(*product.facts, *(units if result is None else result.facts(units)), *left_out),
        warnings=(
            *reconstruction_note(path, result),
            *product.warnings,
            *identity.warnings,
            *nodata.warnings(path, layers),
            *scale_notes(path, layers),
            *offset_notes(path, chosen, layers, identity, grid, product.day),
        ),
    )


def _identified(path: str, product: Product, choice: str | None) -> Identity:
    """The bands of a product. Where they stay open, its pixels are looked at, for the likeliest to be advised first."""
    evidence = _evidence(path, product)
    try:
        return identify(evidence, choice)
    except BandError as error:
        looked = with_oddness(evidence, product.bands) if error.advice else evidence
        if looked is evidence:
            raise
    return identify(looked, choice)


def _evidence(path: str, product: Product) -> Evidence:
    """What identifies the bands. Our own results state their sensor in a tag, products in their names."""
    metadata = product.sensor or dict(product.tags).get(SENSOR_TAG)
    if metadata is None:
        names = {Path(file).name for file in (path, *(band.path for band in product.bands))}
        named = {sensor_in_name(name) for name in names} - {None}
        metadata = named.pop() if len(named) == 1 else None
    wavelengths = [band.wavelength for band in product.bands if band.wavelength is not None]
    fwhms = [band.fwhm for band in product.bands if band.fwhm is not None]
    count = len(product.bands)
    return Evidence(
        names=tuple(band.name for band in product.bands),
        source=path,
        metadata=metadata,
        wavelengths=tuple(wavelengths) if len(wavelengths) == count else (),
        fwhms=tuple(fwhms) if len(fwhms) == count else (),
        gsd=min((band.grid.gsd for band in product.bands if math.isfinite(band.grid.gsd)), default=math.nan),
        dtype=np.result_type(*(band.dtype for band in product.bands)).name if count else None,
        platform=platform_in_tags(dict(product.tags)),
        is_scaled=count > 0 and all(band.scale is not None for band in product.bands),
    )


def _reflective(identity: Identity) -> tuple[Identity, tuple[str, ...]]:
    """The identity without panchromatic and thermal bands, and a line that names these.

    A panchromatic band is twice as fine as the others and would set the grid for all; thermal bands hold no
    reflectance. No model takes either.
    """
    pan = [band for band in identity.bands if band.is_panchromatic]
    thermal = [band for band in identity.bands if band.is_thermal]
    kept = [index for index, band in enumerate(identity.bands) if band not in pan and band not in thermal]
    if not kept or len(kept) == len(identity.bands):
        return identity, ()
    left_out = [
        *(
            [f"thermal bands ({', '.join(band.name for band in thermal)}), as they contain no reflectance"]
            if thermal
            else []
        ),
        *([f"panchromatic band ({', '.join(band.name for band in pan)})"] if pan else []),
    ]
    bands = tuple(identity.bands[index] for index in kept)
    indices = tuple(identity.indices[index] for index in kept)
    return replace(identity, bands=bands, indices=indices), (f"left out: {'; '.join(left_out)}",)


def _refuse_missing(path: str, product: Product, identity: Identity) -> None:
    """RasterError when the metadata list a band and its file is missing."""
    missing = [(name, file) for name, file in product.missing if name not in cloud_options()]
    if missing:
        listed = first_few([f"{name} ({file})" for name, file in missing], 4)
        present = ",".join(band.name for band in _reflective(identity)[0].bands)
        raise RasterError(
            f"{path}: the metadata list files that are missing: {listed}",
            "",
            "Download it again, or choose from the bands that are present:",
            ("bands", f"{identity.sensor.name}:{present}"),
        )


def path_and_date(source: str) -> tuple[str, int | None]:
    """`PATH@2020-05-01` as path and day; without a date, or where a file of the whole name exists, the day is None."""
    path, at, text = source.rpartition("@")
    if not at or os.path.exists(source) or not os.path.exists(path):
        return source, None
    return path, day_of(text, source)


def _finest(path: str, grids: Sequence[Grid]) -> Grid:
    """The grid with the smallest pixels, the first of equals. RasterError when the others cannot be placed on it."""
    first = grids[0]
    if all(grid.coincides(first) for grid in grids):
        return first
    unplaced = [grid for grid in grids if not grid.is_placed]
    if unplaced or len({grid.crs is None for grid in grids}) > 1:
        sizes = ", ".join(f"{height} x {width}" for height, width in dict.fromkeys(grid.shape for grid in grids))
        raise RasterError(
            f"{path}: found bands of {sizes} pixels, some without georeference",
            "one grid, or a CRS and transform in every file, as bands are aligned by georeference",
        )
    if all(grid.same_crs(first) for grid in grids):
        return min(grids, key=lambda grid: grid.pixel_area)
    return min(grids, key=lambda grid: grid.gsd if math.isfinite(grid.gsd) else math.inf)
