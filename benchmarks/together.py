"""Paired differences of several tasks as one: their mean, with an interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Of a score, with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float

    @property
    def plain(self) -> dict[str, float | tuple[float, float]]:
        """As in the results of four_tasks.py."""
        return {"difference": self.mean, "difference_interval": (self.low, self.high)}


def together(differences: Sequence[Difference]) -> Difference:
    """The mean over tasks, each of which counts the same. The interval is that of independent tasks: the distances from
    mean to end add up as squares, on each side."""
    count = len(differences)
    mean = sum(each.mean for each in differences) / count
    below = math.hypot(*(each.mean - each.low for each in differences)) / count
    above = math.hypot(*(each.high - each.mean for each in differences)) / count
    return Difference(mean, mean - below, mean + above)
