"""Tables that the tests of scores share, and how a test shows that it notices a broken rule."""

from contextlib import AbstractContextManager

import numpy as np
import pytest

from spectralgpt.metrics import CHANGE_SCORES, CLASS_SCORES, LABEL_SCORES, MASK_SCORES, ConfusionCounts, LabelTable

KINDS = {"class": CLASS_SCORES, "classes": LABEL_SCORES, "mask": MASK_SCORES, "change": CHANGE_SCORES}
"""The scores by kind of target."""


def probabilities(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Of classes that exclude each other, in the last axis."""
    raw = random.random(shape, dtype=np.float32) ** 3 + np.float32(1e-3)
    return (raw / raw.sum(axis=-1, keepdims=True)).astype(np.float32)


def table(kind: str, seed: int, images: int = 20, classes: int = 4) -> ConfusionCounts | LabelTable:
    """A table of this kind, in which predictions are better than chance."""
    random = np.random.default_rng(seed)
    if kind == "classes":
        truth = random.random((images, classes)) < 0.3
        scores = np.round(0.4 * truth + 0.6 * random.random((images, classes)), 1).astype(np.float32)  # with ties
        return LabelTable(truth, scores > 0.45, scores)
    if kind == "class":
        truth = random.integers(0, classes, images)
        likely = probabilities(random, images, classes)
        predicted = np.where(random.random(images) < 0.5, truth, likely.argmax(axis=1))
        return ConfusionCounts.of_classes(truth, predicted, classes, likely)
    classes = 2 if kind == "change" else classes
    return ConfusionCounts.joined([image(random, classes) for _ in range(images)])


def image(random: np.random.Generator, classes: int) -> ConfusionCounts:
    """The table of a small image with ignored pixels and pixels without an answer."""
    truth = random.integers(-1, classes, (5, 7)).astype(np.int16)
    predicted = np.where(random.random((5, 7)) < 0.5, truth, random.integers(-1, classes, (5, 7)))
    return ConfusionCounts.of_mask(truth, predicted, classes, probabilities(random, 5, 7, classes))


def value(scores, name: str, of) -> float:
    """The score of this name of a table."""
    return next(score for score in scores if score.name == name).of(of)


def noticed() -> AbstractContextManager[object]:
    """Within it an assertion fails: the rule that it checks was just broken."""
    return pytest.raises(AssertionError)


def names(scores) -> list[str]:
    return [score.name for score in scores]
