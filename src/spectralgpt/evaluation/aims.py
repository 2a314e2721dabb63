"""What a choice aims at, for each kind of labels: the score that judges settings, and the thresholds.

These are scores for choosing, on probabilities and weights; what is reported is computed from tables of counts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

Truth = Bool[np.ndarray, "sample class"]
Likely = Float32[np.ndarray, "sample class"]
Weight = Float64[np.ndarray, " sample"]

TIE = 1e-12
"""Scores that differ by less are equal: the order of a sum in float64 may change so much."""


@dataclass(frozen=True, slots=True)
class Aim:
    """name: of the score, in words. score: the higher the better, in [0, 1]. second: decides between settings of equal
    score, the higher the better. thresholds: one per class where a sample may have several, one for two classes per
    pixel; None: the likeliest class is the answer."""

    name: str
    score: Callable[[Truth, Likely, Weight], float]
    second: Callable[[Truth, Likely, Weight], float]
    thresholds: Callable[[Truth, Likely, Weight], Float64[np.ndarray, " threshold"]] | None = None


def answers(
    probabilities: Float32[np.ndarray, "*axes class"], thresholds: Float64[np.ndarray, " threshold"] | None
) -> Bool[np.ndarray, "*axes class"]:
    """What is answered: the likeliest class (the first of equal ones); with one threshold for two classes, the second
    class from it on; with one per class, each class from its own on."""
    classes = probabilities.shape[-1]
    if thresholds is None:
        return np.asarray(probabilities.argmax(axis=-1)[..., None] == np.arange(classes))
    exact = probabilities.astype(np.float64)
    if len(thresholds) == classes:
        return np.asarray(exact >= thresholds)
    second = exact[..., 1] >= thresholds[0]
    return np.stack([~second, second], axis=-1)


def accuracy(truth: Truth, probabilities: Likely, weight: Weight) -> float:
    """Share of the weight with the right likeliest class."""
    return float(weight @ (truth & answers(probabilities, None)).any(axis=1) / weight.sum())


def log_likelihood(truth: Truth, probabilities: Likely, weight: Weight) -> float:
    """Mean logarithm of the probability of what is true, over samples and classes."""
    likely = np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)
    each = np.where(truth, np.log(likely), np.log1p(-likely)).mean(axis=1)
    return float(weight @ each / weight.sum())


def mean_average_precision(truth: Truth, probabilities: Likely, weight: Weight) -> float:
    """Mean over the classes that occur; 0 if none does."""
    found = [
        average_precision(truth[:, number], probabilities[:, number], weight)
        for number in np.flatnonzero(truth.any(axis=0))
    ]
    return float(np.mean(found)) if found else 0.0


def average_precision(
    positive: Bool[np.ndarray, " sample"], scores: Float32[np.ndarray, " sample"], weight: Weight
) -> float:
    """Precision at each score, weighted by the recall that it adds; equal scores count as one. One positive or more."""
    hits, misses, _ = _cuts(positive, scores, weight)
    return float(np.diff(hits, prepend=0.0) @ (hits / (hits + misses)) / hits[-1])


def mean_iou(truth: Truth, probabilities: Likely, weight: Weight) -> float:
    """Mean over the classes that occur in the truth of intersection / union of the weights."""
    answered = answers(probabilities, None)
    intersection = weight @ (truth & answered)
    union = weight @ (truth | answered)
    present = truth.any(axis=0)
    return float((intersection[present] / union[present]).mean()) if present.any() else 0.0


def best_f1(truth: Truth, probabilities: Likely, weight: Weight) -> float:
    """F1 of the second of two classes, at its best threshold."""
    return _best_cut(truth[:, 1], probabilities[:, 1], weight)[0]


def class_thresholds(truth: Truth, probabilities: Likely, weight: Weight) -> Float64[np.ndarray, " threshold"]:
    """Those that maximize the F1 of each class; 1/2 for a class that never occurs."""
    return np.array([_best_cut(truth[:, c], probabilities[:, c], weight)[1] for c in range(truth.shape[1])], np.float64)


def second_threshold(truth: Truth, probabilities: Likely, weight: Weight) -> Float64[np.ndarray, " threshold"]:
    """The one that maximizes the F1 of the second class."""
    return np.array([_best_cut(truth[:, 1], probabilities[:, 1], weight)[1]], np.float64)


def best_mean_iou(truth: Truth, probabilities: Likely, weight: Weight) -> float:
    """Mean IoU of two classes at its best threshold."""
    return _best_areas(truth, probabilities, weight)[0]


def area_threshold(truth: Truth, probabilities: Likely, weight: Weight) -> Float64[np.ndarray, " threshold"]:
    """The one that maximizes the mean IoU of two classes; which of them comes second does not matter."""
    return np.array([_best_areas(truth, probabilities, weight)[1]], np.float64)


ONE_CLASS = Aim("accuracy", accuracy, log_likelihood)
SEVERAL = Aim("mean average precision", mean_average_precision, log_likelihood, class_thresholds)
AREAS = Aim("mean IoU", mean_iou, log_likelihood)
TWO_AREAS = Aim("mean IoU at its best threshold", best_mean_iou, log_likelihood, area_threshold)
BINARY_CHANGE = Aim("F1 at its best threshold", best_f1, log_likelihood, second_threshold)

AIMS: Mapping[str, Aim] = {"class": ONE_CLASS, "classes": SEVERAL, "mask": AREAS, "change": BINARY_CHANGE}
"""By kind of labels."""


def aim_of(kind: str, classes: int) -> Aim:
    """What a choice aims at, for labels of this kind. A mask of two classes, like water or not, has a threshold."""
    return TWO_AREAS if kind == "mask" and classes == 2 else AIMS[kind]


def _cuts(
    positive: Bool[np.ndarray, " sample"], scores: Float32[np.ndarray, " sample"], weight: Weight
) -> tuple[Float64[np.ndarray, " cut"], Float64[np.ndarray, " cut"], Float64[np.ndarray, " cut"]]:
    """Weight of hits and of misses at or above each score that occurs, from the highest on, and these scores."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order].astype(np.float64)
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    hits = np.cumsum(np.where(positive[order], weight[order], 0.0))[last]
    misses = np.cumsum(np.where(positive[order], 0.0, weight[order]))[last]
    return hits, misses, ordered[last]


