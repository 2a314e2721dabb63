"""Sums over the stored pixels of a band, from which mean and standard deviation follow, and which can be merged."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from spectralgpt.bands import Band

KNEE = 0.02
"""Reflectance at which asinh(r / KNEE) turns from linear to logarithmic."""

SUMS = ("count", "total", "squares", "low", "high", "asinh_total", "asinh_squares")


@dataclass(frozen=True, slots=True)
class BandTotals:
    """Sums over the valid pixels of a band, of reflectance r and of asinh(r / 0.02), for normalization."""

    band: Band
    count: int
    total: float
    squares: float
    low: float
    high: float
    asinh_total: float
    asinh_squares: float

    @property
    def mean(self) -> float:
        return self.total / self.count

    @property
    def sd(self) -> float:
        """Of the pixels themselves, not an estimate for a population."""
        return _sd(self.count, self.total, self.squares)

    @property
    def asinh_mean(self) -> float:
        return self.asinh_total / self.count

    @property
    def asinh_sd(self) -> float:
        return _sd(self.count, self.asinh_total, self.asinh_squares)

    def merged(self, other: "BandTotals") -> "BandTotals":
        """The sums over the pixels of both."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        return BandTotals(self.band, **(sums | {"low": min(self.low, other.low), "high": max(self.high, other.high)}))


def totals(
    values: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
    scale: Float64[np.ndarray, " band"],
    offset: Float64[np.ndarray, " band"],
    bands: tuple[Band, ...],
) -> list[BandTotals]:
    """The sums of each band that has a valid pixel. scale, offset: reflectance = value x scale + offset."""
    found = []
    for index, band in enumerate(bands):
        stored = values[:, index].ravel() if valid is None else values[:, index][valid[:, index]]
        if stored.size:
            reflectance = stored.astype(np.float64) * scale[index] + offset[index]
            stretched = np.arcsinh(reflectance / KNEE)
            found.append(
                BandTotals(
                    band=band,
                    count=int(stored.size),
                    total=float(reflectance.sum()),
                    squares=float(reflectance @ reflectance),
                    low=float(reflectance.min()),
                    high=float(reflectance.max()),
                    asinh_total=float(stretched.sum()),
                    asinh_squares=float(stretched @ stretched),
                )
            )
    return found


def merge(several: Iterable[BandTotals]) -> tuple[BandTotals, ...]:
    """One per band, in the order of their first appearance."""
    merged: dict[Band, BandTotals] = {}
    for each in several:
        merged[each.band] = merged[each.band].merged(each) if each.band in merged else each
    return tuple(merged.values())


def _sd(count: int, total: float, squares: float) -> float:
    return math.sqrt(max(0.0, squares / count - (total / count) ** 2))
