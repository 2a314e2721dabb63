"""Hand-made features: percentiles, gradients at several scales, and differences of bands."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Bool, Float32, Float64

from spectralgpt.features.baselines.baseline import Baseline, pixel_makers
from spectralgpt.features.baselines.random_convolutions import UNIT_REFLECTANCE
from spectralgpt.features.baselines.spectra import WANTED, Spectra, spectra_of
from spectralgpt.features.baselines.surroundings import around
from spectralgpt.raster import Pixels, Readable

PERCENTILES = (1, 10, 25, 50, 75, 90, 99)

DARKEST = 1e-4
"""Reflectance below this counts as this before its logarithm is taken: one step of Sentinel-2's integers."""

SCALES = (1, 2, 4)
"""Pixels between those that a gradient compares."""

GRADIENTS = (50, 90)
"""Percentiles of gradients."""

SMALLEST_GRADIENT = 1e-3
"""Added to a gradient before its logarithm is taken, as that of an even image is 0."""

SQUARES = (3, 7, 15)
"""Sides (pixels) of the squares for statistics around a pixel."""


def band_pairs(spectra: Spectra) -> list[tuple[int, int]]:
    """Which bands are compared: each with its neighbour by wavelength, and the bands of the usual indices (NDVI, NDWI,
    NBR, NDBI and the like), each with each, as far as the image has them."""
    found = (spectra.index_of(wanted) for wanted in WANTED)
    usual = sorted({index for index in found if index is not None})
    return sorted({*pairwise(range(len(spectra.bands))), *combinations(usual, 2)})


def normalized_differences(
    values: Float32[np.ndarray, "*date band row column"], pairs: Sequence[tuple[int, int]]
) -> Float32[np.ndarray, "*date pair row column"]:
    """(longer - shorter) / (longer + shorter) of pairs of bands, of reflectance of at least DARKEST."""
    bright = np.maximum(values, np.float32(DARKEST))
    shorter, longer = (bright.take([pair[at] for pair in pairs], axis=-3) for at in (0, 1))
    return np.asarray((longer - shorter) / (longer + shorter))


@dataclass(frozen=True, slots=True)
class HandmadeImages:
    """Of an image, over the valid pixels of all dates: per band the PERCENTILES of the logarithm of reflectance, and
    logarithms of the percentiles GRADIENTS of its gradient at each of the SCALES; per pair of bands mean and standard
    deviation of the normalized difference. For the 13 bands of Sentinel-2: 227 values; 0 without a valid pixel."""

    name: str = "hand-made features"
    identity: str = f"hand-made features of images 1: percentiles {PERCENTILES}, gradients {SCALES} {GRADIENTS}"

    def of(self, images: Sequence[Pixels]) -> Float32[np.ndarray, "image value"]:
        """See ImageMaker."""
        return np.stack([_described(spectra_of(each)) for each in images])


def _described(spectra: Spectra) -> Float32[np.ndarray, " value"]:
    logs = np.log(np.maximum(spectra.values, np.float32(DARKEST)))
    numbers: list[float] = []
    for band in range(len(spectra.bands)):
        own = logs[:, band][spectra.valid[:, band]].astype(np.float64)
        numbers += [*np.percentile(own, PERCENTILES)] if own.size else [0.0] * len(PERCENTILES)
        for step in SCALES:
            numbers += _log_gradients(logs[:, band], spectra.valid[:, band], step)
    pairs = band_pairs(spectra)
    for (one, other), found in zip(
        pairs, np.moveaxis(normalized_differences(spectra.values, pairs), 1, 0), strict=True
    ):
        both = found[spectra.valid[:, one] & spectra.valid[:, other]].astype(np.float64)
        numbers += [both.mean(), both.std()] if both.size else [0.0, 0.0]
    return np.array(numbers, np.float32)


def _log_gradients(
    logs: Float32[np.ndarray, "date row column"], valid: Bool[np.ndarray, "date row column"], step: int
) -> list[float]:
    """Logarithms of percentiles of the absolute difference between valid pixels `step` apart in rows and in columns."""
    found = []
    for axis in (1, 2):
        length = logs.shape[axis]
        first, last = range(max(length - step, 0)), range(min(step, length), length)
        both = valid.take(first, axis=axis) & valid.take(last, axis=axis)
        found.append(np.abs(logs.take(last, axis=axis) - logs.take(first, axis=axis))[both].astype(np.float64))
    steps = np.concatenate(found)
    return [*np.log(np.percentile(steps, GRADIENTS) + SMALLEST_GRADIENT)] if steps.size else [0.0] * len(GRADIENTS)


@dataclass(frozen=True, slots=True)
class HandmadePixels:
    """Of a pixel: the logarithm and the asinh of its spectrum, the normalized differences of pairs of bands, and per
    band, of the logarithm, means and deviations of the SQUARES around it and the gradient over two pixels."""

    name: str = "hand-made features"
    identity: str = f"hand-made features of pixels 1: squares {SQUARES}"
    reduce: int = 1

    def of(
        self, image: Readable
    ) -> tuple[Float32[np.ndarray, "date row column value"], Bool[np.ndarray, "date row column"]]:
        """See PlaceMaker."""
        spectra = spectra_of(image.read())
        dates = [_described_pixels(spectra.date(date)) for date in range(len(spectra.values))]
        return np.ascontiguousarray(np.moveaxis(np.stack(dates), 1, -1)), spectra.seen


def _described_pixels(spectra: Spectra) -> Float32[np.ndarray, "value row column"]:
    values, valid = spectra.filled()[0], spectra.valid[0]
    logs = np.log(np.maximum(values, np.float32(DARKEST)))
    parts = [
        logs,
        np.arcsinh(values / np.float32(UNIT_REFLECTANCE)),
        normalized_differences(values, band_pairs(spectra)),
    ]
    for side in SQUARES:
        parts += around(logs, valid, side)
    return np.concatenate([*parts, _steepness(logs)]).astype(np.float32)


def _steepness(logs: Float32[np.ndarray, "band row column"]) -> Float64[np.ndarray, "band row column"]:
    """Length of the gradient between the pixels before and after; at the edge, the pixel itself stands for the one
    beyond."""
    padded = np.pad(logs, ((0, 0), (1, 1), (1, 1)), mode="edge").astype(np.float64)
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    right = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    return np.hypot(down, right) / 2


HANDMADE = Baseline(
    "handmade",
    "percentiles, gradients and band differences",
    "trees",
    images=HandmadeImages(),
    pixels=pixel_makers(HandmadePixels()),
)
