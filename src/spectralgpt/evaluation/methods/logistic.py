"""Logistic regression: multinomial for one class per sample, one regression per class for several.

Minimizes the weighted mean log loss + s q / 2 |b|^2 over standardized features, with the strength s and q as in
`ridge.py`, per unit of weight. With fewer samples than values, the coefficients lie in the span of the samples, so the
fit runs in that space: the same answer, from a smaller problem. From strong to weak, each fit starts where the last
one ended.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64

from spectralgpt.evaluation.linear import LinearReadOut, all_linear, mean_eigenvalue
from spectralgpt.evaluation.method import Fitted, Setting, Targets
from spectralgpt.evaluation.standardization import FeatureParts, Standardization

LOGISTIC_STRENGTHS = (10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
TOLERANCE = 3e-4
"""Largest gradient of the mean loss at the end."""
ITERATIONS = 200
"""A fit that has not reached the tolerance by then is taken as it is: the choice judges it like the others."""
NEVER = -40.0
"""Intercept of a class that training never holds, where several are possible: a probability of 0 in float32."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """The method."""

    name: str = "logistic"
    title: str = "logistic regression"
    settings: Sequence[Setting] = tuple({"strength": strength} for strength in LOGISTIC_STRENGTHS)
    usual: Setting = field(default_factory=lambda: {"strength": 0.01})
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
        standardized = standardization.of_features(features)
        rows, back = in_span(standardized)
        share = targets.weight / targets.weight.sum()
        # features of mean square 1 on the axes that they have: q is 1, and the tolerance means the same for all
        unit = 1 / np.sqrt(mean_eigenvalue(standardized, share))
        strengths = [float(each["strength"]) for each in settings]
        order = np.argsort(strengths)[::-1]
        costs = [1 / strengths[number] for number in order]
        solve = each_class if targets.several else one_of_all
        solved = dict(zip(order.tolist(), solve(rows * unit, targets.truth, share, costs), strict=True))
        several = np.array(targets.several)
        return [
            LinearReadOut(standardization, back @ coefficients * unit, intercept, several)
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


def in_span(
    standardized: Float64[np.ndarray, "sample value"],
) -> tuple[Float64[np.ndarray, "sample coordinate"], Float64[np.ndarray, "value coordinate"]]:
    """Coordinates of the samples on orthogonal axes, and the axes: as few as there are samples."""
    samples, values = standardized.shape
    if samples >= values:
        return standardized, np.eye(values)
    axes, _ = np.linalg.qr(standardized.T)
    return np.asarray(standardized @ axes), np.asarray(axes)


def one_of_all(
    rows: Float64[np.ndarray, "sample value"],
    truth: Bool[np.ndarray, "sample class"],
    share: Float64[np.ndarray, " sample"],
    costs: Sequence[float],
) -> list[Line]:
    """The multinomial regression for each cost; classes without a sample have no probability."""
    labels = truth.argmax(axis=1)
    present = np.flatnonzero(truth.any(axis=0))
    lines = []
    for coefficients, intercept in regressions(rows, labels, share, costs):
        wide = np.zeros((rows.shape[1], truth.shape[1]))
        offset = np.full(truth.shape[1], -np.inf)
        wide[:, present], offset[present] = coefficients, intercept
        lines.append((wide, offset))
    return lines


def each_class(
    rows: Float64[np.ndarray, "sample value"],
    truth: Bool[np.ndarray, "sample class"],
    share: Float64[np.ndarray, " sample"],
    costs: Sequence[float],
) -> list[Line]:
    """A regression per class for each cost; a class that all samples have, or none, is constant."""
    lines = [(np.zeros((rows.shape[1], truth.shape[1])), np.zeros(truth.shape[1])) for _ in costs]
    for number, column in enumerate(truth.T):
        if column.all() or not column.any():
            for _, offset in lines:
                offset[number] = -NEVER if column.all() else NEVER
            continue
        found = regressions(rows, column.astype(np.int64), share, costs)
        for (wide, offset), (coefficients, intercept) in zip(lines, found, strict=True):
            # two columns of opposite scores: the second minus the first is the logit
            wide[:, number] = coefficients[:, 1] - coefficients[:, 0]
            offset[number] = intercept[1] - intercept[0]
    return lines


def regressions(
    rows: Float64[np.ndarray, "sample value"],
    labels: np.ndarray,
    share: Float64[np.ndarray, " sample"],
    costs: Sequence[float],
) -> list[Line]:
    """One column per label that occurs, for each cost (scikit-learn's C for weights that sum to 1), rising."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    count = len(np.unique(labels))
    if count == 1:
        return [(np.zeros((rows.shape[1], 1)), np.zeros(1)) for _ in costs]
    # Two labels: the Hessian is small, and Newton's method needs a few steps where L-BFGS needs hundreds.
    solver = "newton-cholesky" if count == 2 and rows.shape[1] <= 512 else "lbfgs"
    model = LogisticRegression(solver=solver, tol=TOLERANCE, max_iter=ITERATIONS, warm_start=True)
    lines = []
    for cost in costs:
        model.C = cost
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows, labels, sample_weight=share)
        coefficients, intercept = model.coef_.T, model.intercept_
        if count == 2:  # of the second alone
            coefficients = np.concatenate([np.zeros_like(coefficients), coefficients], axis=1)
            intercept = np.concatenate([np.zeros(1), intercept])
        lines.append((coefficients.copy(), intercept.copy()))
    return lines
