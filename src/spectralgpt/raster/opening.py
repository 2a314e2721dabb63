"""From paths to a Raster: what the files hold, whose bands they are, which date, on which grid."""

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from spectralgpt.bands import Band, Evidence, Identity, choice_count, identify, is_list, is_sensor, sensor_in_name
from spectralgpt.errors import BandError, OptionError, RasterError
from spectralgpt.raster.area import read_area
from spectralgpt.raster.contract import everything, sample
from spectralgpt.raster.dates import UNKNOWN, day_of, written
from spectralgpt.raster.formats import read_product
from spectralgpt.raster.formats.file import read_header
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.pixels import Pixels, looks_like_reflectance
from spectralgpt.raster.product import CloudLayer, Product, StoredBand
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.resample import places

SENSOR_TAG = "SPECTRALGPT_SENSOR"
"""The tag by which our own results say whose bands they hold."""

THERMAL = 3000.0
"""nm. Beyond, a band sees the ground's own heat."""

OWN_CLOUDS = ("scl", "qa", "fmask")
"""What --clouds calls a product's own layer of clouds: Sentinel-2's, Landsat's, HLS's."""

DARK = 0.1
"""A type whose largest number would be a reflectance below holds something else: bytes are no reflectance x 10000."""

Source = str | os.PathLike[str]


