"""Answers about images with any number of classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from spectralgpt.metrics.calibration import confidence_counts
from spectralgpt.metrics.classwise import ClassSums, share
from spectralgpt.metrics.ranking import average_precision


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """Truth, prediction and probabilities of images with any number of classes.

    predicted: by thresholds of the one who predicts, so it need not be `probabilities >= 0.5`. Not sums but the values
    themselves, as average precision ranks all images. ValueError for probabilities outside [0, 1].
    """

    truth: Bool[np.ndarray, "image class"]
    predicted: Bool[np.ndarray, "image class"]
    probabilities: Float32[np.ndarray, "image class"]

    def __post_init__(self) -> None:
        # nan is refused as well: it would be ranked somewhere
        if not np.all((self.probabilities >= 0) & (self.probabilities <= 1)):
            raise ValueError("found probabilities outside [0, 1]")

    @classmethod
    def joined(cls, tables: Sequence["LabelTable"]) -> "LabelTable":
        """The table of the images of all tables, in this order."""
        truth, predicted, probabilities = zip(*((t.truth, t.predicted, t.probabilities) for t in tables), strict=True)
        return cls(np.concatenate(truth), np.concatenate(predicted), np.concatenate(probabilities))

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.truth.shape[1])

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, images: Int64[np.ndarray, " drawn"]) -> "LabelTable":
        """The table of these images, in this order; an image may be drawn several times."""
        return LabelTable(self.truth[images], self.predicted[images], self.probabilities[images])

    def per_image(self) -> ClassSums:
        """Counts per class, one row per image: 0 and 1."""
        tables = (self.truth & self.predicted, self.truth, self.predicted)
        return ClassSums(*(table.astype(np.float64) for table in tables))

    @property
    def confidence(self) -> Int64[np.ndarray, "image bin 3"]:
        """Counts per bin of probability over all decisions (image and class). The confidence is the probability of the
        class, right where the image has it, so a chosen threshold does not matter."""
        image = np.repeat(np.arange(len(self)), self.classes)
        return confidence_counts(self.probabilities.ravel(), self.truth.ravel(), image, len(self))

    def average_precisions(self, weights: Float64[np.ndarray, "draw image"]) -> Float64[np.ndarray, "draw class"]:
        """Average precision per class over all images, one row per draw; nan where the class is in no truth."""
        image = np.arange(len(self))
        columns = zip(self.probabilities.T, self.truth.T, strict=True)
        return np.stack([average_precision(scores, truth, image, weights) for scores, truth in columns], axis=1)

    def micro_average_precision(self, weights: Float64[np.ndarray, "draw image"]) -> Float64[np.ndarray, " draw"]:
        """Average precision over all decisions (image and class) in one ranking, one value per draw."""
        image = np.repeat(np.arange(len(self)), self.classes)
        return average_precision(self.probabilities.ravel(), self.truth.ravel(), image, weights)

    def exact_match(self, weights: Float64[np.ndarray, "draw image"]) -> Float64[np.ndarray, " draw"]:
        """Share of images with exactly the true classes predicted, one value per draw."""
        same = (self.truth == self.predicted).all(axis=1).astype(np.float64)
        return share(weights @ same, weights.sum(axis=1))
