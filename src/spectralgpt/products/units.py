"""Scale and offset of the bands of an image, from metadata, from its values, or by the sensor's convention."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Shaped

from spectralgpt.bands import Band, Identity
from spectralgpt.bands.catalogue import LIST_OF_WAVELENGTHS
from spectralgpt.bands.fitting import DARK
from spectralgpt.bands.own_sensor import at_wavelengths_with_scale, in_own_sensor
from spectralgpt.checks.offset import OFFSET, may_be_left_in
from spectralgpt.checks.remedy import declared_in_file
from spectralgpt.checks.typical import looks_like_reflectance
from spectralgpt.days import UNKNOWN
from spectralgpt.errors import Advice, RasterError, argument, first_few
from spectralgpt.products.added import (
    SCALE,
    SENTINEL_2,
    SINCE,
    note_on_floats,
    offset_facts,
    possible,
    possible_in_floats,
)
from spectralgpt.products.filling import with_fill_rules
from spectralgpt.products.nodata import GivenNodata
from spectralgpt.products.product import StoredBand
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.sampling import everything, sample

ODD_TIMES = 100.0
"""How many times smaller or larger than those of the other bands a scale is odd. In one product, those of radiance
differ by up to 25 times."""


def layers_of(
    path: str, stored: Sequence[StoredBand], identity: Identity, grid: Grid, nodata: GivenNodata
) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    """The bands that are read, with scale and offset, and one line on where these come from. stored: all bands.

    Scale and offset are the file's own, else 1 and 0 for reflectance in floats, else the sensor's. RasterError for
    digital numbers without any of these.
    """
    chosen = [stored[index] for index in identity.indices]
    layers = tuple(
        nodata.applied(_layer(one, band, identity)) for one, band in zip(chosen, identity.bands, strict=True)
    )
    if nodata.declared:
        layers = with_fill_rules(layers, stored, identity)
    unstated = [index for index, one in enumerate(chosen) if one.scale is None and one.offset is None]
    if not unstated:
        return layers, (f"scale and offset from the metadata of {path}",)
    floats = tuple(layers[index] for index in unstated if np.dtype(layers[index].dtype).kind == "f")
    if floats and len(floats) == len(unstated) and _are_reflectance(floats, grid, identity):
        return layers, (f"reflectance in floats, as 98 % of the values of {path} are below 2",)
    known = identity.sensor
    brightest = max((_largest(layers[index].dtype) for index in unstated), default=math.inf)
    if known.scale is None or known.offset is None or brightest * known.scale < DARK:
        do: str = (
            "Give the product's folder with its metadata, or describe its bands in a sensor file (name, wavelength, "
            "fwhm and gsd of each, scale and offset):"
        )
        advice: tuple[Advice, ...] = (("bands", "mine.toml"),)
        if known.name == LIST_OF_WAVELENGTHS:
            do, advice = at_wavelengths_with_scale(identity.bands)
        raise RasterError(
            f"{path}: found digital numbers ({layers[unstated[0]].dtype}) of {known.name} without scale and offset",
            "reflectance, or metadata that declare how the numbers become reflectance",
            do,
            *advice,
        )
    every = [(index, chosen[index].added) for index in unstated if known.name in SENTINEL_2]
    added = {index: each for index, each in every if each is not None}
    offsets = {index: added[index].offset(known.scale) if index in added else known.offset for index in unstated}
    scaled = tuple(
        replace(layer, scale=known.scale, offset=offsets[index]) if index in unstated else layer
        for index, layer in enumerate(layers)
    )
    if not added:
        return scaled, (f"scale {known.scale:g} and offset {known.offset:g} by the convention of {known.name}",)
    names = [band.name for band in identity.bands]
    others = [names[index] for index in unstated if index not in added]
    return scaled, (
        f"scale {known.scale:g} by the convention of {known.name}",
        *offset_facts([(names[index], each) for index, each in added.items()], known.scale),
        *([f"offset {known.offset:g} of {first_few(others, 6)} by the convention of {known.name}"] if others else []),
    )


def offset_notes(
    path: str, chosen: Sequence[StoredBand], layers: Sequence[Layer], identity: Identity, grid: Grid, day: int
) -> tuple[str, ...]:
    """What a user should know where nothing states whether Sentinel-2's values include 1000, or metadata disagree."""
    if identity.sensor.name not in SENTINEL_2:
        return ()
    pairs = [(stored, layer) for stored, layer in zip(chosen, layers, strict=True) if layer.offset == 0]
    if any(stored.offset is None and stored.added is None and layer.scale != 1 for stored, layer in pairs):
        return possible(path, day, in_own_sensor(identity.sensor.name, identity.sensor.scale or 1e-4, -0.1))
    floats = [
        (stored.added, layer)
        for stored, layer in pairs
        if stored.offset is None and layer.scale == 1 and np.dtype(layer.dtype).kind == "f"
    ]
    added = [each for each, _ in floats if each is not None and each.number]
    if added:
        return (note_on_floats(path, added[0], declared_in_file(1, -added[0].number * SCALE)),)
    unstated = tuple(layer for each, layer in floats if each is None)
    if unstated and day != UNKNOWN and day >= SINCE and may_be_left_in(_some_values(unstated, grid, identity)):
        return possible_in_floats(path, day, declared_in_file(1, -OFFSET))
    ignored = [stored.added for stored, _ in pairs if stored.offset is not None and stored.added is not None]
    return tuple(
        f"{path}: read without offset, as it declares a scale and none, although {added.number:g} was added by "
        f"{added.source}"
        for added in [each for each in ignored if each.number][:1]
    )


