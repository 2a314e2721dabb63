"""Scores per class, and their means over the classes that the truth contains."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64


def share(part: Float64[np.ndarray, "*axes"], whole: Float64[np.ndarray, "*axes"]) -> Float64[np.ndarray, "*axes"]:
    """part / whole, and nan where whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole != 0))


@dataclass(frozen=True, slots=True, eq=False)
class ClassSums:
    """Numbers of samples (images, pixels, or labels of images) per class.

    right: those of the class that are predicted as it. truth: those of the class. predicted: those predicted as it. A
    row is an image, or a draw of images.

    A class that is in no truth has no score (nan) and is left out of means, also where it is predicted: such false
    alarms are counted where they hurt, at the class that they were taken from.
    """

    right: Float64[np.ndarray, "row class"]
    truth: Float64[np.ndarray, "row class"]
    predicted: Float64[np.ndarray, "row class"]

    def drawn(self, weights: Float64[np.ndarray, "draw row"]) -> "ClassSums":
        """Sums over rows, one per draw. weights: how often each row is drawn."""
        return ClassSums(weights @ self.right, weights @ self.truth, weights @ self.predicted)

    @property
    def present(self) -> Bool[np.ndarray, "row class"]:
        """Whether the truth contains the class."""
        return self.truth > 0

    def recall(self) -> Float64[np.ndarray, "row class"]:
        """Share of the class that is predicted as it."""
        return share(self.right, self.truth)

    def precision(self) -> Float64[np.ndarray, "row class"]:
        """Share of what is predicted as the class that is of it; 0 where nothing is predicted as it."""
        return self._of_present(self.right / np.maximum(self.predicted, 1.0))

    def f1(self) -> Float64[np.ndarray, "row class"]:
        """Harmonic mean of precision and recall (Dice)."""
        return self._of_present(share(2 * self.right, self.truth + self.predicted))

    def iou(self) -> Float64[np.ndarray, "row class"]:
        """Intersection over union (Jaccard)."""
        return self._of_present(share(self.right, self.truth + self.predicted - self.right))

    def _of_present(self, values: Float64[np.ndarray, "row class"]) -> Float64[np.ndarray, "row class"]:
        return np.where(self.present, values, np.nan)

    def accuracy(self) -> Float64[np.ndarray, " row"]:
        """Share of all samples that are right, where a sample has one class; nan without samples."""
        return share(self.right.sum(axis=-1), self.truth.sum(axis=-1))

    def micro_f1(self) -> Float64[np.ndarray, " row"]:
        """F1 of all classes' decisions together, also of the classes that are in no truth; nan without samples."""
        return share(2 * self.right.sum(axis=-1), (self.truth + self.predicted).sum(axis=-1))


def mean_of_present(values: Float64[np.ndarray, "row class"]) -> Float64[np.ndarray, " row"]:
    """Mean over the classes with a value; nan where no class has one."""
    known = ~np.isnan(values)
    return share(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1).astype(np.float64))


@runtime_checkable
class ClassTable(Protocol):
    """A table with one row per image that can be reduced to counts per class."""

    def __len__(self) -> int:
        """Number of images."""

    def per_image(self) -> ClassSums:
        """Counts per class, one row per image."""

    @property
    def confidence(self) -> Int64[np.ndarray, "image bin 3"]:
        """Counts per bin of confidence (`confidence_counts`); zeros where no probabilities are known."""
