"""Baselines of change between two dates that need no learning beyond a threshold: one number per pixel."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from spectralgpt.errors import BandError
from spectralgpt.features.baselines.baseline import Baseline
from spectralgpt.features.baselines.spectra import Spectra, spectra_of
from spectralgpt.raster import Readable

NORMAL_IQR = 1.349
"""Interquartile range of a normal distribution with standard deviation 1."""


@dataclass(frozen=True, slots=True)
class Differencing:
    """Length of the change vector: the root mean square, over the bands that are valid at both dates, of the difference
    of standardized reflectance.

    Each band of each date is standardized by its own median and interquartile range over the pixels that are valid at
    both dates: a relative radiometric normalization, robust to change of less than a quarter of the image.
    """

    name: str = "differencing"
    identity: str = "differencing 1: all bands, median and interquartile range per band and date"

    def of(self, image: Readable) -> tuple[Float32[np.ndarray, "row column value"], Bool[np.ndarray, "row column"]]:
        """See PixelMaker: one value, without unit. ValueError unless there are two dates."""
        spectra = _pair(image)
        both = spectra.valid[0] & spectra.valid[1]
        squares, bands = np.zeros(both.shape[1:]), np.zeros(both.shape[1:])
        for band, valid in enumerate(both):
            if valid.any():
                before, after = (_standardized(date[band], valid) for date in spectra.values)
                squares += np.where(valid, after - before, 0) ** 2
                bands += valid
        length = np.sqrt(squares / np.maximum(bands, 1))
        return length[..., None].astype(np.float32), np.asarray(both.any(axis=0))


def _standardized(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    low, middle, high = np.percentile(values[valid].astype(np.float64), (25, 50, 75))
    return np.asarray((values - middle) / ((high - low) / NORMAL_IQR or 1.0))


@dataclass(frozen=True, slots=True)
class NbrDifference:
    """NBR before minus NBR after, with NBR = (NIR - SWIR 2) / (NIR + SWIR 2): above 0 where vegetation was lost."""

    name: str = "NBR difference"
    identity: str = "NBR difference 1"

    def of(self, image: Readable) -> tuple[Float32[np.ndarray, "row column value"], Bool[np.ndarray, "row column"]]:
        """See PixelMaker: one value from -2 to 2. BandError without NIR or SWIR 2; ValueError unless there are two
        dates."""
        spectra = _pair(image)
        nir, swir = spectra.index_of("NIR"), spectra.index_of("SWIR 2")
        if nir is None or swir is None:
            raise BandError(
                f"found the bands {', '.join(band.name for band in spectra.bands)} for the NBR difference",
                "NIR (760 to 900 nm) and SWIR 2 (2080 to 2350 nm)",
            )
        valid = spectra.valid[:, [nir, swir]].all(axis=(0, 1))
        one, other = (spectra.values[:, band].astype(np.float64).clip(min=0) for band in (nir, swir))
        total = one + other
        before, after = np.divide(one - other, total, out=np.zeros_like(total), where=total > 0)
        return np.where(valid, before - after, 0)[..., None].astype(np.float32), np.asarray(valid)


def _pair(image: Readable) -> Spectra:
    spectra = spectra_of(image.read())
    if len(spectra.values) != 2:
        raise ValueError(f"found {len(spectra.values)} dates; expected two, before and after")
    return spectra


DIFFERENCING = Baseline("differencing", "length of the change vector", "threshold", pixels={"change": Differencing()})
NBR = Baseline("nbr", "difference of NBR", "threshold", pixels={"change": NbrDifference()})