def open_raster(
    source: Source | Sequence[Source],
    *,
    bands: str | None = None,
    dates: str | None = None,
    gsd: float | int | None = None,
    aoi: Source | None = None,
    clouds: Source | None = None,
) -> Raster:
    """Open an image: a file, a product, a folder of single-band files, or several of these as the dates of one place.

    bands: a sensor, or a TOML file of one, whose names the file's names are (a nameless file is read in its order); a
    list like B02,B03 or landsat8-toa:B2,B3; or wavelengths in nm, as a list or a text file. dates: keep only these, a
    list like 2020-05-01,2020-06-10. A date is `PATH@2020-05-01`, else the metadata's, else the file name's; several
    images are sorted by it. The grid is the first image's in time, in a folder or product that of the finest band;
    what lies on another grid is read by georeference. gsd: metres on the ground of the grid instead, averaged where
    that is coarser than a band. aoi: a GeoJSON file; the grid is cut to it, and pixels outside are not valid. clouds:
    scl, qa or fmask for the product's own layer, or a raster (one a date, with commas) that is not 0 in clouds; these
    are not valid.

    BandError when bands are unnamed, unknown, repeated, or could be of several sensors; OptionError when an option does
    not fit the image; RasterError for all else that is wrong with a file.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    if not sources:
        raise RasterError("found no image", "at least one path")
    images = [_open_one(os.fspath(each), bands) for each in sources]
    if clouds is not None:
        images = _with_clouds(images, os.fspath(clouds))
    images = _in_time(images)
    if dates is not None:
        images = _chosen(images, dates)
    for image in images[1:]:
        _refuse_other_bands(images[0], image)
        _refuse_elsewhere(images[0], image)
    raster = _as_raster(images, masked=clouds is not None)
    if gsd is not None:
        raster = replace(raster, grid=raster.grid.at_gsd(gsd))
    if aoi is not None:
        window, area = read_area(os.fspath(aoi), raster.grid)
        raster = replace(raster, grid=raster.grid.window(window), area=area.seen_from(window))
    return raster


@dataclass(frozen=True, slots=True)
class Image:
    """One date, as opened."""

    source: str
    layers: tuple[Layer, ...]
    grid: Grid
    day: int
    identity: Identity
    clouds: CloudLayer | None
    tags: tuple[tuple[str, str], ...]
    facts: tuple[str, ...]
    warnings: tuple[str, ...]


def _open_one(source: str, choice: str | None) -> Image:
    path, told = _path_and_date(source)
    product = read_product(path, choice_count(choice))
    if choice is None and product.sensor is not None and not is_sensor(product.sensor):
        raise BandError(
            f"{path}: found a product of {product.sensor}, which is none of the known sensors; expected one of them. "
            "Describe its bands in a sensor file: --bands mine.toml"
        )
    identity = identify(_evidence(path, product), choice)
    if choice is None or not is_list(choice):
        _refuse_missing(path, product, identity)
        identity, left_out = _reflective(identity)
    else:
        left_out = ()
    chosen = [product.bands[index] for index in identity.indices]
    grid = _finest(path, [band.grid for band in chosen])
    layers, units = _layers(path, chosen, identity, grid)
    return Image(
        source=path,
        layers=layers,
        grid=grid,
        day=told if told is not None else product.day,
        identity=identity,
        clouds=product.clouds,
        tags=product.tags,
        facts=(*product.facts, *units, *left_out),
        warnings=(*product.warnings, *identity.warnings),
    )


def _evidence(path: str, product: Product) -> Evidence:
    """What there is to tell the bands by. Our own results say their sensor; products say it in their names."""
    metadata = product.sensor or dict(product.tags).get(SENSOR_TAG)
    if metadata is None:
        names = {Path(each).name for each in (path, *(band.path for band in product.bands))}
        told = {sensor_in_name(name) for name in names} - {None}
        metadata = told.pop() if len(told) == 1 else None
    wavelengths = [band.wavelength for band in product.bands if band.wavelength is not None]
    fwhms = [band.fwhm for band in product.bands if band.fwhm is not None]
    count = len(product.bands)
    return Evidence(
        names=tuple(band.name for band in product.bands),
        source=path,
        metadata=metadata,
        wavelengths=tuple(wavelengths) if len(wavelengths) == count else (),
        fwhms=tuple(fwhms) if len(fwhms) == count else (),
    )


def _reflective(identity: Identity) -> tuple[Identity, tuple[str, ...]]:
    """Without the panchromatic band and thermal ones, and a line on these; a list of bands that names them has them.

    The first is twice as fine as the others and would decide the grid of all, the others hold no reflectance; no model
    takes either.
    """
    known = identity.sensor
    pan = known.band("pan") if known.knows("pan") else None
    thermal = [band for band in identity.bands if band.wavelength > THERMAL]
    kept = [index for index, band in enumerate(identity.bands) if band != pan and band not in thermal]
    if not kept or len(kept) == len(identity.bands):
        return identity, ()
    left_out = [
        *([f"thermal, no reflectance ({', '.join(band.name for band in thermal)})"] if thermal else []),
        *([f"panchromatic ({pan.name})"] if pan is not None and pan in identity.bands else []),
    ]
    bands = tuple(identity.bands[index] for index in kept)
    indices = tuple(identity.indices[index] for index in kept)
    return replace(identity, bands=bands, indices=indices), (f"left out: {'; '.join(left_out)}",)


def _refuse_missing(path: str, product: Product, identity: Identity) -> None:
    """RasterError when the metadata list a band whose file is not there."""
    missing = [each for each in product.missing if each[0] not in OWN_CLOUDS]
    if missing:
        lacking = ", ".join(f"{name} ({file})" for name, file in missing[:4])
        more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
        there = ",".join(band.name for band in identity.bands)
        raise RasterError(
            f"{path}: found no file of {lacking}{more}, which its metadata list; expected all. Fetch it again, or "
            f"choose among what is there with --bands {identity.sensor.name}:{there}"
        )


def _path_and_date(source: str) -> tuple[str, int | None]:
    """`PATH@2020-05-01` in two; a path that is there as it stands is one."""
    path, at, text = source.rpartition("@")
    if not at or os.path.exists(source) or not os.path.exists(path):
        return source, None
    return path, day_of(text, source)


def _with_clouds(images: list[Image], clouds: str) -> list[Image]:
    """The images with the layer that --clouds names; OptionError where there is none."""
    if clouds.lower() in OWN_CLOUDS:
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
            f"{', '.join(OWN_CLOUDS)}, or one raster a date, with commas."
        )
    return [replace(image, clouds=_mask(path, image)) for path, image in zip(paths, images, strict=True)]


def _mask(path: str, image: Image) -> CloudLayer:
    header = read_header(path)
    if len(header.bands) != 1:
        raise OptionError(f"--clouds {path}: found {len(header.bands)} bands; expected one, not 0 in clouds.")
    band = header.bands[0]
    if not _share_a_place(image.grid, band.grid):
        raise OptionError(f"--clouds {path}: found that it shares no place with {image.source}; expected its clouds.")
    return CloudLayer("mask", band.path, band.index, band.grid, ())


def _finest(path: str, grids: Sequence[Grid]) -> Grid:
    """The grid with the smallest pixels, the first of several; RasterError when the others cannot be placed on it."""
    first = grids[0]
    if all(grid.coincides(first) for grid in grids):
        return first
    unplaced = [grid for grid in grids if not grid.is_placed]
    if unplaced or len({grid.crs is None for grid in grids}) > 1:
        sizes = ", ".join(f"{height} x {width}" for height, width in dict.fromkeys(grid.shape for grid in grids))
        raise RasterError(
            f"{path}: found bands of {sizes} pixels of which some have no georeference",
            "one grid, or CRS and transform in every file, as bands are aligned by georeference",
        )
    if all(grid.same_crs(first) for grid in grids):
        return min(grids, key=lambda grid: grid.pixel_area)
    return min(grids, key=lambda grid: grid.gsd if math.isfinite(grid.gsd) else math.inf)


def _layers(
    path: str, chosen: Sequence[StoredBand], identity: Identity, grid: Grid
) -> tuple[tuple[Layer, ...], tuple[str, ...]]:
    """The bands with scale and offset, and one line on where these are from.

    They are the file's own, else 1 and 0 for reflectance in floats, else the sensor's. RasterError for numbers of which
    nobody tells how they become reflectance.
    """
    layers = tuple(
        Layer(
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
        for stored, band in zip(chosen, identity.bands, strict=True)
    )
    silent = [index for index, stored in enumerate(chosen) if stored.scale is None and stored.offset is None]
    if not silent:
        return layers, (f"scale and offset from the metadata of {path}",)
    floats = tuple(layers[index] for index in silent if np.dtype(layers[index].dtype).kind == "f")
    if floats and len(floats) == len(silent) and _are_reflectance(floats, grid, identity):
        return layers, (f"reflectance in floats, as 98 % of the values of {path} are below 2",)
    known = identity.sensor
    brightest = max((_most(layers[index].dtype) for index in silent), default=math.inf)
    if known.scale is None or known.offset is None or brightest * known.scale < DARK:
        raise RasterError(
            f"{path}: found digital numbers ({layers[silent[0]].dtype}) of {known.name} and no metadata that tell how "
            "they become reflectance; expected reflectance, or scale and offset. Give the product's folder with its "
            "metadata, or describe the file in a sensor file: --bands mine.toml, with scale and offset"
        )
    scaled = tuple(
        replace(layer, scale=known.scale, offset=known.offset) if index in silent else layer
        for index, layer in enumerate(layers)
    )
    return scaled, (f"scale {known.scale:g} and offset {known.offset:g} by the convention of {known.name}",)


def _most(dtype: str) -> float:
    """The largest number of a type."""
    return float(np.iinfo(dtype).max) if np.dtype(dtype).kind in "iu" else math.inf


def _nodata(stored: StoredBand, identity: Identity) -> float | int | None:
    """The file's own, else, for whole numbers of a file without a mask, what the sensor's products mean by it."""
    silent = stored.nodata is None and not stored.masked and not stored.alpha
    return identity.sensor.nodata if silent and np.dtype(stored.dtype).kind in "iu" else stored.nodata


def _are_reflectance(layers: tuple[Layer, ...], grid: Grid, identity: Identity) -> bool:
    """Judged by windows all over the image; where they hold nothing, by the first place that does."""
    dtype = np.result_type(*(layer.dtype for layer in layers))
    ones, zeros = (1.0,) * len(layers), (0.0,) * len(layers)
    with Raster((layers,), grid, (UNKNOWN,), identity.sensor, dtype, ones, zeros, None) as raster:
        seen = [_valid_values(raster.read(window)) for window in sample(*grid.shape)]
        if not any(values.size for values in seen):
            rest = (_valid_values(raster.read(window)) for window in everything(*grid.shape))
            seen = [next((values for values in rest if values.size), seen[0])]
    try:
        return looks_like_reflectance(np.concatenate(seen))
    except RasterError as error:
        raise RasterError(f"{layers[0].path}: {error}") from None


def _valid_values(pixels: Pixels) -> Shaped[np.ndarray, " value"]:
    return pixels.values.ravel() if pixels.valid is None else pixels.values[pixels.valid]


def _in_time(images: list[Image]) -> list[Image]:
    """Sorted by date; RasterError when several do not tell their order."""
    if len(images) == 1:
        return images
    for image in images:
        if image.day == UNKNOWN:
            raise RasterError(
                f"{image.source}: found no date in its metadata or name; expected one for each of {len(images)} "
                f"images. Say it like {image.source}@2020-05-01"
            )
    repeated = [day for day, times in Counter(image.day for image in images).items() if times > 1]
    if repeated:
        same = [image.source for image in images if image.day == repeated[0]]
        raise RasterError(
            f"{' and '.join(same)}: found the date {written(repeated[0])} more than once; expected images of different "
            f"days. Say the dates like {same[0]}@2020-05-01"
        )
    return sorted(images, key=lambda image: image.day)


def _chosen(images: list[Image], dates: str) -> list[Image]:
    """The images of a list of dates; RasterError, with the dates that are there, for one that is not."""
    wanted = {day_of(text, "--date") for text in dates.split(",")}
    there = {image.day for image in images}
    if not wanted <= there:
        lacking = ", ".join(written(day) for day in sorted(wanted - there))
        known = ", ".join(written(day) or "an unknown date" for day in sorted(there))
        raise RasterError(f"--date {dates}: found no image of {lacking}; expected some of: {known}.")
    return [image for image in images if image.day in wanted]


def _refuse_other_bands(first: Image, other: Image) -> None:
    one, two = (set(image.identity.bands) for image in (first, other))
    if one != two:

        def listed(image: Image, bands: set[Band]) -> str:
            return ", ".join(f"{band.sensor} {band.name}" for band in image.identity.bands if band in bands) or "none"

        raise RasterError(
            f"{other.source}: found other bands than in {first.source} (here only: {listed(other, two - one)}; there "
            f"only: {listed(first, one - two)}); expected the same for all dates. Choose with --bands LIST or SENSOR"
        )


def _refuse_elsewhere(first: Image, other: Image) -> None:
    """RasterError when a date cannot be placed on the grid of the first, or shares no place with it."""
    if first.grid.coincides(other.grid):
        return
    if not (first.grid.is_placed and other.grid.is_placed) or (first.grid.crs is None) != (other.grid.crs is None):
        raise RasterError(
            (
                f"{other.source}: found {other.grid.height} x {other.grid.width} pixels, in {first.source} "
                f"{first.grid.height} x {first.grid.width}, and no georeference in one of them"
            ),
            "one grid, or CRS and transform in both",
        )
    if not _share_a_place(first.grid, other.grid):
        raise RasterError(f"{other.source}: found that it shares no place with {first.source}", "dates of one place")


def _share_a_place(one: Grid, other: Grid) -> bool:
    """Whether any of a few thousand places of one grid lies on the other; grids without georeference must be alike."""
    if not (one.is_placed and other.is_placed) or (one.crs is None) != (other.crs is None):
        return one.shape == other.shape
    coarse = one.coarsened(max(1, max(one.shape) // 64))
    return bool(places(coarse, coarse.whole, other).covered().any())


def _in_order_of(first: Image, image: Image) -> tuple[Layer, ...]:
    of_band = {layer.band: layer for layer in image.layers}
    return tuple(of_band[band] for band in first.identity.bands)


def _as_raster(images: Sequence[Image], masked: bool) -> Raster:
    """One raster of all dates; masked: without what the cloud layers exclude.

    Where they differ in scale or offset, read gives reflectance in floats."""
    first = images[0]
    layers = tuple(_in_order_of(first, image) for image in images)
    every = [layer for of_date in layers for layer in of_date]
    dtype = np.result_type(*(layer.dtype for layer in every))
    nodata: float | None = every[0].nodata
    scale, offset = ([getattr(layer, name) for layer in layers[0]] for name in ("scale", "offset"))
    if any(
        [(layer.scale, layer.offset) for layer in of_date] != [*zip(scale, offset, strict=True)] for of_date in layers
    ):
        dtype, nodata = np.result_type(dtype, np.float32), math.nan
        scale, offset = [1.0] * len(scale), [0.0] * len(offset)
    elif len({repr(layer.nodata) for layer in every}) > 1:  # repr: nan is nan
        nodata = None
    shared = set.intersection(*(set(image.tags) for image in images))
    return Raster(
        layers=layers,
        grid=first.grid,
        days=tuple(image.day for image in images),
        sensor=first.identity.sensor,
        dtype=dtype,
        scale=tuple(scale),
        offset=tuple(offset),
        nodata=nodata,
        tags=dict(tag for tag in first.tags if tag in shared),
        warnings=tuple(dict.fromkeys(warning for image in images for warning in image.warnings)),
        facts=tuple(dict.fromkeys(fact for image in images for fact in image.facts)),
        conflicts=tuple(dict.fromkeys(each for image in images for each in image.identity.conflicts)),
        clouds=tuple(image.clouds for image in images),
        without_clouds=masked,
    )