def scale_notes(path: str, layers: Sequence[Layer]) -> tuple[str, ...]:
    """What a user should know where a band's scale is negative, or ODD_TIMES smaller or larger than those of the other
    bands: a typing error in metadata is not seen in a result. Thermal bands and bands of other types may differ."""
    reflective = [layer for layer in layers if not layer.band.is_thermal]
    odd: dict[float, list[str]] = {}
    usual = 0.0
    for layer in reflective:
        others = [
            abs(other.scale)
            for other in reflective
            if other is not layer and np.dtype(other.dtype).kind == np.dtype(layer.dtype).kind
        ]
        middle = float(np.median(others)) if len(others) > 1 else abs(layer.scale)
        if layer.scale < 0 or not middle / ODD_TIMES <= abs(layer.scale) <= middle * ODD_TIMES:
            odd.setdefault(layer.scale, []).append(layer.band.name)
            usual = middle
    listed = {name for names in odd.values() for name in names}
    rest = ",".join(layer.band.name for layer in layers if layer.band.name not in listed)
    return tuple(
        f"{path}: found the scale {scale:g} of {first_few(names, 6)}"
        + (f" beside {usual:g} of other bands" if rest else "")
        + "; it is used as declared. If it is wrong, correct the metadata"
        + (f", or leave the band out: {argument('bands', rest)}" if rest else "")
        for scale, names in odd.items()
    )


def _layer(stored: StoredBand, band: Band, identity: Identity) -> Layer:
    """The layer of a band; scale 1 and offset 0 where none is stated."""
    return Layer(
        path=stored.path,
        index=stored.index,
        band=band,
        grid=stored.grid,
        dtype=stored.dtype,
        scale=1.0 if stored.scale is None else stored.scale,
        offset=0.0 if stored.offset is None else stored.offset,
        nodata=_nodata(stored, identity),
        masked=stored.masked,
        alpha=stored.alpha,
    )


def _largest(dtype: str) -> float:
    """The largest number of a type."""
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind in "iu" else math.inf


def _nodata(stored: StoredBand, identity: Identity) -> float | int | None:
    """The file's own, else, for integers in a file without a mask, the one that the sensor's products use."""
    unstated = stored.nodata is None and not stored.masked and not stored.alpha
    return identity.sensor.nodata if unstated and np.dtype(stored.dtype).kind in "iu" else stored.nodata


def _are_reflectance(layers: tuple[Layer, ...], grid: Grid, identity: Identity) -> bool:
    """Whether values from windows all over the image look like reflectance."""
    try:
        return looks_like_reflectance(_some_values(layers, grid, identity))
    except RasterError as error:
        raise error.about(layers[0].path) from None


def _some_values(layers: tuple[Layer, ...], grid: Grid, identity: Identity) -> Shaped[np.ndarray, " value"]:
    """Valid stored values from windows all over the image; if these are empty, from another."""
    dtype = np.result_type(*(layer.dtype for layer in layers))
    ones, zeros = (1.0,) * len(layers), (0.0,) * len(layers)
    with Raster((layers,), grid, (UNKNOWN,), identity.sensor, dtype, ones, zeros, None) as raster:
        seen = [_valid_values(raster.read(window)) for window in sample(*grid.shape)]
        if not any(values.size for values in seen):
            rest = (_valid_values(raster.read(window)) for window in everything(*grid.shape))
            seen = [next((values for values in rest if values.size), seen[0])]
    return np.concatenate(seen)


def _valid_values(pixels: Pixels) -> Shaped[np.ndarray, " value"]:
    return pixels.values.ravel() if pixels.valid is None else pixels.values[pixels.valid]
