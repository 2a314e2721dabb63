"""A look at an image: pixels from all over it, and a few whole windows."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float32

from spectralgpt.bands import sensor
from spectralgpt.checks.pixel_sample import PixelSample, Windows
from spectralgpt.raster.of_pixels import PixelsRaster
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.sampling import LOOK_SIDE, LOOKS_ALONG, everything, sample
from spectralgpt.raster.window import Window

PIXELS, VALUES = 50_000, 20_000_000
"""Most pixels per band, and most values in all bands and dates, from which statistics are computed."""

WHOLE_WINDOWS, WHOLE_VALUES = 12, 4_000_000
"""Most windows that are kept whole, and most values in all of them."""


def look(raster: Raster) -> tuple[PixelSample, float | None]:
    """A sample of an image's pixels, and the share of cloudy ones; if none is valid, the first place with valid ones
    instead."""
    height, width = raster.grid.shape
    # dates are read together: fewer windows for many dates
    windows = list(sample(height, width, max(2, round(LOOKS_ALONG / np.sqrt(len(raster.days))))))
    kept, marks = _kept(len(windows), len(raster.days) * len(raster.bands)), _undeclared_marks(raster)
    seen = [_LookedAt(raster, window, len(windows), number in kept, marks) for number, window in enumerate(windows)]
    pixels = sum(window.height * window.width for window in windows) * len(raster.days)
    if not any(each.counts.any() for each in seen):
        rest: Iterator[_LookedAt] = (_LookedAt(raster, window, 1, False, marks) for window in everything(height, width))
        seen = [next((each for each in rest if each.counts.any()), seen[0])]
    cloudy = [(each.cloudy, each.window.height * each.window.width) for each in seen if each.cloudy is not None]
    dtypes = [np.dtype(layer.dtype) for layer in raster.layers[0]]
    scale, offset = np.array(raster.scale, np.float64), np.array(raster.offset, np.float64)
    return (
        PixelSample(
            bands=raster.bands,
            level=raster.sensor.level,
            values=np.concatenate([each.values for each in seen], axis=2),
            top=np.array([_top(dtype) for dtype in dtypes]) * scale + offset,
            valid=np.sum([each.counts for each in seen], axis=0) / pixels,
            scale=scale,
            offset=offset,
            windows=tuple(each.whole for each in seen if each.whole is not None),
            gsd=float(raster.gsd),
            other=(sensor(raster.other_level).level, raster.other_level) if raster.other_level else None,
            filled=_shares(seen, pixels),
            judges_fill="none" not in raster.given_nodata,
            in_memory=isinstance(raster, PixelsRaster),
        ),
        sum(share * size for share, size in cloudy) / sum(size for _, size in cloudy) if cloudy else None,
    )


def sample_of(pixels: Pixels, level: str, judges_fill: bool = True) -> PixelSample:
    """A sample of pixels in memory. level: of the sensor. judges_fill: as of the sample."""
    bands = len(pixels.bands)
    return PixelSample(
        bands=pixels.bands,
        level=level,
        values=_thinned(pixels, 1),
        top=_top(pixels.dtype) * pixels.scale + pixels.offset,
        valid=np.ones(bands) if pixels.valid is None else pixels.valid.mean(axis=(0, 2, 3)),
        scale=pixels.scale,
        offset=pixels.offset,
        windows=_windows_of(pixels),
        gsd=float(pixels.gsd),
        judges_fill=judges_fill,
        in_memory=True,
    )


def _windows_of(pixels: Pixels) -> Windows:
    windows = list(sample(*pixels.shape[2:]))
    kept = _kept(len(windows), pixels.shape[0] * pixels.shape[1])
    return tuple(_reflectance(pixels.read(windows[number])) for number in sorted(kept))


def _kept(windows: int, values: int) -> set[int]:
    """Which of the windows are kept whole: evenly spread. values: in a pixel, of all dates and bands."""
    count = min(windows, WHOLE_WINDOWS, WHOLE_VALUES // (values * LOOK_SIDE**2))
    return {windows * number // count + windows // (2 * count) for number in range(count)}


class _LookedAt:
    """What is kept of a window: the thinned and perhaps the whole reflectance, the number of valid pixels per band,
    and the share of cloudy ones."""

    def __init__(self, raster: Raster, window: Window, windows: int, whole: bool, marks: Sequence[float]):
        pixels = raster.read(window)
        cloudy = raster.cloudy(window)
        self.window = window
        self.values = _thinned(pixels, windows)
        self.whole = _reflectance(pixels) if whole else None
        everywhere = np.full(len(raster.bands), pixels.values[:, 0].size)
        self.counts = everywhere if pixels.valid is None else pixels.valid.sum(axis=(0, 2, 3))
        self.cloudy = None if cloudy is None else float(cloudy.mean())
        self.filled = _filled(pixels, marks)


def _undeclared_marks(raster: Raster) -> list[float]:
    """The values that are fill by the rules of an image's layers, although no metadata declare them."""
    layers = [layer for of_date in raster.layers for layer in of_date]
    declared = {value for layer in layers for value in (layer.nodata, *layer.more_nodata)}
    return sorted({float(mark) for layer in layers if layer.fill for mark in layer.fill.marks} - declared)


def _filled(pixels: Pixels, marks: Sequence[float]) -> dict[float, int]:
    """How many pixels are not valid and hold one of these values in all bands."""
    if pixels.valid is None or not marks:
        return {}
    absent = ~pixels.valid.any(axis=1)
    return {mark: int((absent & (pixels.values == mark).all(axis=1)).sum()) for mark in marks}


def _shares(seen: Sequence["_LookedAt"], pixels: int) -> tuple[tuple[float, float], ...]:
    """Each value that is fill in some of the windows, and its share of the pixels of all."""
    marks = dict.fromkeys(mark for each in seen for mark, count in each.filled.items() if count)
    return tuple((mark, sum(each.filled.get(mark, 0) for each in seen) / pixels) for mark in marks)


def _thinned(pixels: Pixels, windows: int) -> Float32[np.ndarray, "date band pixel"]:
    """Reflectance of every n-th row and column, so that this window takes its share of the sample."""
    dates, bands, rows, columns = pixels.shape
    most = min(PIXELS, VALUES / (dates * bands)) / windows
    values = _reflectance(pixels, max(1, int(np.ceil(np.sqrt(rows * columns / most)))))
    return values.reshape(dates, bands, -1)


def _reflectance(pixels: Pixels, stride: int = 1) -> Float32[np.ndarray, "date band row column"]:
    """Reflectance of every n-th row and column, nan where not valid."""
    thinned = (slice(None), slice(None), slice(None, None, stride), slice(None, None, stride))
    values = pixels.values[thinned].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # a nodata like -1.8e308 does not fit float32
        values = values * pixels.scale[:, None, None] + pixels.offset[:, None, None]
        if pixels.valid is not None:
            values[~pixels.valid[thinned]] = np.nan
        return np.asarray(values.astype(np.float32))


def _top(dtype: np.dtype) -> float:
    """The largest number of a type, infinite for floats."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else np.inf
