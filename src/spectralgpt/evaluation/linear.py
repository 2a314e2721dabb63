"""A linear read-out of standardized features, and how scores become probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64

from spectralgpt.evaluation.standardization import Standardization

ROWS = 16384
"""Samples that are read out at once: float64 copies of more would fill the memory."""


def mean_eigenvalue(standardized: Float64[np.ndarray, "sample value"], weight: Float64[np.ndarray, " sample"]) -> float:
    """Of the weighted covariance, times the total weight, over the eigenvalues that are not 0 in general: as many as
    samples, or as values that are not constant, whichever are fewer."""
    rank = min(len(standardized), int(standardized.any(axis=0).sum()))
    mean = weight @ standardized / weight.sum()
    trace = weight @ np.square(standardized - mean).sum(axis=1)
    return max(float(trace) / max(rank, 1), float(np.finfo(np.float64).tiny))


def softmax(scores: Float64[np.ndarray, "*axes class"]) -> Float64[np.ndarray, "*axes class"]:
    """Probabilities that sum to 1; a class with the score -inf has none."""
    grown = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def sigmoid(scores: Float64[np.ndarray, "*axes"]) -> Float64[np.ndarray, "*axes"]:
    """The probability of each score alone."""
    # tanh overflows for no score
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scores))


@dataclass(frozen=True, slots=True, eq=False)
class LinearReadOut:
    """Probabilities are the softmax of `standardized features @ coefficients + intercept`, or the sigmoid where a
    sample may have several classes. (An intercept of -inf: a class that training did not hold.)"""

    standardization: Standardization
    coefficients: Float64[np.ndarray, "value class"]
    intercept: Float64[np.ndarray, " class"]
    several: Bool[np.ndarray, ""]

    def probabilities(self, features: Float32[np.ndarray, "sample value"]) -> Float32[np.ndarray, "sample class"]:
        """Of each class."""
        return all_linear([self], features)[0]

    def arrays(self) -> Mapping[str, np.ndarray]:
        """What is saved."""
        own = {"coefficients": self.coefficients, "intercept": self.intercept, "several": self.several}
        return {**self.standardization.arrays(), **own}

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> "LinearReadOut":
        """The one that `arrays` describes."""
        own = (np.asarray(arrays[name]) for name in ("coefficients", "intercept", "several"))
        return cls(Standardization.restored(arrays), *own)


def all_linear(
    fitted: Sequence[LinearReadOut], features: Float32[np.ndarray, "sample value"]
) -> list[Float32[np.ndarray, "sample class"]]:
    """Answers of read-outs that share their standardization, which is done once."""
    answers = [np.empty((len(features), len(one.intercept)), np.float32) for one in fitted]
    for start in range(0, len(features), ROWS):
        rows = slice(start, start + ROWS)
        values = fitted[0].standardization.of_features(features[rows])
        for one, answer in zip(fitted, answers, strict=True):
            scores = values @ one.coefficients + one.intercept
            answer[rows] = sigmoid(scores) if one.several else softmax(scores)
    return answers
