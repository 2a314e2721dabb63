"""Features with mean 0 and deviation 1, by the samples that a read-out is fitted to alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

FLAT = 1e-7
"""A value with a deviation below this share of its largest size is constant: what is left is rounding of float32."""


FeatureParts = tuple[tuple[int, float], ...]
"""Of the parts that features consist of, the number of values, and the share of the squares of standardized features
that the part has, however many values it has; shares sum to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Standardization:
    """Mean of each value, and what it is multiplied by: 1 / deviation, 0 for a constant value; where features have
    parts, times a number for each part."""

    mean: Float64[np.ndarray, " value"]
    factor: Float64[np.ndarray, " value"]

    @classmethod
    def of(
        cls,
        features: Float32[np.ndarray, "sample value"],
        weight: Float64[np.ndarray, " sample"],
        parts: FeatureParts = (),
    ) -> "Standardization":
        """The one of these samples; a sample of weight 2 is two samples. parts: of the features, where they have
        some."""
        exact = features.astype(np.float64)
        share = weight / weight.sum()
        mean = share @ exact
        exact -= mean
        deviation = np.sqrt(share @ np.square(exact))
        constant = deviation <= FLAT * np.abs(features).max(axis=0)
        factor = np.where(constant, 0.0, 1 / np.where(constant, 1.0, deviation))
        return cls(mean, factor * part_factors(factor != 0, parts) if parts else factor)

    def of_features(self, features: Float32[np.ndarray, "sample value"]) -> Float64[np.ndarray, "sample value"]:
        """The features, standardized."""
        return np.asarray((features - self.mean) * self.factor)

    def arrays(self) -> Mapping[str, np.ndarray]:
        """What is saved."""
        return {"mean": self.mean, "factor": self.factor}

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> "Standardization":
        """The one that `arrays` describes."""
        return cls(arrays["mean"], arrays["factor"])


def part_factors(varies: Bool[np.ndarray, " value"], parts: FeatureParts) -> Float64[np.ndarray, " value"]:
    """What the values of each part are multiplied by, so that the sum of their squares is the part's share of what it
    is for all of them. varies: which values are not constant."""
    values, shares = [count for count, _ in parts], np.array([share for _, share in parts])
    counts = np.array([part.sum() for part in np.split(varies, np.cumsum(values)[:-1])])
    return np.repeat(np.sqrt(shares * counts.sum() / np.maximum(counts, 1)), values)
