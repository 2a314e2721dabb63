"""Means over places with intervals by bootstrap over places, and paired differences."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spectralgpt.metrics import Interval, Score, bootstrap, paired_difference

DIGITS = 5


@dataclass(frozen=True, eq=False)
class Numbers:
    """A number in [0, 1] per image (or per place), of which scores are means."""

    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def take(self, images: np.ndarray) -> "Numbers":
        return Numbers(self.values[images])


def weighted_means(table: Numbers, weights: np.ndarray) -> np.ndarray:
    """The mean of each draw."""
    return (weights @ table.values) / weights.sum(axis=1)


MEAN = Score("mean", "mean", lambda table: float(table.values.mean()), drawn=weighted_means)


def place_means(values: Sequence[float], places: Sequence[str]) -> dict[str, float]:
    """The mean of each place over its images, by place in the order of names; of a place without any number, none."""
    found = defaultdict(list)
    for value, place in zip(values, places, strict=True):
        if not math.isnan(value):
            found[place].append(value)
    return {place: float(np.mean(found[place])) for place in sorted(found)}


def plain(found: Interval) -> dict[str, Any]:
    """Rounded; None where there is no interval, as with one place."""
    low, high = (None if math.isnan(each) else round(each, DIGITS) for each in (found.low, found.high))
    return {"value": round(found.value, DIGITS), "interval": [low, high]}


def compared(
    ways: Mapping[str, Sequence[float]], places: Sequence[str], ours: str, *, by_place: bool = True
) -> dict[str, dict[str, Any]]:
    """The mean of each way with its interval, and the difference of `ours` from it, on the same draws of places.

    ways: a number per image, the same images in all; nan is left out, in all ways where it is in one. by_place: each
    place counts the same; else each image does, drawn with its place.
    """
    numbers = np.array([list(each) for each in ways.values()], np.float64)
    there = ~np.isnan(numbers).any(axis=0)
    held = [place for place, kept in zip(places, there, strict=True) if kept]
    rows, ids = numbers[:, there], np.unique(held, return_inverse=True)[1].astype(np.int64)
    if by_place:
        rows = np.array([list(place_means(row.tolist(), held).values()) for row in rows])
        ids = np.arange(rows.shape[1])
    tables = {name: Numbers(row) for name, row in zip(ways, rows, strict=True)}
    result = {}
    for name, table in tables.items():
        result[name] = plain(bootstrap([table], MEAN, ids))
        if name != ours:
            less = plain(paired_difference([tables[ours]], [table], MEAN, ids))
            result[name] |= {"difference": less["value"], "difference_interval": less["interval"]}
    return result


def verdict(entry: Mapping[str, Any], *, lower_is_better: bool) -> str:
    """`+0.010 (+0.002 to +0.018), better`: the difference of ours from a way; open: the interval holds 0."""
    low, high = entry["difference_interval"]
    words = f"{entry['difference']:+.4f}"
    if low is None:
        return f"{words}, one place"
    better, worse = (high < 0, low > 0) if lower_is_better else (low > 0, high < 0)
    return f"{words} ({low:+.4f} to {high:+.4f}), {'better' if better else 'worse' if worse else 'open'}"


def shown(entry: Mapping[str, Any], digits: int = 4) -> str:
    """`0.0227 (0.0211 to 0.0240)`."""
    low, high = entry["interval"]
    value = f"{entry['value']:.{digits}f}"
    return value if low is None else f"{value} ({low:.{digits}f} to {high:.{digits}f})"
