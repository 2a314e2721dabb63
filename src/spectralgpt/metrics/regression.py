"""How far linear regression is from a band, from the other bands of the same pixel: from sums alone, in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from spectralgpt.metrics.simple import WaySums

LEAST_VARIANCE = 1e-12
"""Smaller variances, as a share of the mean square, are rounding errors of the sums."""

LEAST_DIRECTION = 1e-9
"""Smaller variances of a combination of standardized bands, as a share of the largest, are taken as 0."""


@dataclass(frozen=True, slots=True, eq=False)
class RegressionSums:
    """Sums over the pixels of two halves of a scene, for linear regressions fitted on one and scored on the other.

    products: of the columns 1, the visible bands, and the hidden band, per hidden band over the pixels where it is to
    be estimated. model: of the model's squared error there.
    """

    products: Float64[np.ndarray, "half target column column"]
    model: Float64[np.ndarray, "half target"]

    @classmethod
    def of(
        cls,
        truth: Float32[np.ndarray, "date band row column"],
        prediction: Float64[np.ndarray, "date band row column"],
        scored: Bool[np.ndarray, "date band row column"],
        visible: Bool[np.ndarray, "date band row column"],
        second: Bool[np.ndarray, "row column"],
        predictors: Sequence[int],
        targets: Sequence[int],
    ) -> "RegressionSums":
        """The sums of one part of a scene; truth and prediction in reflectance.

        scored: where a target is to be estimated. visible: values that the regression may use; a predictor that is not
        takes the mean of those that are, and pixels without any are left out. second: the pixels of the second half.
        """
        usable, filled = _filled(truth[:, predictors], visible[:, predictors])
        products = np.zeros((2, len(targets), len(predictors) + 2, len(predictors) + 2))
        model = np.zeros((2, len(targets)))
        for half, inside in enumerate((~second, second)):
            for number, target in enumerate(targets):
                there = scored[:, target] & usable & inside
                exact = truth[:, target][there].astype(np.float64)
                columns = np.column_stack([np.ones_like(exact), filled[there], exact])
                products[half, number] = columns.T @ columns
                model[half, number] = ((prediction[:, target][there] - exact) ** 2).sum()
        return cls(products, model)

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> "RegressionSums":
        """The sums from what `notes` returned."""
        return cls(np.array(notes["products"], np.float64), np.array(notes["model"], np.float64))

    @property
    def notes(self) -> dict[str, Any]:
        """The sums as plain values."""
        return {"products": self.products.tolist(), "model": self.model.tolist()}

    def __add__(self, other: "RegressionSums") -> "RegressionSums":
        return RegressionSums(self.products + other.products, self.model + other.model)

    def scored(self, targets: Sequence[int], bands: int) -> WaySums:
        """The errors of each half by the regression fitted on the other, of `bands` bands; none where that has fewer
        pixels than columns."""
        result = WaySums.empty(1, bands).sums
        for half in (0, 1):
            for number, target in enumerate(targets):
                error = _fitted(self.products[1 - half, number])
                if error is not None:
                    here = self.products[half, number]
                    squares = max(0.0, float(error @ here @ error))
                    result[:, target] += (here[0, 0], self.model[half, number], squares)
        return WaySums(result)


def _filled(
    truth: Float32[np.ndarray, "date predictor row column"], visible: Bool[np.ndarray, "date predictor row column"]
) -> tuple[Bool[np.ndarray, "date row column"], Float64[np.ndarray, "date row column predictor"]]:
    """Pixels with a visible predictor, and all predictors there, with the mean of the visible ones in the others."""
    usable = np.asarray(visible.any(axis=1))
    shown = np.where(visible, truth, 0.0).astype(np.float64)
    mean = shown.sum(axis=1) / np.maximum(visible.sum(axis=1), 1)
    return usable, np.moveaxis(np.where(visible, shown, mean[:, None]), 1, -1)


def _fitted(products: Float64[np.ndarray, "column column"]) -> Float64[np.ndarray, " column"] | None:
    """What a row of columns (1, predictors, target) is multiplied by to give the error of the least squares fit; None
    for fewer rows than columns."""
    count, columns = products[0, 0], len(products) - 1
    if count <= columns:
        return None
    mean, squares = products[0, 1:] / count, products[1:, 1:] / count
    scale = np.sqrt(np.maximum(np.diag(squares) - mean**2, LEAST_VARIANCE * np.diag(squares)))
    scale[scale == 0] = 1.0
    correlation = (squares - np.outer(mean, mean)) / np.outer(scale, scale)
    inverse = np.linalg.pinv(correlation[:-1, :-1], rcond=LEAST_DIRECTION, hermitian=True)
    slopes = inverse @ correlation[:-1, -1] * scale[-1] / scale[:-1]
    return np.concatenate([[slopes @ mean[:-1] - mean[-1]], -slopes, [1.0]])
