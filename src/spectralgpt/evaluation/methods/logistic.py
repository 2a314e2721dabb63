"""Logistic regression: multinomial for one class per sample, one regression per class for several.

Minimizes the weighted mean log loss + s q / 2 |b|^2 over standardized features, with the strength s and q as in
`ridge.py`, per unit of weight. The coefficients lie in the span of the samples, so the fit runs on its principal axes:
the same answer, from a problem that is no larger than the samples, and with axes scaled by their curvature, from few
steps. From strong to weak, each fit starts where the last one ended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from spectralgpt.evaluation.descent import minimum
from spectralgpt.evaluation.linear import LinearReadOut, all_linear, mean_eigenvalue, softmax
from spectralgpt.evaluation.method import Fitted, Settings, Targets
from spectralgpt.evaluation.standardization import Standardization

LOGISTIC_STRENGTHS = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
TOLERANCE = 1e-4
"""Largest gradient of the mean loss at the end, on axes that are scaled to a curvature of about 1."""
ITERATIONS = 500
"""A fit that has not reached the tolerance by then is taken as it is: the choice judges it like the others."""
NEVER = -40.0
"""Intercept of a class that training never holds, where several are possible: a probability of 0 in float32."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """The method."""

    name: str = "logistic"
    title: str = "logistic regression"
    settings: Sequence[Settings] = tuple({"strength": strength} for strength in LOGISTIC_STRENGTHS)
    usual: Settings = field(default_factory=lambda: {"strength": 0.01})

    def fits(
        self, features: Float32[np.ndarray, "sample value"], targets: Targets, settings: Sequence[Settings], seed: int
    ) -> Sequence[Fitted]:
        """A read-out for each strength; nothing is drawn."""
        standardization = Standardization.of(features, targets.weight)
        standardized = standardization.of_features(features)
        share = targets.weight / targets.weight.sum()
        # features of mean square 1 on the axes that they have: q is 1, and the tolerance means the same for all
        unit = 1 / np.sqrt(mean_eigenvalue(standardized, share))
        axes = Axes.of(standardized * unit, share)
        strengths = [float(each["strength"]) for each in settings]
        order = np.argsort(strengths)[::-1]
        falling = [strengths[number] for number in order]
        solve = each_class if targets.several else one_of_all
        solved = dict(zip(order.tolist(), solve(axes, targets.truth, share, falling), strict=True))
        several = np.array(targets.several)
        return [
            LinearReadOut(standardization, axes.back @ coefficients * unit, intercept, several)
            for coefficients, intercept in (solved[number] for number in range(len(settings)))
        ]

    def all_probabilities(
        self, fitted: Sequence[Any], features: Float32[np.ndarray, "sample value"]
    ) -> Sequence[Float32[np.ndarray, "sample class"]]:
        """What each answers."""
        return all_linear(fitted, features)

    def restored(self, arrays: Mapping[str, np.ndarray]) -> Fitted:
        """The saved read-out."""
        return LinearReadOut.restored(arrays)


METHOD = Logistic()

Line = tuple[Float64[np.ndarray, "value class"], Float64[np.ndarray, " class"]]
"""Coefficients and intercepts."""


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """Samples on their principal axes, of which there are no more than samples.

    rows: the coordinates; back: the axes, one per column; spread: the mean square on each.
    """

    rows: Float64[np.ndarray, "sample axis"]
    back: Float64[np.ndarray, "value axis"]
    spread: Float64[np.ndarray, " axis"]

    @classmethod
    def of(cls, standardized: Float64[np.ndarray, "sample value"], share: Float64[np.ndarray, " sample"]) -> "Axes":
        """share: of each sample, which sum to 1."""
        samples, values = standardized.shape
        back = np.eye(values) if samples >= values else np.linalg.qr(standardized.T)[0]
        rows = standardized @ back
        spread, turn = np.linalg.eigh(rows.T @ (share[:, None] * rows))
        return cls(np.asarray(rows @ turn), np.asarray(back @ turn), np.maximum(spread, 0.0))


def one_of_all(
    axes: Axes,
    truth: Bool[np.ndarray, "sample class"],
    share: Float64[np.ndarray, " sample"],
    strengths: Sequence[float],
) -> list[Line]:
    """The multinomial regression for each strength; classes without a sample have no probability."""
    present = np.flatnonzero(truth.any(axis=0))
    lines = []
    for coefficients, intercept in regressions(axes, truth[:, present], share, strengths):
        wide = np.zeros((len(coefficients), truth.shape[1]))
        offset = np.full(truth.shape[1], -np.inf)
        wide[:, present], offset[present] = coefficients, intercept
        lines.append((wide, offset))
    return lines


def each_class(
    axes: Axes,
    truth: Bool[np.ndarray, "sample class"],
    share: Float64[np.ndarray, " sample"],
    strengths: Sequence[float],
) -> list[Line]:
    """A regression per class for each strength; a class that all samples have, or none, is constant."""
    lines = [(np.zeros((axes.rows.shape[1], truth.shape[1])), np.zeros(truth.shape[1])) for _ in strengths]
    for number, column in enumerate(truth.T):
        if column.all() or not column.any():
            for _, offset in lines:
                offset[number] = -NEVER if column.all() else NEVER
            continue
        found = regressions(axes, np.stack([~column, column], axis=1), share, strengths)
        for (wide, offset), (coefficients, intercept) in zip(lines, found, strict=True):
            # two columns of opposite scores: the second minus the first is the logit
            wide[:, number] = coefficients[:, 1] - coefficients[:, 0]
            offset[number] = intercept[1] - intercept[0]
    return lines


def regressions(
    axes: Axes,
    truth: Bool[np.ndarray, "sample class"],
    share: Float64[np.ndarray, " sample"],
    strengths: Sequence[float],
) -> list[Line]:
    """Coefficients on the axes for each strength, falling. truth: one class per sample, each with a sample.

    Of two classes the first has the score 0, as scikit-learn has it: one score, and its coefficients alone are kept
    small.
    """
    classes = truth.shape[1]
    fixed = 1 if classes <= 2 else 0
    line = np.zeros((axes.rows.shape[1], classes)), np.log(share @ truth)
    line[1][:] -= line[1][0] if fixed else 0.0
    lines = []
    for strength in strengths:
        line = _fitted(axes, truth, share, strength, line, fixed)
        lines.append(line)
    return lines


def _fitted(
    axes: Axes,
    truth: Bool[np.ndarray, "sample class"],
    share: Float64[np.ndarray, " sample"],
    strength: float,
    start: Line,
    fixed: int,
) -> Line:
    """From a start; the first `fixed` scores stay 0."""
    likely = softmax(axes.rows @ start[0] + start[1])
    bend = float(share @ (likely * (1 - likely)).mean(axis=1))
    # about the curvature on each axis and of the intercept; the penalty is on the axes alone
    factor = np.append(1 / np.sqrt(bend * axes.spread + strength), 1 / np.sqrt(bend + TOLERANCE))
    rows = np.concatenate([axes.rows, np.ones((len(truth), 1))], axis=1) * factor
    penalty = np.append(strength * np.square(factor[:-1]), 0.0)[:, None]
    shape = len(factor), truth.shape[1] - fixed
    wide = np.zeros((len(factor), truth.shape[1]))

    def loss(numbers: Float64[np.ndarray, " number"]) -> tuple[float, Float64[np.ndarray, " number"]]:
        free = numbers.reshape(shape)
        wide[:, fixed:] = free
        scores = rows @ wide
        scores -= scores.max(axis=1, keepdims=True)
        grown = np.exp(scores)
        total = grown.sum(axis=1)
        value = share @ (np.log(total) - scores[truth]) + 0.5 * float((penalty * np.square(free)).sum())
        error = (grown / total[:, None] - truth)[:, fixed:] * share[:, None]
        return float(value), (rows.T @ error + penalty * free).ravel()

    began = np.concatenate([start[0], start[1][None]])[:, fixed:] / factor[:, None]
    found = minimum(loss, began.ravel(), TOLERANCE, ITERATIONS).reshape(shape) * factor[:, None]
    wide[:, fixed:] = found
    return wide[:-1].copy(), wide[-1].copy()
