"""Ridge regression of +1 (the class) and -1 (not the class), every strength from one decomposition.

Minimizes sum_i w_i (y_i - x_i b - c)^2 + s q |b|^2 over standardized features x, where s is the strength and q the mean
of the eigenvalues that are not 0 in general, trace(X' W X) / min(samples, values): so a strength means the same for any
number of samples and values, and for weights times any factor.

Scores become probabilities by the softmax (several classes: the sigmoid) of t times the score. The temperature t
minimizes the log loss of the scores that each sample has when it is left out, which ridge regression knows without a
further fit: y_i - r_i / (1 - h_i), with the residual r_i and the diagonal h_i of the hat matrix.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from spectralgpt.evaluation.linear import LinearReadOut, all_linear, mean_eigenvalue, sigmoid, softmax
from spectralgpt.evaluation.method import Fitted, Setting, Targets
from spectralgpt.evaluation.standardization import FeatureParts, Standardization

STRENGTHS = tuple(10.0**power for power in range(2, -8, -1))
COOLEST, HOTTEST = 2.0**-6, 2.0**8
"""Bounds of the temperature; without errors of the scores it would be infinite."""
JUDGES = 5000
"""Of more samples, every second, third ... sets the temperature: one number does not need them all."""


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """Of the weighted, centred features sqrt(w) (x - mean) = left sqrt(eigenvalues) right': what turns targets into
    coefficients for any strength."""

    eigenvalues: Float64[np.ndarray, " rank"]
    left: Float64[np.ndarray, "sample rank"]
    back: Float64[np.ndarray, "rank value"]
    """Coefficients b = back' (left' y~ / (eigenvalues + penalty))."""
    mean: Float64[np.ndarray, " value"]
    scale: float
    """q, of the penalty per strength."""

    @classmethod
    def of(
        cls, standardized: Float64[np.ndarray, "sample value"], weight: Float64[np.ndarray, " sample"]
    ) -> "Decomposition":
        """By the eigenvalues of samples or of values, whichever are fewer."""
        samples, values = standardized.shape
        mean = weight @ standardized / weight.sum()
        rows = np.sqrt(weight)[:, None] * (standardized - mean)
        scale = mean_eigenvalue(standardized, weight)
        if samples <= values:
            eigenvalues, left = np.linalg.eigh(rows @ rows.T)
            eigenvalues = np.maximum(eigenvalues, 0.0)
            return cls(eigenvalues, left, left.T @ rows, mean, scale)
        eigenvalues, right = np.linalg.eigh(rows.T @ rows)
        eigenvalues = np.maximum(eigenvalues, 0.0)
        # left = rows @ right / sqrt(eigenvalues), and back = sqrt(eigenvalues) * right'; the root is not defined at 0
        root = np.sqrt(eigenvalues)
        divisor = np.where(root > 0, root, 1.0)
        return cls(eigenvalues, np.where(root > 0, rows @ right / divisor, 0.0), root[:, None] * right.T, mean, scale)

    def coefficients(
        self, projected: Float64[np.ndarray, "rank class"], strength: float
    ) -> Float64[np.ndarray, "value class"]:
        """Of one strength. projected: left' times the weighted, centred targets."""
        return np.asarray(self.back.T @ (projected / (self.eigenvalues + strength * self.scale)[:, None]))

    def left_out_errors(
        self,
        centred: Float64[np.ndarray, "sample class"],
        projected: Float64[np.ndarray, "rank class"],
        weight: Float64[np.ndarray, " sample"],
        strength: float,
    ) -> Float64[np.ndarray, "sample class"]:
        """Target minus score of each sample, by the fit to the others, r / (1 - h). centred: weighted, centred
        targets."""
        # what is left of each direction of the targets
        shrunk = self.eigenvalues / (self.eigenvalues + strength * self.scale)
        residual = (centred - self.left @ (shrunk[:, None] * projected)) / np.sqrt(weight)[:, None]
        hat = np.square(self.left) @ shrunk + weight / weight.sum()
        return np.asarray(residual / np.maximum(1 - hat, 1e-6)[:, None])


@dataclass(frozen=True, slots=True)
class Ridge:
    """The method."""

    name: str = "ridge"
    title: str = "ridge regression"
    settings: Sequence[Setting] = tuple({"strength": strength} for strength in STRENGTHS)
    usual: Setting = field(default_factory=lambda: {"strength": 1.0})
    parts: FeatureParts = ()

    def fits(
        self,
        features: Float32[np.ndarray, "sample value"],
        targets: Targets,
        settings: Sequence[Setting],
        seed: int,
    ) -> Sequence[Fitted]:
        """A read-out for each strength; nothing is drawn."""
        standardization = Standardization.of(features, targets.weight, self.parts)
        decomposition = Decomposition.of(standardization.of_features(features), targets.weight)
        signs = np.where(targets.truth, 1.0, -1.0)
        centre = targets.weight @ signs / targets.weight.sum()
        centred = np.sqrt(targets.weight)[:, None] * (signs - centre)
        projected = decomposition.left.T @ centred
        absent = ~targets.truth.any(axis=0) & (not targets.several)
        fitted = []
        for each in settings:
            strength = float(each["strength"])
            left_out = signs - decomposition.left_out_errors(centred, projected, targets.weight, strength)
            heat = temperature(left_out, targets.truth, targets.weight, targets.several)
            coefficients = heat * decomposition.coefficients(projected, strength)
            # a class without samples has the score -1 everywhere, which is not always the lowest
            intercept = np.where(absent, -np.inf, heat * centre - decomposition.mean @ coefficients)
            fitted.append(LinearReadOut(standardization, coefficients, intercept, np.array(targets.several)))
        return fitted

    def all_probabilities(
        self, fitted: Sequence[Any], features: Float32[np.ndarray, "sample value"]
    ) -> Sequence[Float32[np.ndarray, "sample class"]]:
        """What each answers."""
        return all_linear(fitted, features)

    def restored(self, arrays: Mapping[str, np.ndarray]) -> Fitted:
        """The saved read-out."""
        return LinearReadOut.restored(arrays)


METHOD = Ridge()


def temperature(
    scores: Float64[np.ndarray, "sample class"],
    truth: Bool[np.ndarray, "sample class"],
    weight: Float64[np.ndarray, " sample"],
    several: bool,
) -> float:
    """The factor of the scores that minimizes the log loss, by Newton's method: the loss is convex in it."""
    step = -(-len(scores) // JUDGES)
    scores, truth, weight = scores[::step], truth[::step], weight[::step]
    share = weight / weight.sum()
    heat = 1.0
    for _ in range(20):
        if several:
            likely = sigmoid(heat * scores)
            slope = share @ ((likely - truth) * scores).sum(axis=1)
            bend = share @ (likely * (1 - likely) * np.square(scores)).sum(axis=1)
        else:
            likely = softmax(heat * scores)
            mean = (likely * scores).sum(axis=1)
            slope = share @ (mean - (truth * scores).sum(axis=1))
            bend = share @ ((likely * np.square(scores)).sum(axis=1) - np.square(mean))
        wanted = heat - slope / max(float(bend), 1e-12)
        before, heat = heat, float(np.clip(wanted, max(heat / 4, COOLEST), min(heat * 4, HOTTEST)))
        if abs(heat - before) <= 1e-4 * heat:
            break
    return heat
