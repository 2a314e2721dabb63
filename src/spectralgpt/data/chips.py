"""An image cut into chips: which there are, and reading them. Runs in worker processes, and knows no torch."""

import hashlib
import math
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from spectralgpt.bands import Band
from spectralgpt.checks import check
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.layout import Layout
from spectralgpt.data.manifest import Failure
from spectralgpt.data.statistics import totals
from spectralgpt.data.table import Chip
from spectralgpt.days import UNKNOWN, iso_date
from spectralgpt.errors import InputError, OptionError, RasterError
from spectralgpt.products import cloud_options, open_raster
from spectralgpt.raster import Grid, Pixels, Raster, Window
from spectralgpt.raster.grid import applied
from spectralgpt.raster.handles import GDAL_ERRORS

PADDED_SIDES = (32, 64, 96, 128)
"""Sides to which an image that is smaller than a chip is padded."""

MOST_CHIPS, MOST_BYTES = 32, 8_000_000
"""Of a part, which a worker reads at once."""

MOST_SAMPLE_BYTES = 2**31
"""Bytes of a sample: beyond, Arrow cannot hold it in one cell."""

CELL = 0.1
"""Degrees: images whose centres lie in one cell are one place."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How images are read and cut: the user's options."""

    chip: int
    least_valid: float
    most_dates: int
    bands: str | None = None
    clouds: str | None = None
    gsd: float | int | None = None
    trust: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """One raster of an image: consecutive dates. files: what open_raster opens. source: the first date's name."""

    files: tuple[str, ...]
    bands: str | None
    clouds: str | None
    gsd: float | int | None
    source: str


@dataclass(frozen=True, slots=True)
class Part:
    """Chips of an image that are read at once: their first corners. side: pixels; chips: of the whole image."""

    image: str
    run: Series
    side: int
    corners: tuple[tuple[int, int], ...]
    chips: int
    place: int
    least_valid: float


@dataclass(frozen=True, slots=True)
class Cut:
    """What came of a part. left_out: chips with too few valid pixels."""

    image: str
    layout: Layout | None = None
    chips: tuple[Chip, ...] = ()
    left_out: int = 0
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """What an image is: what came of its first part, and the parts that are left."""

    first: Cut
    rest: tuple[Part, ...] = ()


Known = frozenset[tuple[str, int, int, int]]
"""Chips of an image that are stored already: source, row, column, side."""


DateKind = tuple[frozenset[Band], tuple[int, int]]
"""Bands, rows and columns of a date."""


def padded_side(height: int, width: int, chip: int) -> int:
    """The side of the chips of an image: the chip's, or, for an image smaller than that, the smallest of 32, 64, 96 and
    128 that holds it."""
    longest = max(height, width)
    return next((side for side in PADDED_SIDES if longest <= side < chip), chip)


