"""How far simple ways are from the truth where a model rebuilt an image, beside the model's error there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64


@dataclass(frozen=True, slots=True, eq=False)
class SimpleErrors:
    """Root mean square errors per band, all over the same pixels, in reflectance; only bands that have such pixels.

    ways: errors of each simple way by its name, the best first. model: the model's. pixels: number of pixels.
    """

    ways: dict[str, dict[str, float]]
    model: dict[str, float]
    pixels: dict[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class WaySums:
    """Sums over pixels per band: of 1, of the model's squared error, and of the squared error of each way."""

    sums: Float64[np.ndarray, "sum band"]

    @classmethod
    def of(
        cls,
        truth: Float32[np.ndarray, "date band row column"],
        prediction: Float64[np.ndarray, "date band row column"],
        estimates: Float64[np.ndarray, "way date band row column"],
        scored: Bool[np.ndarray, "date band row column"],
    ) -> "WaySums":
        """The sums over the scored pixels of one part of a scene; all in reflectance."""
        exact = truth.astype(np.float64)
        errors = [(np.where(scored, each - exact, 0.0)) ** 2 for each in (prediction, *estimates)]
        return cls(np.array([each.sum(axis=(0, 2, 3)) for each in (scored.astype(np.float64), *errors)]))

    @classmethod
    def empty(cls, ways: int, bands: int) -> "WaySums":
        """The sums over no pixels."""
        return cls(np.zeros((2 + ways, bands)))

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> "WaySums":
        """The sums from what `notes` returned."""
        return cls(np.array(notes["sums"], np.float64))

    @property
    def notes(self) -> dict[str, Any]:
        """The sums as plain values."""
        return {"sums": self.sums.tolist()}

    def __add__(self, other: "WaySums") -> "WaySums":
        return WaySums(self.sums + other.sums)

    def errors(self, ways: Sequence[str], bands: Sequence[str]) -> SimpleErrors:
        """The errors by the names of ways and bands; the best way has the least error over all pixels and bands."""
        count, *squares = self.sums
        there = np.flatnonzero(count).tolist()
        model, *others = ({bands[i]: math.sqrt(each[i] / count[i]) for i in there} for each in squares)
        order = np.argsort([each.sum() for each in squares[1:]], kind="stable").tolist()
        return SimpleErrors({ways[i]: others[i] for i in order}, model, {bands[i]: int(count[i]) for i in there})
