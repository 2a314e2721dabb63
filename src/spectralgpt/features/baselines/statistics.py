"""Band statistics: the mean and the standard deviation of each band."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from spectralgpt.features.baselines.baseline import SAME_METHOD, Baseline, pixel_makers
from spectralgpt.features.baselines.spectra import Spectra, spectra_of
from spectralgpt.features.baselines.surroundings import around
from spectralgpt.raster import Pixels, Readable

SURROUNDING = 9
"""Side (pixels) of the square for statistics around a pixel: a little more than the usual patch of 8."""


@dataclass(frozen=True, slots=True)
class ImageStatistics:
    """Per band, in the order of wavelengths, the mean reflectance over the valid pixels of all dates; then likewise the
    standard deviations. 0 for a band without a valid pixel."""

    name: str = "band statistics"
    identity: str = "band statistics of images 1"

    def of(self, images: Sequence[Pixels]) -> Float32[np.ndarray, "image value"]:
        """See ImageMaker: two values per band."""
        return np.stack([_statistics(spectra_of(each)) for each in images])


def _statistics(spectra: Spectra) -> Float32[np.ndarray, " value"]:
    counts = np.maximum(spectra.valid.sum(axis=(0, 2, 3)), 1)
    means = spectra.values.sum(axis=(0, 2, 3), dtype=np.float64) / counts
    apart = np.where(spectra.valid, spectra.values - means[:, None, None], 0)
    deviations = np.sqrt((apart * apart).sum(axis=(0, 2, 3)) / counts)
    return np.concatenate([means, deviations]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class PixelStatistics:
    """The spectrum of a pixel, and mean and standard deviation per band of the SURROUNDING around it."""

    name: str = "band statistics"
    identity: str = f"band statistics of pixels 1, {SURROUNDING} x {SURROUNDING}"
    reduce: int = 1

    def of(
        self, image: Readable
    ) -> tuple[Float32[np.ndarray, "date row column value"], Bool[np.ndarray, "date row column"]]:
        """See PlaceMaker: three values per band."""
        spectra = spectra_of(image.read())
        spectrum, dates = spectra.filled(), []
        for own, values, valid in zip(spectrum, spectra.values, spectra.valid, strict=True):
            dates.append(np.concatenate([own, *around(values, valid, SURROUNDING)]))
        return np.ascontiguousarray(np.moveaxis(np.stack(dates), 1, -1)), spectra.seen


BAND_STATISTICS = Baseline(
    "statistics",
    "mean and standard deviation of each band",
    SAME_METHOD,
    images=ImageStatistics(),
    pixels=pixel_makers(PixelStatistics()),
)
