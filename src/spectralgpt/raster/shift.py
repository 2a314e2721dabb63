"""How far the second of two dates lies from the first, by phase correlation, and the second moved back onto it.

Blocks spread over the image are compared one by one: their middle (median) is the shift, and their spread says how far
it can be trusted. On six pairs of Sentinel-2 scenes a year or a season apart, whole shifts come out to 0.01 pixels on
average (0.06 at most), fractions of a pixel to 0.07 (0.16 at most).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from jaxtyping import Bool, Complex, Float, Float64
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from spectralgpt.errors import counted
from spectralgpt.raster.clouds import CloudLayer
from spectralgpt.raster.grid import Grid, applied, composed
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.of_pixels import PixelsRaster
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.selection import selected
from spectralgpt.raster.window import Window

BLOCK_PIXELS, SMALLEST_BLOCK, BLOCKS_ALONG = 128, 48, 5
"""Side of a block in pixels, that of the smallest images that are compared, and the most blocks along an axis."""

LEAST_SEEN = 0.5
"""Share of the pixels of a block that must be valid at both dates."""

CLEAR_PEAK, FEWEST_CLEAR = 10.0, 0.25
"""How far the correlation at the shift stands out (in units of the spread of all), and the share of blocks in which it
must. Blocks of two different cities stay below 9 in 99 of 100 cases, those of one city mostly above 30."""

AGREE_WITHIN, MOST_AGREE = 1.0, 0.75
"""Pixels around the median, and the share of the clear blocks that must lie there: else they show no common shift."""

WITHOUT_ALIGNING = 0.5
"""Pixels along either axis up to which dates lie on one another well enough."""

COLOUR_WAVELENGTHS = 450.0, 690.0
"""nm. Where the ground looks most alike at different times of the year; near infrared follows the plants."""

SOFT_EDGE = 4
"""Pixels over which the weight of valid pixels falls to 0 towards those that are not."""


@dataclass(frozen=True, slots=True)
class DateShift:
    """How far the second date lies from the first, in pixels of the image: what the first shows at a pixel, the second
    shows `rows` further down and `columns` further right.

    spread: of the blocks (1.48 times the median distance from the median), nan of a single one. clear: the number of
    blocks that show it, of `blocks`. metres: per row and column, nan where unknown. missing: why nothing was measured;
    the numbers are nan then.
    """

    rows: float
    columns: float
    spread: tuple[float, float]
    clear: int
    blocks: int
    metres: tuple[float, float] = (math.nan, math.nan)
    missing: str = ""

    @property
    def is_large(self) -> bool:
        """Whether the dates have to be aligned; False where it is not known."""
        return max(abs(self.rows), abs(self.columns)) > WITHOUT_ALIGNING

    def __str__(self) -> str:
        if self.missing:
            return f"not measured ({self.missing})"
        spread = f" +- ({self.spread[0]:.2f}, {self.spread[1]:.2f})" if self.clear > 1 else ""
        metres = f" = ({self.metres[0]:+.1f}, {self.metres[1]:+.1f}) m" if math.isfinite(sum(self.metres)) else ""
        blocks = f"{self.clear} of {counted(self.blocks, 'block')}"
        return f"(row, column) = ({self.rows:+.2f}, {self.columns:+.2f}){spread} pixels{metres}, in {blocks}"


def date_shift(raster: Raster) -> DateShift:
    """The shift between the two dates of a raster, from the mean of its visible bands (of all bands, without such).

    Reads up to 5 x 5 blocks of 128 x 128 pixels. Shifts of up to a quarter of a block are looked for.
    """
    seen = raster.grid.shape
    side = min(BLOCK_PIXELS, max(SMALLEST_BLOCK, min(seen) // 2))
    if min(seen) < side:
        return _without(f"the image has {seen[0]} x {seen[1]} pixels; at least {SMALLEST_BLOCK} are needed")
    bands = _visible(raster)
    tried, found = 0, []
    if not isinstance(raster, PixelsRaster):
        raster, bands = selected(raster, bands=bands), list(range(len(bands)))
    for window in _blocks(*seen, side):
        pixels = raster.read(window)
        before, after = (_grey(pixels, date, bands) for date in (0, 1))
        if min((~np.isnan(before)).mean(), (~np.isnan(after)).mean()) < LEAST_SEEN:
            continue
        tried += 1
        shift = block_shift(before, after)
        found += [] if shift is None else [shift]
    return _agreed(np.array(found).reshape(-1, 2), tried, side, raster.grid)


def _without(missing: str, clear: int = 0, blocks: int = 0) -> DateShift:
    nan = math.nan
    return DateShift(nan, nan, (nan, nan), clear, blocks, missing=missing)


def _agreed(shifts: Float64[np.ndarray, "block axis"], tried: int, side: int, grid: Grid) -> DateShift:
    """What the blocks that show a shift have in common."""
    clear = len(shifts)
    if not tried:
        return _without(f"no block of {side} x {side} pixels is valid to {LEAST_SEEN:.0%} at both dates")
    if clear < max(1.0, FEWEST_CLEAR * tried):
        few = f"{clear} of {counted(tried, 'block')} of {side} x {side} pixels show the same ground clearly"
        return _without(f"{few}: too little texture, too much change, or clouds", clear, tried)
    middle = np.median(shifts, axis=0)
    spread = 1.4826 * np.median(np.abs(shifts - middle), axis=0) if clear > 1 else np.full(2, math.nan)
    agreeing = int((np.abs(shifts - middle) <= AGREE_WITHIN).all(axis=1).sum())
    if agreeing < MOST_AGREE * clear:
        within = f"{agreeing} within {AGREE_WITHIN:g} pixel of their median"
        return _without(f"the shifts of {counted(clear, 'block')} disagree, with {within}", clear, tried)
    rows, columns = map(float, middle)
    of_row, of_column = grid.metres
    metres = rows * of_row, columns * of_column
    return DateShift(rows, columns, (float(spread[0]), float(spread[1])), clear, tried, metres)


def _blocks(height: int, width: int, side: int) -> Iterator[Window]:
    """Blocks evenly spread over the image, from edge to edge; in small images they overlap."""
    for row in _starts(height, side):
        for column in _starts(width, side):
            yield Window(row, column, side, side)


def _starts(size: int, side: int) -> list[int]:
    count = min(BLOCKS_ALONG, -(-size // side))
    return [round((size - side) * each / max(1, count - 1)) for each in range(count)]


def _visible(raster: Raster) -> list[int]:
    """The indices of the visible bands, of many not all; of all bands, where none is visible."""
    first, last = COLOUR_WAVELENGTHS
    visible = [index for index, band in enumerate(raster.bands) if first <= band.wavelength <= last]
    return visible[:: max(1, len(visible) // 4)] or list(range(len(raster.bands)))


def _grey(pixels: Pixels, date: int, bands: list[int]) -> Float64[np.ndarray, "row column"]:
    """The mean of bands of a date, NaN where one is not valid."""
    with np.errstate(over="ignore", invalid="ignore"):  # junk where not valid
        values = pixels.values[date, bands].astype(np.float64) * pixels.scale[bands, None, None]
        mean = np.asarray(values.mean(axis=0))
    return mean if pixels.valid is None else np.where(pixels.valid[date, bands].all(axis=0), mean, np.nan)


# -- one block ---------------------------------------------------------------------------------------------------------


def block_shift(
    before: Float[np.ndarray, "row column"], after: Float[np.ndarray, "row column"]
) -> tuple[float, float] | None:
    """Rows and columns by which the second image lies further down and right; None where no shift stands out.

    NaN where not valid. Up to a quarter of the image; to a hundredth of a pixel, which is finer than it is accurate.
    """
    product = _spectrum(after) * np.conj(_spectrum(before))
    size = np.abs(product)
    if not size.max() > 0:
        return None
    # half whitened: with noise at high frequencies counted in full, fractions of a pixel are drawn to whole ones
    product /= np.sqrt(np.maximum(size, 1e-12 * size.max()))
    correlation = np.fft.ifft2(product).real
    reach = min(before.shape) // 4
    near = np.roll(correlation, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    row, column = divmod(int(near.argmax()), near.shape[1])
    if near[row, column] < CLEAR_PEAK * correlation.std():
        return None
    coarse = _finer(product, (float(row - reach), float(column - reach)), 1.0, 0.1)
    return _finer(product, coarse, 0.1, 0.01)


def _finer(
    product: Complex[np.ndarray, "row column"], around: tuple[float, float], reach: float, step: float
) -> tuple[float, float]:
    """The place of the largest correlation at fractions of a pixel around a place: the transform at these alone."""
    count = round(reach / step)
    steps = np.arange(-count, count + 1) * step
    rows, columns = (
        np.exp(2j * np.pi * np.outer(middle + steps, np.fft.fftfreq(size)))
        for middle, size in zip(around, product.shape, strict=True)
    )
    row, column = divmod(int((rows @ product @ columns.T).real.argmax()), len(steps))
    return around[0] + float(steps[row]), around[1] + float(steps[column])


def _spectrum(image: Float[np.ndarray, "row column"]) -> Complex[np.ndarray, "row column"]:
    """Of the image without its extremes, filled with its mean, tapered towards its border and towards holes: edges of
    holes that both images have would count as ground that did not move."""
    known = ~np.isnan(image)
    if not known.any():
        return np.zeros(image.shape, complex)
    low, high = np.quantile(image[known], (0.01, 0.99))
    values = np.clip(image, low, high) - np.clip(image[known], low, high).mean()
    taper = np.outer(*(np.hanning(size + 2)[1:-1] for size in image.shape))
    return np.asarray(np.fft.fft2(np.where(known, values, 0.0) * taper * _weight(known)))


def _weight(known: Bool[np.ndarray, "row column"]) -> Float64[np.ndarray, "row column"]:
    """1 inside, falling to 0 towards pixels that are not known."""
    if known.all():
        return np.ones(known.shape)
    share = np.pad(known.astype(np.float64), SOFT_EDGE, mode="edge")
    for axis in (0, 1):
        total = np.cumsum(np.insert(share, 0, 0.0, axis=axis), axis=axis)
        width = 2 * SOFT_EDGE + 1
        ahead, behind = np.split(total, [width], axis=axis)[1], np.split(total, [-width], axis=axis)[0]
        share = (ahead - behind) / width
    return np.clip(2 * share - 1, 0, 1)


# -- moved back --------------------------------------------------------------------------------------------------------


def aligned(raster: Raster, shift: DateShift) -> Raster:
    """The raster with its second date moved back by the shift: what `read` interpolates bilinearly, valid where the
    nearest pixel is. The files stay as they are."""
    assert not shift.missing, "a shift that was not measured moves nothing"
    layers = tuple(_moved_layer(layer, raster.grid, shift) for layer in raster.layers[1])
    clouds = raster.clouds
    if raster.clouds:
        clouds = (
            raster.clouds[0],
            None if (second := raster.clouds[1]) is None else _moved(second, raster.grid, shift),
        )
    return replace(raster, layers=(raster.layers[0], layers), clouds=clouds)


def _moved_layer(layer: Layer, grid: Grid, shift: DateShift) -> Layer:
    behind = None if layer.behind is None else _moved_layer(layer.behind, grid, shift)
    return replace(layer, grid=_moved_grid(layer.grid, grid, shift), behind=behind)


def _moved(clouds: CloudLayer, grid: Grid, shift: DateShift) -> CloudLayer:
    behind = None if clouds.behind is None else _moved(clouds.behind, grid, shift)
    return replace(clouds, grid=_moved_grid(clouds.grid, grid, shift), behind=behind)


def _moved_grid(source: Grid, grid: Grid, shift: DateShift) -> Grid:
    """The grid of a file with its pixels where they belong. shift: in pixels of `grid`."""
    middle = grid.width / 2, grid.height / 2
    ends = [
        applied(grid.transform, *middle),
        applied(grid.transform, middle[0] - shift.columns, middle[1] - shift.rows),
    ]
    if not source.same_crs(grid):
        xs, ys = to_crs(CRS.from_wkt(grid.crs), CRS.from_wkt(source.crs), *map(list, zip(*ends, strict=True)))[:2]
        ends = list(zip(xs, ys, strict=True))
    (x, y), (to_x, to_y) = ends
    return replace(source, transform=composed(Affine.translation(to_x - x, to_y - y), source.transform))
