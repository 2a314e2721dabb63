"""Counts of each true and predicted class per image: of images with one class, and of pixels of masks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int16, Int64, Integer

from spectralgpt.metrics.calibration import CONFIDENCE_BINS, confidence_counts
from spectralgpt.metrics.classwise import ClassSums

_MOST_PIXELS = 2**22
"""Pixels of a mask that are counted at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class ConfusionCounts:
    """Numbers of labelled samples (images, or pixels) by image, true class and predicted class; unlabelled ones are not
    in it.

    Stored as the entries that are not 0, sorted by image and cell, as an image has few of the many pairs of classes:
    `counts` is the whole table. first: of each image, the place of its first entry, and at the end the number of
    entries. cell: true class x (classes + 1) + predicted class. number: of samples. confidence: per image, counts per
    bin of confidence (`confidence_counts`), zeros where no probabilities are known.

    The last predicted class, number `classes`, is "no answer": a labelled sample whose prediction is no class (-1, or
    255 where the image has no data) is an error of its true class, and of no other. It has no confidence.
    """

    classes: int
    first: Int64[np.ndarray, " fence"]
    cell: Int64[np.ndarray, " entry"]
    number: Int64[np.ndarray, " entry"]
    confidence: Int64[np.ndarray, "image bin 3"]

    @classmethod
    def of_classes(
        cls,
        truth: Int64[np.ndarray, " image"],
        predicted: Int64[np.ndarray, " image"],
        classes: int,
        probabilities: Float32[np.ndarray, "image class"] | None = None,
    ) -> "ConfusionCounts":
        """A table of images with one class each, as indices; a negative truth is an image without label.

        probabilities: for the calibration; the confidence is that of the likeliest class, right where that is the true
        one. (Not of the predicted class, which a chosen threshold may have moved.)
        """
        return _counted(np.arange(len(truth)), len(truth), truth, predicted, classes, probabilities)

    @classmethod
    def of_mask(
        cls,
        truth: Int16[np.ndarray, "row column"],
        predicted: Integer[np.ndarray, "row column"],
        classes: int,
        probabilities: Float32[np.ndarray, "row column class"] | None = None,
    ) -> "ConfusionCounts":
        """The table of one image, or of one strip of it, to be added to the others. truth: negative where ignored; what
        is predicted there does not matter. probabilities: as for `of_classes`."""
        # in strips, as counting takes several times the memory of the masks
        step = max(1, _MOST_PIXELS // max(1, truth.shape[1]))
        table = cls.of_counts(np.zeros((1, classes, classes + 1), np.int64))
        for start in range(0, len(truth), step):
            rows = slice(start, start + step)
            likely = None if probabilities is None else probabilities[rows].reshape(-1, classes)
            pixels = truth[rows].ravel(), predicted[rows].ravel()
            table += _counted(np.zeros(pixels[0].size, np.int64), 1, *pixels, classes, likely)
        return table

    @classmethod
    def of_counts(cls, counts: Int64[np.ndarray, "image truth predicted"]) -> "ConfusionCounts":
        """The table with these counts; the last predicted class is "no answer"."""
        images, classes, answers = counts.shape
        if answers != classes + 1:
            raise ValueError(f"found {answers} predicted classes; expected {classes} and 'no answer'")
        image, truth, predicted = counts.nonzero()
        cell, number = truth * answers + predicted, counts[image, truth, predicted]
        return _sorted(classes, images, image, cell, number, np.zeros((images, CONFIDENCE_BINS, 3), np.int64))

    @classmethod
    def joined(cls, tables: Sequence["ConfusionCounts"]) -> "ConfusionCounts":
        """The table of the images of all tables, in this order."""
        _check_alike([table.classes for table in tables])
        before = np.cumsum([0, *(len(table) for table in tables)])
        starts = zip(tables, before[:-1], strict=True)
        return _sorted(
            tables[0].classes,
            int(before[-1]),
            np.concatenate([table.image + start for table, start in starts]),
            np.concatenate([table.cell for table in tables]),
            np.concatenate([table.number for table in tables]),
            np.concatenate([table.confidence for table in tables]),
        )

    def __add__(self, other: "ConfusionCounts") -> "ConfusionCounts":
        """The counts of the same images from other parts of them, like strips."""
        _check_alike([self.classes, other.classes])
        _check_alike([len(self), len(other)])
        return _sorted(
            self.classes,
            len(self),
            np.concatenate([self.image, other.image]),
            np.concatenate([self.cell, other.cell]),
            np.concatenate([self.number, other.number]),
            self.confidence + other.confidence,
        )

    def __len__(self) -> int:
        return len(self.first) - 1

    def take(self, images: Int64[np.ndarray, " drawn"]) -> "ConfusionCounts":
        """The table of these images, in this order; an image may be drawn several times."""
        sizes = np.diff(self.first)[images]
        first = np.concatenate([[0], np.cumsum(sizes)])
        # the entries of each drawn image: its first one, and those that follow
        place = np.repeat(self.first[images] - first[:-1], sizes) + np.arange(first[-1])
        return ConfusionCounts(self.classes, first, self.cell[place], self.number[place], self.confidence[images])

    @property
    def image(self) -> Int64[np.ndarray, " entry"]:
        """The image of each entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.first))

    @property
    def counts(self) -> Int64[np.ndarray, "image truth predicted"]:
        """The whole table; the last predicted class is "no answer"."""
        table = np.zeros((len(self), self.classes * (self.classes + 1)), np.int64)
        table[self.image, self.cell] = self.number
        return table.reshape(len(self), self.classes, self.classes + 1)

    def total(self) -> Int64[np.ndarray, "truth predicted"]:
        """The counts of all images: the confusion matrix, with "no answer" as its last column."""
        total = np.zeros(self.classes * (self.classes + 1), np.int64)
        np.add.at(total, self.cell, self.number)
        return total.reshape(self.classes, self.classes + 1)

    def per_image(self) -> ClassSums:
        """Counts per class, one row per image."""
        truth, predicted = np.divmod(self.cell, self.classes + 1)
        number = self.number.astype(np.float64)
        return ClassSums(
            self._summed(truth, np.where(truth == predicted, number, 0.0), self.classes),
            self._summed(truth, number, self.classes),
            self._summed(predicted, number, self.classes + 1)[:, : self.classes],
        )

    def _summed(
        self, index: Int64[np.ndarray, " entry"], number: Float64[np.ndarray, " entry"], indices: int
    ) -> Float64[np.ndarray, "image index"]:
        """Sums of the entries of each image and index."""
        sums = np.bincount(self.image * indices + index, number, len(self) * indices)
        return sums.astype(np.float64).reshape(len(self), indices)  # without entries bincount returns integers


def _counted(
    image: Int64[np.ndarray, " sample"],
    images: int,
    truth: Integer[np.ndarray, " sample"],
    predicted: Integer[np.ndarray, " sample"],
    classes: int,
    probabilities: Float32[np.ndarray, "sample class"] | None,
) -> ConfusionCounts:
    """The table of labelled samples; those with a negative truth are left out before anything else is looked at."""
    labelled = truth >= 0
    image, truth, predicted = image[labelled], truth[labelled].astype(np.int64), predicted[labelled].astype(np.int64)
    if np.any(truth >= classes):
        raise ValueError(f"found the true class {truth.max()}; expected below {classes}")
    answered = (predicted >= 0) & (predicted < classes)
    cell = truth * (classes + 1) + np.where(answered, predicted, classes)
    if probabilities is None:
        confidence = np.zeros((images, CONFIDENCE_BINS, 3), np.int64)
    else:
        known = probabilities[labelled][answered]
        right = known.argmax(axis=1) == truth[answered]
        confidence = confidence_counts(known.max(axis=1), right, image[answered], images)
    return _sorted(classes, images, image, cell, np.ones(len(cell), np.int64), confidence)


def _sorted(
    classes: int,
    images: int,
    image: Int64[np.ndarray, " entry"],
    cell: Int64[np.ndarray, " entry"],
    number: Int64[np.ndarray, " entry"],
    confidence: Int64[np.ndarray, "image bin 3"],
) -> ConfusionCounts:
    """The table of entries in any order; those of one image and cell are added up."""
    cells = classes * (classes + 1)
    if images == 1:  # pixels of a mask: counting is faster than sorting
        counts = np.zeros(cells, np.int64)
        np.add.at(counts, cell, number)
        where = counts.nonzero()[0]
        return ConfusionCounts(classes, np.array([0, len(where)]), where, counts[where], confidence)
    where, inverse = np.unique(image * cells + cell, return_inverse=True)
    counts = np.zeros(len(where), np.int64)
    np.add.at(counts, inverse, number)
    first = np.searchsorted(where, np.arange(images + 1) * cells)
    return ConfusionCounts(classes, first, where % cells, counts, confidence)


def _check_alike(numbers: Sequence[int]) -> None:
    if len(set(numbers)) != 1:
        raise ValueError(f"found tables of different sizes: {sorted(set(numbers))}")
