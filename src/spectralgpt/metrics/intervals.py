"""How far scores vary with the places of the test: intervals by bootstrap over places."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from spectralgpt.draws import keys, uniform
from spectralgpt.metrics.scores import ImageTable, Score

_MOST_WEIGHTS = 2**22
"""Weights (draws x images) in memory at a time."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A score of all images, and the limits within which it varies when the places are drawn again; the limits are nan
    where there is only one place, or no draw with a defined score."""

    value: float
    low: float
    high: float


def bootstrap(
    tables: Sequence[ImageTable],
    score: Score,
    places: Int64[np.ndarray, " image"],
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """A score with its interval over places.

    tables: one per repeat (of folds, of training draws), each with the same images in the same order; the value is the
    mean over repeats. places: a number per image; all images of a place are drawn together, as images of one place
    resemble each other. The same draw is taken in all repeats.

    The limits are percentiles of the scores of draws, moved by a constant so that the mean draw is the value: in a draw
    images occur several times, which alone raises average precision (with 12 images of a class by 0.02) and lowers
    scores of classes that then have fewer distinct images.

    The interval covers the choice of the test's places: what the score would be on other places like these. It does not
    cover other training data or seeds, which the repeats average over, nor places of another kind, and it is too narrow
    for fewer than about 20 places. A draw without a defined score is left out; means over classes run over the classes
    that a draw's truth contains.
    """
    return _interval([tables], score, places, draws, seed, level)


def paired_difference(
    tables: Sequence[ImageTable],
    others: Sequence[ImageTable],
    score: Score,
    places: Int64[np.ndarray, " image"],
    *,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """How much more `tables` score than `others`, with the interval of this difference: both are scored on the same
    draws of places, so what makes a draw hard for both cancels. Otherwise as `bootstrap`, which draws the same places;
    the numbers of repeats may differ."""
    return _interval([tables, others], score, places, draws, seed, level)


def _interval(
    sides: Sequence[Sequence[ImageTable]],
    score: Score,
    places: Int64[np.ndarray, " image"],
    draws: int,
    seed: int,
    level: float,
) -> Interval:
    for tables in sides:
        if not tables or any(len(table) != len(places) for table in tables):
            sizes = [len(table) for table in tables]
            raise ValueError(f"found tables of {sizes} images; expected one or more of {len(places)}")
    value = float(_difference(sides, score, np.ones((1, len(places))))[0])
    found, place = np.unique(places, return_inverse=True)
    if len(found) < 2:
        return Interval(value, math.nan, math.nan)
    step = max(1, _MOST_WEIGHTS // len(places))
    spans = [(start, min(start + step, draws)) for start in range(0, draws, step)]
    weights = (_multiplicities(seed, start, stop, len(found))[:, place] for start, stop in spans)
    scored = np.concatenate([_difference(sides, score, each) for each in weights])
    scored = scored[~np.isnan(scored)]
    if not len(scored):
        return Interval(value, math.nan, math.nan)
    least = 1.0 - len(sides)  # scores lie in [0, 1], their differences in [-1, 1]
    limits = np.quantile(scored, [(1 - level) / 2, (1 + level) / 2]) + value - scored.mean()
    low, high = np.clip(limits, least, 1.0)
    return Interval(value, float(low), float(high))


def _multiplicities(seed: int, start: int, stop: int, places: int) -> Float64[np.ndarray, "draw place"]:
    """How often each place is drawn, in draws start to stop: `places` times with replacement. Only the seed and the
    draw's number decide."""
    draw = np.arange(start, stop)[:, None]
    chosen = (uniform(keys(seed, draw, np.arange(places))) * places).astype(np.int64)
    rows = np.arange(stop - start)[:, None] * places
    counts = np.bincount((rows + chosen).ravel(), minlength=(stop - start) * places)
    return counts.reshape(stop - start, places).astype(np.float64)


def _difference(
    sides: Sequence[Sequence[ImageTable]], score: Score, weights: Float64[np.ndarray, "draw image"]
) -> Float64[np.ndarray, " draw"]:
    """The mean over repeats of each draw's score, of the first side less that of the second, if there is one."""
    means = [np.mean([_scored(table, score, weights) for table in tables], axis=0) for tables in sides]
    return np.asarray(means[0] - means[1] if len(means) == 2 else means[0])


def _scored(
    table: ImageTable, score: Score, weights: Float64[np.ndarray, "draw image"]
) -> Float64[np.ndarray, " draw"]:
    if score.drawn is not None:
        return score.drawn(table, weights)
    times = weights.astype(np.int64)
    return np.array([score.of(table.take(np.repeat(np.arange(len(table)), row))) for row in times])
