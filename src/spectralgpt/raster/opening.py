"""From paths to a Raster: what the files hold, whose bands they are, which date, on which grid."""

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from spectralgpt.bands import Band, Identity, identify, is_sensor, sensor
from spectralgpt.errors import RasterError
from spectralgpt.raster.contract import everything, sample
from spectralgpt.raster.dates import UNKNOWN, day_in_name, day_in_tags, day_of, written
from spectralgpt.raster.folder import name_in, read_folder
from spectralgpt.raster.geotiff import Contents, read_contents
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.pixels import Pixels, looks_like_reflectance
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.resample import places

SENSOR_TAG = "SPECTRALGPT_SENSOR"
"""The tag by which our own results say whose bands they hold."""

Source = str | os.PathLike[str]


def open_raster(source: Source | Sequence[Source], *, bands: str | None = None, dates: str | None = None) -> Raster:
    """Open an image: a file, a folder of single-band files, or several of either as the dates of one place.

    bands: a sensor, whose names the file's names are (a nameless file is read in its order), or a list like B02,B03.
    dates: keep only these, a list like 2020-05-01,2020-06-10. A date is `PATH@2020-05-01`, else the metadata's, else
    the file name's; several images are sorted by it. The grid is the first image's in time, in a folder that of the
    finest band; what lies on another grid is read by georeference.

    BandError when bands are unnamed, unknown or repeated; RasterError for all else that is wrong with a file.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    if not sources:
        raise RasterError("found no image; expected at least one path.")
    images = _in_time([_open_one(os.fspath(each), bands) for each in sources])
    if dates is not None:
        images = _chosen(images, dates)
    for image in images[1:]:
        _refuse_other_bands(images[0], image)
        _refuse_elsewhere(images[0], image)
    return _as_raster(images)


@dataclass(frozen=True, slots=True)
class Image:
    """One date, as opened."""

    source: str
    layers: tuple[Layer, ...]
    grid: Grid
    day: int
    identity: Identity
    tags: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def _open_one(source: str, choice: str | None) -> Image:
    path, told = _path_and_date(source)
    warnings: tuple[str, ...] = ()
    names: tuple[str | None, ...]
    if os.path.isdir(path):
        found = read_folder(path)
        contents, names, warnings = found.contents, found.names, found.warnings
        parts = [(content, 0) for content in contents]
    else:
        contents = (read_contents(path, _count_of(choice)),)
        names = contents[0].names
        if len(names) == 1 and names[0] is None:
            names = (name_in(Path(path).stem),)
        parts = [(contents[0], band) for band in range(len(names))]
    tags = tuple(sorted(set.intersection(*(set(content.tags) for content in contents))))
    identity = identify(names, choice, path, dict(tags).get(SENSOR_TAG))
    chosen = [parts[index] for index in identity.indices]
    grid = _finest(path, [content.grid for content, _ in chosen])
    layers = _layers(chosen, identity, grid)
    day = told if told is not None else _day(path, contents)
    return Image(path, layers, grid, day, identity, tags, (*warnings, *identity.warnings))


def _count_of(choice: str | None) -> int | None:
    """How many bands --bands names."""
    if choice is None:
        return None
    return len(sensor(choice).bands) if is_sensor(choice) else len(choice.split(","))


def _path_and_date(source: str) -> tuple[str, int | None]:
    """`PATH@2020-05-01` in two; a path that is there as it stands is one."""
    path, at, text = source.rpartition("@")
    if not at or os.path.exists(source) or not os.path.exists(path):
        return source, None
    return path, day_of(text, source)


def _day(path: str, contents: Sequence[Contents]) -> int:
    """The one day that metadata tell, else the one that names tell, else unknown."""
    tagged = {day_in_tags(dict(content.tags)) for content in contents} - {UNKNOWN}
    in_name = day_in_name(Path(path).name)
    named = {in_name} if in_name != UNKNOWN else {day_in_name(Path(content.path).name) for content in contents}
    for days in (tagged, named - {UNKNOWN}):
        if len(days) == 1:
            return days.pop()
        if days:
            dates = " and ".join(map(written, sorted(days)))
            raise RasterError(f"{path}: found files of {dates}; expected one date in a folder. Keep each in its own.")
    return UNKNOWN


def _finest(path: str, grids: Sequence[Grid]) -> Grid:
    """The grid with the smallest pixels, the first of several; RasterError when the others cannot be placed on it."""
    first = grids[0]
    if all(grid.coincides(first) for grid in grids):
        return first
    unplaced = [grid for grid in grids if not grid.is_placed]
    if unplaced or len({grid.crs is None for grid in grids}) > 1:
        sizes = ", ".join(f"{height} x {width}" for height, width in dict.fromkeys(grid.shape for grid in grids))
        raise RasterError(
            f"{path}: found bands of {sizes} pixels of which some have no georeference; expected one grid, or CRS and "
            "transform in every file, as bands are aligned by georeference."
        )
    if all(grid.same_crs(first) for grid in grids):
        return min(grids, key=lambda grid: grid.pixel_area)
    return min(grids, key=lambda grid: grid.gsd if math.isfinite(grid.gsd) else math.inf)


def _layers(chosen: Sequence[tuple[Contents, int]], identity: Identity, grid: Grid) -> tuple[Layer, ...]:
    """The bands with scale and offset: the file's own, else the sensor's, but 1 and 0 for reflectance in floats."""
    layers = tuple(
        Layer(
            path=_absolute(content.path),
            index=content.indexes[number],
            band=band,
            grid=content.grid,
            dtype=content.dtype,
            scale=content.scales[number],
            offset=content.offsets[number],
            nodata=_nodata(content, number, identity),
            masked=content.masked[number],
            alpha=content.alpha,
        )
        for (content, number), band in zip(chosen, identity.bands, strict=True)
    )
    silent = tuple(layer for layer, (content, _) in zip(layers, chosen, strict=True) if not content.has_scale)
    floats = tuple(layer for layer in silent if np.dtype(layer.dtype).kind == "f")
    if floats and _are_reflectance(floats, grid, identity):
        silent = tuple(layer for layer in silent if layer not in floats)
    known = identity.sensor
    return tuple(
        replace(layer, scale=known.scale, offset=known.offset) if layer in silent else layer for layer in layers
    )


def _nodata(content: Contents, number: int, identity: Identity) -> float | int | None:
    """The file's own, else, for whole numbers of a file without a mask, what the sensor's products mean by it."""
    told = content.nodata[number]
    silent = told is None and not content.masked[number] and not content.alpha
    return identity.sensor.nodata if silent and np.dtype(content.dtype).kind in "iu" else told


def _absolute(path: str) -> str:
    """As a raster may be read from another folder or process than it was opened in."""
    return os.path.abspath(path) if os.path.exists(path) else path


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
            f"{other.source}: found {other.grid.height} x {other.grid.width} pixels, in {first.source} "
            f"{first.grid.height} x {first.grid.width}, and no georeference in one of them; expected one grid, or CRS "
            "and transform in both."
        )
    coarse = first.grid.coarsened(max(1, max(first.grid.shape) // 64))
    if not places(coarse, coarse.whole, other.grid).covered().any():
        raise RasterError(
            f"{other.source}: found that it shares no place with {first.source}; expected dates of one place."
        )


def _in_order_of(first: Image, image: Image) -> tuple[Layer, ...]:
    of_band = {layer.band: layer for layer in image.layers}
    return tuple(of_band[band] for band in first.identity.bands)


def _as_raster(images: Sequence[Image]) -> Raster:
    """One raster of all dates. Where they differ in scale or offset, read gives reflectance in floats."""
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
    )
