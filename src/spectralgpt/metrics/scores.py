"""Scores by name: each a reduction of a table of counts per image.

A score is a function of a table and of how often each image is drawn, so a bootstrap computes a thousand draws at once;
of the table itself, every image is drawn once. Means over classes run over those that the truth contains:
`classes_present` says how many.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64

from spectralgpt.metrics.calibration import Reliability
from spectralgpt.metrics.classwise import ClassSums, ClassTable, mean_of_present, share
from spectralgpt.metrics.confusion import ConfusionCounts
from spectralgpt.metrics.labels import LabelTable

Weights = Float64[np.ndarray, "draw image"]
"""How often each image is drawn."""

Drawn = Float64[np.ndarray, " draw"]
"""The score of each draw."""

CHANGE = 1
"""The index of the class "change"."""

_WITHOUT_CHANGE = 1.0
"""What an image without change in truth and prediction counts in means over images: it is right."""


@runtime_checkable
class ImageTable(Protocol):
    """A table with one row per image, of which every score is a reduction."""

    def __len__(self) -> int:
        """Number of images."""

    def take(self, images: Int64[np.ndarray, " drawn"]) -> "ImageTable":
        """The table of these images, in this order; an image may be drawn several times."""


@dataclass(frozen=True, slots=True)
class Score:
    """A score. name: as in `metrics.json`, like `macro_f1`. title: in words. of: the score of a table, in [0, 1], nan
    where it is not defined. lower_is_better: true for errors. drawn: the score of each of several draws of a table's
    images; None where it is to be computed draw by draw."""

    name: str
    title: str
    of: Callable[[Any], float]
    lower_is_better: bool = False
    drawn: Callable[[Any, np.ndarray], np.ndarray] | None = None


def classes_present(table: ClassTable) -> int:
    """Number of classes that the truth contains: means over classes run over these."""
    return int(_all_images(table).present.sum())


def by_class(table: ClassTable) -> Mapping[str, np.ndarray]:
    """Per class `truth` and `predicted` (numbers of images or pixels), `precision`, `recall`, `f1`, `iou`, and for a
    table with several labels per image `average_precision`; scores are nan where the class is in no truth."""
    sums = _all_images(table)
    found = {
        "truth": sums.truth[0].astype(np.int64),
        "predicted": sums.predicted[0].astype(np.int64),
        "precision": sums.precision()[0],
        "recall": sums.recall()[0],
        "f1": sums.f1()[0],
        "iou": sums.iou()[0],
    }
    if isinstance(table, LabelTable):
        found["average_precision"] = table.average_precisions(_once(table))[0]
    return found


def reliability(table: ClassTable) -> Reliability:
    """What a calibration figure of all images shows; it has one row."""
    return _reliability(table, _once(table))


def _once(table: ImageTable | ClassTable) -> Weights:
    return np.ones((1, len(table)))


def _all_images(table: ClassTable) -> ClassSums:
    return table.per_image().drawn(_once(table))


def _score(name: str, title: str, drawn: Callable[[Any, Weights], Drawn], lower_is_better: bool = False) -> Score:
    return Score(name, title, partial(_of_all, drawn), lower_is_better, drawn)


def _of_all(drawn: Callable[[Any, Weights], Drawn], table: ImageTable) -> float:
    return float(drawn(table, _once(table))[0])


def _accuracy(table: ClassTable, weights: Weights) -> Drawn:
    return table.per_image().drawn(weights).accuracy()


def _micro_f1(table: ClassTable, weights: Weights) -> Drawn:
    return table.per_image().drawn(weights).micro_f1()


def _macro_f1(table: ClassTable, weights: Weights) -> Drawn:
    return mean_of_present(table.per_image().drawn(weights).f1())


def _mean_recall(table: ClassTable, weights: Weights) -> Drawn:
    return mean_of_present(table.per_image().drawn(weights).recall())


def _mean_iou(table: ClassTable, weights: Weights) -> Drawn:
    return mean_of_present(table.per_image().drawn(weights).iou())


def _reliability(table: ClassTable, weights: Weights) -> Reliability:
    return Reliability.of(np.tensordot(weights, table.confidence.astype(np.float64), axes=1))


def _calibration_error(table: ClassTable, weights: Weights) -> Drawn:
    return _reliability(table, weights).expected_error()


def _macro_map(table: LabelTable, weights: Weights) -> Drawn:
    return mean_of_present(table.average_precisions(weights))


def _micro_map(table: LabelTable, weights: Weights) -> Drawn:
    return table.micro_average_precision(weights)


def _exact_match(table: LabelTable, weights: Weights) -> Drawn:
    return table.exact_match(weights)


def _of_change(
    values: Callable[[ClassSums], Float64[np.ndarray, "row class"]], table: ClassTable, weights: Weights
) -> Drawn:
    """A score of the class "change" from the pixels of all drawn images together; nan where none of them changed."""
    return values(table.per_image().drawn(weights))[:, CHANGE]


def _per_image(
    values: Callable[[ClassSums], Float64[np.ndarray, "row class"]], table: ConfusionCounts, weights: Weights
) -> Drawn:
    """The mean over images of a score of the class "change"; images without labelled pixels are left out.

    An image without change in truth and prediction is right and counts 1. Every other 0/0 counts 0: where only one of
    the two is without change, or no pixel has an answer.
    """
    sums = table.per_image()
    answered = sums.predicted.sum(axis=1) > 0
    none: Bool[np.ndarray, " image"] = answered & ((sums.truth + sums.predicted)[:, CHANGE] == 0)
    score = np.where(none, _WITHOUT_CHANGE, np.nan_to_num(values(sums)[:, CHANGE]))
    labelled = (sums.truth.sum(axis=1) > 0).astype(np.float64)
    return share(weights @ (score * labelled), weights @ labelled)


_CALIBRATION_ERROR = _score("calibration_error", "expected calibration error", _calibration_error, True)

CLASS_SCORES: Sequence[Score] = (
    _score("accuracy", "accuracy (top-1)", _accuracy),
    _score("macro_f1", "macro F1", _macro_f1),
    _score("micro_f1", "micro F1 (the accuracy, where every image has an answer)", _micro_f1),
    _score("balanced_accuracy", "balanced accuracy (mean recall)", _mean_recall),
    _CALIBRATION_ERROR,
)
LABEL_SCORES: Sequence[Score] = (
    _score("macro_map", "macro mAP", _macro_map),
    _score("micro_map", "micro mAP", _micro_map),
    _score("macro_f1", "macro F1", _macro_f1),
    _score("micro_f1", "micro F1", _micro_f1),
    _score("exact_match", "images with exactly the true labels", _exact_match),
    _CALIBRATION_ERROR,
)
MASK_SCORES: Sequence[Score] = (
    _score("mean_iou", "mean IoU", _mean_iou),
    _score("overall_accuracy", "overall accuracy", _accuracy),
    _score("macro_f1", "macro F1", _macro_f1),
    _score("mean_recall", "mean recall (mean accuracy per class)", _mean_recall),
    _CALIBRATION_ERROR,
)
CHANGE_SCORES: Sequence[Score] = (
    _score("f1", "F1 of change", partial(_of_change, ClassSums.f1)),
    _score("precision", "precision of change", partial(_of_change, ClassSums.precision)),
    _score("recall", "recall of change", partial(_of_change, ClassSums.recall)),
    _score("iou", "IoU of change", partial(_of_change, ClassSums.iou)),
    _score("f1_per_image", "F1 of change, mean over images", partial(_per_image, ClassSums.f1)),
    _score("precision_per_image", "precision of change, mean over images", partial(_per_image, ClassSums.precision)),
    _score("recall_per_image", "recall of change, mean over images", partial(_per_image, ClassSums.recall)),
    _score("overall_accuracy", "overall accuracy", _accuracy),
    _CALIBRATION_ERROR,
)
