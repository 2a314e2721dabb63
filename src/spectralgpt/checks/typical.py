"""Usual reflectance on Earth, and whether the bands of an image seem to be named correctly."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float, Int, Shaped

from spectralgpt.bands import Band
from spectralgpt.errors import RasterError

SPREAD = 0.1
"""Additional standard deviation of ln reflectance, for bands of other widths, other sensors and other places."""

ALIKE = 0.06
"""Difference of ln wavelength up to which a band counts as one of Sentinel-2's: 858 nm as 865, 805 nm as 783."""

WATER_VAPOUR, CIRRUS_CENTRE = 945.1, 1373.5
"""Bands (nm) in which the atmosphere is dark; no other band is compared with them."""

TOP_LEVELS = ("L1C", "L1", "TOA", "DN")
"""Levels of sensors that measure reflectance at the top of the atmosphere."""

REFLECTANCE_BELOW = 2.0
"""A float image with a 98 % quantile below this is reflectance: as digital numbers it would be black."""

Spectra = Float[np.ndarray, "spectrum band"]


@dataclass(frozen=True, slots=True, eq=False)
class Typical:
    """Statistics of real images. q98: median of a band's 98 % quantile. mean, covariance: of ln(reflectance + darkest),
    as differences below darkest mean nothing.
    """

    darkest: float
    wavelength: Float[np.ndarray, " band"]
    q98: Float[np.ndarray, " band"]
    mean: Float[np.ndarray, " band"]
    covariance: Float[np.ndarray, "band band"]

    def expected(self, bands: Sequence[Band]) -> Float[np.ndarray, " band"]:
        """The usual 98 % quantile of each band, interpolated in ln wavelength; nan outside 400 to 2500 nm."""
        dark = np.isin(self.wavelength, (WATER_VAPOUR, CIRRUS_CENTRE)) & (self.q98 < self.q98.max() / 2)
        wavelengths = np.array([band.wavelength for band in bands])
        found: np.ndarray = np.interp(np.log(wavelengths), np.log(self.wavelength[~dark]), self.q98[~dark])
        for centre, value in zip(self.wavelength[dark], self.q98[dark], strict=True):
            found[np.abs(np.log(wavelengths / centre)) < ALIKE / 2] = value
        found[[not band.in_solar_range for band in bands]] = np.nan
        return found

    def same(self, bands: Sequence[Band]) -> list[int | None]:
        """For each band the index of the band here that it resembles, the nearest by ln wavelength; each index once."""
        far = np.abs(np.log([[band.wavelength / each for each in self.wavelength] for band in bands]))
        found: list[int | None] = [None] * len(bands)
        for flat in np.argsort(far, axis=None, kind="stable"):
            band, here = divmod(int(flat), len(self.wavelength))
            if far[band, here] <= ALIKE and found[band] is None and here not in found:
                found[band] = here
        return found

    def oddness(
        self, spectra: Spectra, columns: Sequence[int], orders: Int[np.ndarray, "order band"]
    ) -> Float[np.ndarray, " order"]:
        """How odd an image is with its bands in each of these orders: the mean squared Mahalanobis distance of its
        spectra, per band; about 1 where nothing is odd. columns: the index here of each band of the image.
        """
        inverse = np.linalg.inv(self._covariance_of(columns))
        off = (np.log(np.maximum(spectra, 0) + self.darkest)[:, orders] - self.mean[columns]).astype(np.float64)
        return np.asarray(((off @ inverse) * off).sum(axis=-1).mean(axis=0) / len(columns))

    def volume(self, columns: Sequence[int]) -> float:
        """The logarithm of the determinant of the covariance of these bands, per band: how wide the table is."""
        return float(np.linalg.slogdet(self._covariance_of(columns))[1] / len(columns))

    def _covariance_of(self, columns: Sequence[int]) -> Float[np.ndarray, "_ _"]:
        """The covariance of these bands, with what other sensors and places add."""
        return self.covariance[np.ix_(columns, columns)] + SPREAD**2 * np.eye(len(columns))


@cache
def typical(level: str) -> Typical:
    """Statistics at the top of the atmosphere, or at the surface, by the level of a sensor."""
    text = (files("spectralgpt") / "checks" / "typical.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)["top" if level in TOP_LEVELS else "surface"]
    darkest = table.pop("darkest")
    return Typical(darkest, **{key: np.array(value, np.float64) for key, value in table.items()})


def other_orders(count: int) -> Int[np.ndarray, "order band"]:
    """The given order of the bands (first), its reverse, and those with one band moved, or two exchanged."""
    found = [list(range(count)), list(range(count))[::-1]]
    for one in range(count):
        for other in range(count):
            moved = list(range(count))
            moved.insert(other, moved.pop(one))
            exchanged = list(range(count))
            exchanged[one], exchanged[other] = other, one
            found += [moved, exchanged]
    return np.array(list(dict.fromkeys(map(tuple, found))))


def likeliest_order(
    typical: Typical, spectra: Spectra, columns: Sequence[int]
) -> tuple[Int[np.ndarray, " band"], float, float]:
    """The order in which the bands are least odd, by stepwise search; how odd they are as they stand, and in it.

    order[i]: the band with values that look like those that band i should have.
    """
    orders = other_orders(len(columns))
    best = orders[0]
    as_named = least = float(typical.oddness(spectra, columns, best[None])[0])
    for _ in columns:
        tried = best[orders]
        oddness = typical.oddness(spectra, columns, tried)
        if oddness.min() > 0.98 * least:
            break
        best, least = tried[int(oddness.argmin())], float(oddness.min())
    return best, as_named, least


def looks_like_reflectance(measured: Shaped[np.ndarray, " value"]) -> bool:
    """Whether the 98 % quantile of valid values is below 2. RasterError when there are none."""
    if not measured.size:
        raise RasterError("found no valid value: all are NaN, infinite or nodata", do="Give an image with data")
    return bool(np.quantile(measured, 0.98) < REFLECTANCE_BELOW)
