"""Votes of the k nearest neighbours by cosine similarity of standardized features.

The probability of a class is the share of the neighbours' weight that has it: soft votes, also for several classes.
k counts samples, whatever they weigh. Of equally near neighbours at the border, either may be taken.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from spectralgpt.evaluation.method import Fitted, Setting, Targets
from spectralgpt.evaluation.standardization import FeatureParts, Standardization

SIMILARITIES = 2**23
"""Similarities that are held at once: 32 MiB, and 64 MiB for their order."""
EXAMPLES = 10_000
"""Of more samples, every second, third ... may be a neighbour: with all of 24,000 drawn pixels, the answers for a large
set of masks take hours."""


@dataclass(frozen=True, slots=True, eq=False)
class KnnReadOut:
    """The training samples themselves. directions: of length 1, or 0 for a sample at the mean."""

    standardization: Standardization
    directions: Float32[np.ndarray, "sample value"]
    truth: Bool[np.ndarray, "sample class"]
    weight: Float64[np.ndarray, " sample"]
    neighbours: Int64[np.ndarray, ""]

    def probabilities(self, features: Float32[np.ndarray, "sample value"]) -> Float32[np.ndarray, "sample class"]:
        """Of each class."""
        return METHOD.all_probabilities([self], features)[0]

    def arrays(self) -> Mapping[str, np.ndarray]:
        """What is saved."""
        own = {name: getattr(self, name) for name in ("directions", "truth", "weight", "neighbours")}
        return {**self.standardization.arrays(), **own}

    def votes(self, nearest: Int64[np.ndarray, "sample neighbour"]) -> Float32[np.ndarray, "sample class"]:
        """Shares of the nearest neighbours. nearest: at least k of them, the nearest first."""
        voters = nearest[:, : int(self.neighbours)]
        weight = self.weight[voters]
        ballots = np.einsum("sn,snc->sc", weight, self.truth[voters].astype(np.float64))
        return np.asarray(ballots / weight.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True)
class Knn:
    """The method. The simplest are the most neighbours; no more are taken than there are samples."""

    name: str = "knn"
    title: str = "k-nearest neighbours"
    settings: Sequence[Setting] = tuple({"neighbours": count} for count in (20, 10, 5, 3, 1))
    usual: Setting = field(default_factory=lambda: {"neighbours": 1})
    parts: FeatureParts = ()

    def fits(
        self,
        features: Float32[np.ndarray, "sample value"],
        targets: Targets,
        settings: Sequence[Setting],
        seed: int,
    ) -> Sequence[Fitted]:
        """A read-out for each number of neighbours; nothing is drawn."""
        standardization = Standardization.of(features, targets.weight, self.parts)
        step = -(-len(features) // EXAMPLES)
        directions = directions_of(standardization, features[::step])
        truth, weight = targets.truth[::step], targets.weight[::step]
        return [
            KnnReadOut(standardization, directions, truth, weight, np.array(int(each["neighbours"])))
            for each in settings
        ]

    def all_probabilities(
        self, fitted: Sequence[Any], features: Float32[np.ndarray, "sample value"]
    ) -> Sequence[Float32[np.ndarray, "sample class"]]:
        """What each answers."""
        first = fitted[0]
        most = min(len(first.directions), max(int(one.neighbours) for one in fitted))
        rows = max(1, SIMILARITIES // len(first.directions))
        parts = []
        for start in range(0, len(features), rows):
            directions = directions_of(first.standardization, features[start : start + rows])
            order = nearest(directions @ first.directions.T, most)
            parts.append([one.votes(order) for one in fitted])
        classes = first.truth.shape[1]
        empty = np.empty((0, classes), np.float32)
        return [np.concatenate([empty, *(part[number] for part in parts)]) for number in range(len(fitted))]

    def restored(self, arrays: Mapping[str, np.ndarray]) -> Fitted:
        """The saved read-out."""
        own = (np.asarray(arrays[name]) for name in ("directions", "truth", "weight", "neighbours"))
        return KnnReadOut(Standardization.restored(arrays), *own)


METHOD = Knn()


def directions_of(
    standardization: Standardization, features: Float32[np.ndarray, "sample value"]
) -> Float32[np.ndarray, "sample value"]:
    """Standardized features of length 1; 0 where all are at the mean."""
    values = standardization.of_features(features)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(length > 0, length, 1.0), np.float32)


def nearest(similarity: Float32[np.ndarray, "sample training"], most: int) -> Int64[np.ndarray, "sample neighbour"]:
    """Indices of the most similar, the nearest first, equally near ones by index."""
    if most < similarity.shape[1]:
        found = np.argpartition(similarity, -most, axis=1)[:, -most:]
        found.sort(axis=1)
    else:
        found = np.broadcast_to(np.arange(most), similarity.shape)
    order = np.argsort(-np.take_along_axis(similarity, found, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(found, order, axis=1), np.int64)
