"""What is known of all stored pixels of a band: sums, of which mean and spread follow, and which merge."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from spectralgpt.bands import Band

KNEE = 0.02
"""Reflectance at which asinh(r / KNEE) turns from linear to logarithmic."""

SUMS = ("count", "total", "squares", "low", "high", "asinh_total", "asinh_squares")


@dataclass(frozen=True, slots=True)
class BandTotals:
    """Sums over a band's valid pixels, in reflectance r and in asinh(r / 0.02), of which normalization is made."""

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
        """Of the pixels as they are, not of a population they were drawn from."""
        return _sd(self.count, self.total, self.squares)

    @property
    def asinh_mean(self) -> float:
        return self.asinh_total / self.count

    @property
    def asinh_sd(self) -> float:
        return _sd(self.count, self.asinh_total, self.asinh_squares)

    def merged(self, other: "BandTotals") -> "BandTotals":
        """Of the pixels of both."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        return BandTotals(self.band, **(sums | {"low": min(self.low, other.low), "high": max(self.high, other.high)}))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; from_dict is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "BandTotals":
        """KeyError, TypeError or ValueError for what to_dict did not write."""
        sums = {name: float(values[name]) for name in SUMS}
        return cls(Band(**values["band"]), **(sums | {"count": int(values["count"])}))  # type: ignore[arg-type]


def totals(
    values: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
    scale: Float64[np.ndarray, " band"],
    offset: Float64[np.ndarray, " band"],
    bands: tuple[Band, ...],
) -> list[BandTotals]:
    """Of the bands that have a valid pixel."""
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
    """One a band, in the order in which bands first come."""
    merged: dict[Band, BandTotals] = {}
    for each in several:
        merged[each.band] = merged[each.band].merged(each) if each.band in merged else each
    return tuple(merged.values())


def _sd(count: int, total: float, squares: float) -> float:
    return math.sqrt(max(0.0, squares / count - (total / count) ** 2))