def _best_cut(
    positive: Bool[np.ndarray, " sample"], scores: Float32[np.ndarray, " sample"], weight: Weight
) -> tuple[float, float]:
    """The best F1, and its threshold."""
    if not positive.any():
        return 0.0, 0.5
    hits, misses, levels = _cuts(positive, scores, weight)
    return _middle_of_the_best(2 * hits / (hits + misses + hits[-1]), levels)


def _best_areas(truth: Truth, probabilities: Likely, weight: Weight) -> tuple[float, float]:
    """The best mean IoU of two classes, and its threshold; 1/2 where only one occurs."""
    if not truth.any(axis=0).all():
        return mean_iou(truth, probabilities, weight), 0.5
    hits, misses, levels = _cuts(truth[:, 1], probabilities[:, 1], weight)
    second = hits / (hits[-1] + misses)
    first = (misses[-1] - misses) / (misses[-1] + hits[-1] - hits)
    return _middle_of_the_best((first + second) / 2, levels)


def _middle_of_the_best(
    scores: Float64[np.ndarray, " cut"], levels: Float64[np.ndarray, " cut"]
) -> tuple[float, float]:
    """The best score, and its threshold: halfway to the next lower level; of equally good ones, the middle."""
    best = np.flatnonzero(scores >= scores.max() - TIE)
    cut = int(best[len(best) // 2])
    below = levels[cut + 1] if cut + 1 < len(levels) else 0.0
    return float(scores.max()), float((levels[cut] + below) / 2)
