"""An image cut into chips: which chips it has, and reading them. Runs in worker processes, without torch."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.layout import Layout
from spectralgpt.data.manifest import Failure, Suspected
from spectralgpt.data.series import CheckedSeries, Reading, Series, opened, series_of
from spectralgpt.data.statistics import totals
from spectralgpt.data.table import Chip
from spectralgpt.errors import InputError, OptionError
from spectralgpt.raster import Grid, Pixels, Raster, Window
from spectralgpt.raster.grid import applied
from spectralgpt.raster.handles import GDAL_ERRORS

PADDED_SIDES = (32, 64, 96, 128)
"""Sides to which an image smaller than a chip is padded."""

MOST_CHIPS, MOST_BYTES = 32, 8_000_000
"""Limits of a part, which a worker reads at a time."""

MOST_SAMPLE_BYTES = 2**31
"""Bytes of a sample from which on Arrow cannot hold it in one cell."""

LEAST_NEW = 8
"""A last chip is cut where at least 1 / 8 of its side is in no other: one of 128 pixels beside 3 new ones would be
nearly the same as its neighbour."""

CELL = 0.1
"""Degrees: images with their centres in one cell are one place."""


@dataclass(frozen=True, slots=True)
class Part:
    """Chips of an image that are read together. corners: first row and column of each. side: pixels. chips: number in
    the whole image."""

    image: str
    series: Series
    side: int
    corners: tuple[tuple[int, int], ...]
    chips: int
    place: int
    least_valid: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The result of a part. left_out: number of chips with too few valid pixels. suspected: what the check of the image
    found."""

    image: str
    layout: Layout | None = None
    chips: tuple[Chip, ...] = ()
    left_out: int = 0
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    suspected: tuple[Suspected, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """The result of an image's first part, and the parts that remain."""

    first: Cut
    rest: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class ChipOrigin:
    """Where a chip comes from: the columns `image`, `source`, `place` and `chips`."""

    image: str
    source: str
    place: int
    chips: int


Known = frozenset[tuple[str, int, int, int]]
"""Chips of an image that are already stored: source, row, column, side."""


def padded_side(height: int, width: int, chip: int) -> int:
    """The side of an image's chips: the chip's or, for an image smaller than that, the smallest of 32, 64, 96 and 128
    that holds it."""
    longest = max(height, width)
    return next((side for side in PADDED_SIDES if longest <= side < chip), chip)


def corners(height: int, width: int, side: int) -> Iterator[tuple[int, int]]:
    """First row and column of the chips: side by side from the first pixel, and a last one flush with the end where at
    least an eighth of its side is new; fewer pixels at the end are in no chip."""
    for row in range(_along(height, side)):
        for column in range(_along(width, side)):
            yield max(0, min(row * side, height - side)), max(0, min(column * side, width - side))


def _along(length: int, side: int) -> int:
    """The number of chips along a side of an image."""
    whole, rest = divmod(length, side)
    return max(1, whole + (rest * LEAST_NEW >= side))


def in_no_chip(height: int, width: int, side: int) -> tuple[int, int]:
    """The rows and columns at the end of an image that are in no chip."""
    rows, columns = (length - side * _along(length, side) for length in (height, width))
    return max(0, rows), max(0, columns)


def place_of(text: str) -> int:
    """64 bits of SHA-256: the same for the same text, everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def look(image: ImageSource, reading: Reading, known: Known) -> Looked:
    """Open an image, check it, and read its first part. Its errors are returned as failures."""
    read = CheckedSeries()
    parts: list[Part] = []
    notes: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = ()
    try:
        read = series_of(image, reading)
        parts = _parts(image, read.several, reading, known)
        notes = _left_at_edges(read.several, reading.chip)
    except InputError as error:
        failed = (Failure(image.sources[0], str(error), image.name),)
    first = read_part(parts[0]) if parts else Cut(image.name)
    rest = () if first.failures else tuple(parts[1:])
    return Looked(
        replace(
            first,
            failures=(*read.failures, *failed, *first.failures),
            warnings=(*read.warnings, *notes),
            suspected=read.suspected,
        ),
        rest,
    )


def _left_at_edges(several: Sequence[Series], chip: int) -> tuple[str, ...]:
    """A note on the pixels of an image that are in no chip."""
    notes: list[str] = []
    for series in several:
        height, width = opened(series).grid.shape
        notes += left_at_edges(series.files[0], height, width, padded_side(height, width, chip))
    return tuple(notes)


def left_at_edges(source: str, height: int, width: int, side: int) -> tuple[str, ...]:
    """A note on the pixels of an image that are in no chip, if there are any."""
    rows, columns = in_no_chip(height, width, side)
    if not rows and not columns:
        return ()
    return (
        f"{source}: the last rows or columns are in no chip ({rows} and {columns} pixels, less than "
        f"1/{LEAST_NEW} of a chip)",
    )


def read_part(part: Part) -> Cut:
    """Read the chips of a part; a file that cannot be read becomes a failure."""
    chips: list[Chip] = []
    left_out = 0
    layout: Layout | None = None
    try:
        raster = opened(part.series)
        layout = _layout(raster, part.side)
        origin = ChipOrigin(part.image, part.series.source, part.place, part.chips)
        height, width = raster.grid.shape
        for row, column in part.corners:
            window = Window(row, column, min(part.side, height), min(part.side, width))
            pixels = raster.read(window)
            share = 1.0 if pixels.valid is None else float(pixels.valid.mean())
            if share == 0 or share < part.least_valid:
                left_out += 1
            else:
                chips.append(chip_of(origin, pixels, layout, raster.grid, window))
    except InputError as error:
        return Cut(part.image, layout, tuple(chips), left_out, (Failure(part.series.source, str(error), part.image),))
    return Cut(part.image, layout, tuple(chips), left_out)


def _parts(image: ImageSource, several: Sequence[Series], reading: Reading, known: Known) -> list[Part]:
    """The chips that are not stored yet, in parts."""
    grids = [opened(series).grid for series in several]
    sides = [padded_side(*grid.shape, reading.chip) for grid in grids]
    cut = [list(corners(*grid.shape, side)) for grid, side in zip(grids, sides, strict=True)]
    chips = sum(map(len, cut))
    place = _place(image, grids[0]) if grids else 0
    parts = []
    for series, side, places in zip(several, sides, cut, strict=True):
        layout = _layout(opened(series), side)
        refuse_too_large(series.files[0], layout)
        left = [corner for corner in places if (series.source, *corner, side) not in known]
        many = read_together(layout)
        parts += [
            Part(
                image=image.name,
                series=series,
                side=side,
                corners=tuple(left[start : start + many]),
                chips=chips,
                place=place,
                least_valid=reading.least_valid,
            )
            for start in range(0, len(left), many)
        ]
    return parts


def refuse_too_large(source: str, layout: Layout) -> None:
    """OptionError for chips that Arrow cannot hold in one cell."""
    if layout.bytes >= MOST_SAMPLE_BYTES:
        raise OptionError(
            f"{source}: found chips of {layout.bytes / 1e9:.1f} GB ({layout.dates} dates, {len(layout.bands)} bands, "
            f"{layout.side} pixels)",
            "less than 2 GB",
            "Choose a smaller chip, like",
            ("chip", 128),
        )


def read_together(layout: Layout) -> int:
    """The number of chips of a layout that are read together."""
    return max(1, min(MOST_CHIPS, MOST_BYTES // layout.bytes))


def _layout(raster: Raster, side: int) -> Layout:
    return Layout(raster.bands, str(raster.dtype), len(raster.days), side)


def _place(image: ImageSource, grid: Grid) -> int:
    if image.place:
        return place_of(f"place {image.place}")
    return place_at(*position_in(grid, grid.whole), image.name)


def place_at(lon: float, lat: float, name: str) -> int:
    """The place of an image: its cell on Earth or, where its position is NaN, a place of its own by its name."""
    if math.isfinite(lon) and math.isfinite(lat):
        return place_of(f"cell {math.floor(lat / CELL)} {math.floor(lon / CELL)}")
    return place_of(f"source {name}")


def position_in(grid: Grid, window: Window) -> tuple[float, float]:
    """Longitude and latitude of a window's centre, NaN where the CRS does not give them."""
    if grid.crs is None:
        return math.nan, math.nan
    x, y = applied(grid.transform, window.column + window.width / 2, window.row + window.height / 2)
    try:
        longitudes, latitudes, *_ = to_crs(CRS.from_wkt(grid.crs), CRS.from_epsg(4326), [x], [y])
    except GDAL_ERRORS:
        return math.nan, math.nan  # a local or engineering CRS lies nowhere on Earth
    lon, lat = float(longitudes[0]), float(latitudes[0])
    return (lon, lat) if math.isfinite(lon) and math.isfinite(lat) else (math.nan, math.nan)


def chip_of(origin: ChipOrigin, pixels: Pixels, layout: Layout, grid: Grid, window: Window) -> Chip:
    """A chip, padded at the bottom and on the right to the layout's side; 0 where nothing was measured. grid: the
    image's; window: where the pixels lie in it."""
    values = np.zeros(layout.shape, layout.dtype)
    inside = (..., slice(window.height), slice(window.width))
    values[inside] = pixels.values
    valid: np.ndarray | None = None
    if pixels.valid is not None and not pixels.valid.all():
        valid = np.zeros(layout.shape, bool)
        valid[inside] = pixels.valid
        values[~valid] = 0
    lon, lat = position_in(grid, window)
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
        place=origin.place,
        image=origin.image,
        source=origin.source,
        row=window.row,
        column=window.column,
        chips=origin.chips,
        totals=tuple(totals(pixels.values, pixels.valid, pixels.scale, pixels.offset, layout.bands)),
    )
