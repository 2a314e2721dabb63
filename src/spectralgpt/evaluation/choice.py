"""Choosing: settings and thresholds by samples that a read-out was not fitted to, and then the final fit.

With folds, every sample is judged once and the final fit is on all of them. With a validation part there is one pair
(training, validation), and the final fit is on the training part alone, so that the thresholds belong to a read-out
that did not see the samples they were chosen on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from spectralgpt.evaluation.aims import TIE, Aim
from spectralgpt.evaluation.method import Fitted, Method, Setting, Targets

Pair = tuple[Int64[np.ndarray, "_"], Int64[np.ndarray, "_"]]
"""Samples to fit to, and samples to judge by."""


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """Settings and their score on the judged samples."""

    method: str
    settings: Setting
    score: float
    second: float


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A read-out with everything that was chosen.

    thresholds: None where the likeliest class is the answer. samples: the indices that it was fitted to. judged:
    indices of the samples that chose; out_of_fold: their probabilities by the fits that did not see them; score: of
    these, nan where nothing was chosen. tried: all that was compared.
    """

    method: str
    settings: Setting
    fitted: Fitted
    thresholds: Float64[np.ndarray, " threshold"] | None
    samples: Int64[np.ndarray, " sample"]
    judged: Int64[np.ndarray, " judged"]
    out_of_fold: Float32[np.ndarray, "judged class"] | None
    score: float
    second: float
    tried: tuple[Tried, ...]


def choose(
    method: Method,
    features: Float32[np.ndarray, "sample value"],
    targets: Targets,
    inner: Sequence[Pair],
    aim: Aim,
    seed: int,
    *,
    samples: Int64[np.ndarray, " fit"] | None = None,
) -> Chosen:
    """The best settings by the judged samples, fitted to all samples of any fit part.

    Of equally good settings (score, then the aim's second), the simplest. Without pairs nothing is chosen: the usual
    settings, thresholds 1/2, fitted to `samples`.
    """
    if not inner:
        assert samples is not None, "nothing to fit to"
        return _usual(method, features, targets, samples, aim, seed)
    judged = np.concatenate([judge for _, judge in inner])
    answers = _out_of_fold(method, features, targets, inner, seed)
    truth = targets.take(judged)
    tried = tuple(
        Tried(method.name, settings, aim.score(truth.truth, each, truth.weight), _second(aim, truth, each))
        for settings, each in zip(method.settings, answers, strict=True)
    )
    best = best_of(tried)
    everything = np.unique(np.concatenate([fit for fit, _ in inner]))
    (fitted,) = method.fits(features[everything], targets.take(everything), [method.settings[best]], seed)
    thresholds = aim.thresholds and aim.thresholds(truth.truth, answers[best], truth.weight)
    won = tried[best]
    return Chosen(
        method.name, won.settings, fitted, thresholds, everything, judged, answers[best], won.score, won.second, tried
    )


def best_of(tried: Sequence[Tried | Chosen]) -> int:
    """The number of the best by score, then by the second score; of equal ones the first."""
    best = 0
    for number, each in enumerate(tried):
        leads = each.score - tried[best].score
        if leads > TIE or (leads >= -TIE and each.second > tried[best].second + TIE):
            best = number
    return best


def _second(aim: Aim, truth: Targets, probabilities: Float32[np.ndarray, "judged class"]) -> float:
    return aim.second(truth.truth, probabilities, truth.weight)


def _out_of_fold(
    method: Method, features: Float32[np.ndarray, "sample value"], targets: Targets, inner: Sequence[Pair], seed: int
) -> list[Float32[np.ndarray, "judged class"]]:
    """For each of the settings, the probabilities of all judged samples."""
    parts = []
    for fit, judge in inner:
        fitted = method.fits(features[fit], targets.take(fit), method.settings, seed)
        parts.append(method.all_probabilities(fitted, features[judge]))
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def _usual(
    method: Method,
    features: Float32[np.ndarray, "sample value"],
    targets: Targets,
    samples: Int64[np.ndarray, " fit"],
    aim: Aim,
    seed: int,
) -> Chosen:
    (fitted,) = method.fits(features[samples], targets.take(samples), [method.usual], seed)
    thresholds = np.full(targets.classes if targets.several else 1, 0.5) if aim.thresholds else None
    nobody, nan = np.empty(0, np.int64), float("nan")
    return Chosen(method.name, method.usual, fitted, thresholds, samples, nobody, None, nan, nan, ())