def corners(height: int, width: int, side: int) -> Iterator[tuple[int, int]]:
    """First row and column of ceil(height / side) x ceil(width / side) chips, the last flush with the end."""
    for row in range(-(-height // side)):
        for column in range(-(-width // side)):
            yield max(0, min(row * side, height - side)), max(0, min(column * side, width - side))


def place_of(text: str) -> int:
    """64 bits of SHA-256: the same for the same text, everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def look(image: ImageSource, reading: Reading, known: Known) -> Looked:
    """Open an image, check it, and read its first part. What is wrong with it comes back as failures."""
    failures: list[Failure] = []
    warnings: list[str] = []
    parts: list[Part] = []
    try:
        parts = _parts(image, _series(image, reading, failures, warnings), reading, known)
    except InputError as error:
        failures.append(Failure(image.sources[0], str(error), image.name))
    first = read_part(parts[0]) if parts else Cut(image.name)
    rest = () if first.failures else tuple(parts[1:])
    return Looked(replace(first, failures=(*failures, *first.failures), warnings=tuple(warnings)), rest)


def read_part(part: Part) -> Cut:
    """Read the chips of a part; a file that cannot be read is a failure of it."""
    chips: list[Chip] = []
    left_out = 0
    layout: Layout | None = None
    try:
        raster = _opened(part.run)
        layout = _layout(raster, part.side)
        height, width = raster.grid.shape
        for row, column in part.corners:
            window = Window(row, column, min(part.side, height), min(part.side, width))
            pixels = raster.read(window)
            share = 1.0 if pixels.valid is None else float(pixels.valid.mean())
            if share == 0 or share < part.least_valid:
                left_out += 1
            else:
                chips.append(_chip(part, pixels, layout, raster, window))
    except InputError as error:
        return Cut(part.image, layout, tuple(chips), left_out, (Failure(part.run.source, str(error), part.image),))
    return Cut(part.image, layout, tuple(chips), left_out)


def _parts(image: ImageSource, runs: Sequence[Series], reading: Reading, known: Known) -> list[Part]:
    """The chips that are not stored yet."""
    grids = [_opened(run).grid for run in runs]
    sides = [padded_side(*grid.shape, reading.chip) for grid in grids]
    cut = [list(corners(*grid.shape, side)) for grid, side in zip(grids, sides, strict=True)]
    chips = sum(map(len, cut))
    place = _place(image, grids[0]) if grids else 0
    parts = []
    for run, side, places in zip(runs, sides, cut, strict=True):
        layout = _layout(_opened(run), side)
        if layout.bytes >= MOST_SAMPLE_BYTES:
            raise OptionError(
                f"{run.files[0]}: found chips of {layout.bytes / 1e9:.1f} GB ({layout.dates} dates, "
                f"{len(layout.bands)} bands, {side} pixels); expected below 2 GB. Take a smaller --chip."
            )
        left = [corner for corner in places if (run.source, *corner, side) not in known]
        many = max(1, min(MOST_CHIPS, MOST_BYTES // layout.bytes))
        parts += [
            Part(
                image=image.name,
                run=run,
                side=side,
                corners=tuple(left[start : start + many]),
                chips=chips,
                place=place,
                least_valid=reading.least_valid,
            )
            for start in range(0, len(left), many)
        ]
    return parts


def _series(image: ImageSource, reading: Reading, failures: list[Failure], warnings: list[str]) -> list[Series]:
    """The rasters of an image, checked; a date of a stack that does not open or fit becomes a failure."""
    bands, clouds = image.bands or reading.bands, image.clouds or reading.clouds
    if not image.stack:
        run = Series((image.opened(0),), bands, clouds, reading.gsd, image.sources[0])
        warnings += check(_opened(run), reading.trust).warnings
        return [run]
    masks = (clouds or "").split(",")
    masks = masks if len(masks) == len(image.paths) else [clouds or ""] * len(image.paths)
    opened: dict[int, tuple[Series, DateKind]] = {}
    for index, mask in enumerate(masks):
        run = Series((image.opened(index),), bands, mask or None, reading.gsd, image.sources[index])
        try:
            with _open(run) as raster:
                told = check(raster, reading.trust).warnings
                day = _day(image, index, raster, opened)
        except InputError as error:
            failures.append(Failure(run.source, str(error), image.name))
        else:
            opened[day] = run, (frozenset(raster.bands), raster.grid.shape)
            warnings += told
    fitting = _fitting(opened, image, failures)
    return [
        _together(fitting[start : start + reading.most_dates]) for start in range(0, len(fitting), reading.most_dates)
    ]


def _fitting(
    opened: Mapping[int, tuple[Series, DateKind]], image: ImageSource, failures: list[Failure]
) -> list[Series]:
    """The dates in time, without those that do not fit what most of them are."""
    if not opened:
        return []
    most = Counter(kind for _, kind in opened.values()).most_common(1)[0][0]
    first = next(run for run, kind in opened.values() if kind == most)
    fitting = []
    for _, (run, kind) in sorted(opened.items()):
        try:
            if kind != most:
                _open(_together([first, run]))  # refuses other bands, and another place
            fitting.append(run)
        except InputError as error:
            failures.append(Failure(run.source, str(error), image.name))
    return fitting


def _day(image: ImageSource, index: int, raster: Raster, others: Container[int]) -> int:
    (day,) = raster.days
    path = image.opened(index)
    if day == UNKNOWN and len(image.paths) > 1:
        raise RasterError(
            f"{path}: found no date in its metadata or name",
            "one, as it is one of several of its place",
            "Say it in a table's column date",
        )
    if day in others:
        raise RasterError(
            f"{path}: found the date {iso_date(day)}, which another image of its place has", "different days"
        )
    return int(day)


def _together(runs: Sequence[Series]) -> Series:
    """Dates of one place, of which each has its own mask of clouds, or all the product's own layer."""
    first, masks = runs[0], [run.clouds or "" for run in runs]
    clouds = masks[0] if masks[0].lower() in ("", *cloud_options()) else ",".join(masks)
    return replace(first, files=tuple(run.files[0] for run in runs), clouds=clouds or None)


def _open(run: Series) -> Raster:
    return by_wavelength(open_raster(run.files, bands=run.bands, clouds=run.clouds, gsd=run.gsd))


def by_wavelength(raster: Raster) -> Raster:
    """The raster with its bands in order of wavelength: files that differ in their order only have one layout."""
    bands = raster.bands
    order = sorted(range(len(bands)), key=lambda index: (bands[index].wavelength, bands[index].identity))
    return replace(
        raster,
        layers=tuple(tuple(of_date[index] for index in order) for of_date in raster.layers),
        scale=tuple(raster.scale[index] for index in order),
        offset=tuple(raster.offset[index] for index in order),
    )


@lru_cache(maxsize=2)
def _opened(run: Series) -> Raster:
    """The raster of the run that is read now: a worker gets its parts one after another."""
    return _open(run)


def _layout(raster: Raster, side: int) -> Layout:
    return Layout(raster.bands, str(raster.dtype), len(raster.days), side)


def _place(image: ImageSource, grid: Grid) -> int:
    if image.place:
        return place_of(f"place {image.place}")
    lon, lat = _position(grid, grid.whole)
    if math.isfinite(lon) and math.isfinite(lat):
        return place_of(f"cell {math.floor(lat / CELL)} {math.floor(lon / CELL)}")
    return place_of(f"source {image.name}")


def _position(grid: Grid, window: Window) -> tuple[float, float]:
    """Longitude and latitude of a window's centre, NaN where the CRS cannot tell."""
    if grid.crs is None:
        return math.nan, math.nan
    x, y = applied(grid.transform, window.column + window.width / 2, window.row + window.height / 2)
    try:
        longitudes, latitudes, *_ = to_crs(CRS.from_wkt(grid.crs), CRS.from_epsg(4326), [x], [y])
    except GDAL_ERRORS:
        return math.nan, math.nan  # a local or engineering CRS lies nowhere on Earth
    lon, lat = float(longitudes[0]), float(latitudes[0])
    return (lon, lat) if math.isfinite(lon) and math.isfinite(lat) else (math.nan, math.nan)


def _chip(part: Part, pixels: Pixels, layout: Layout, raster: Raster, window: Window) -> Chip:
    """Padded to the layout's side at the bottom and to the right; 0 where nothing was measured."""
    values = np.zeros(layout.shape, layout.dtype)
    inside = (..., slice(window.height), slice(window.width))
    values[inside] = pixels.values
    valid: np.ndarray | None = None
    if pixels.valid is not None and not pixels.valid.all():
        valid = np.zeros(layout.shape, bool)
        valid[inside] = pixels.valid
        values[~valid] = 0
    lon, lat = _position(raster.grid, window)
    return Chip(
        values=values,
        valid=valid,
        scale=pixels.scale,
        offset=pixels.offset,
        extent=(window.height, window.width),
        gsd=float(pixels.gsd),
        days=pixels.days,
        lon=lon,
        lat=lat,
        place=part.place,
        image=part.image,
        source=part.run.source,
        row=window.row,
        column=window.column,
        chips=part.chips,
        totals=tuple(totals(pixels.values, pixels.valid, pixels.scale, pixels.offset, layout.bands)),
    )
