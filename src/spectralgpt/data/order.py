"""Which samples a step trains on: a function of (seed, step), the same in every process of every run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Int64

from spectralgpt.draws import permutation
from spectralgpt.errors import OptionError

SOURCES, BATCHES, SAMPLES = -1, -2, -3
"""What is permuted: a part of the keys, negative, unlike those of steps."""

Turns = tuple[list[int], np.ndarray]


@dataclass(frozen=True, slots=True)
class GlobalBatch:
    """What all ranks together train on in a step: positions among the samples of a layout of a source."""

    source: int
    layout: int
    positions: Int64[np.ndarray, " batch"]
    epoch: int


class Order:
    """The global batches of a run, from any step on.

    counts: samples by source and layout. Each source has passes: in a pass its samples of each layout are permuted and
    cut into batches, round(count / batch) but at least one, of sizes that differ by at most 1 (so no batch is a small
    remainder, and none is larger than 1.5 x batch); then the batches of all its layouts are permuted. The steps of an
    epoch are the batches in one pass of all sources, added up. Without weights an epoch is one pass of each source:
    every sample once. With weights (shares of the steps, of any sum) a source gives its share of the steps and
    continues its passes.

    OptionError for a weight that is not above 0; ValueError for a source without samples. Thread-safe.
    """

    def __init__(
        self, counts: Sequence[Sequence[int]], weights: Sequence[float | int] | None, batch: int, seed: int
    ) -> None:
        if not counts or not all(sum(source) for source in counts):
            raise ValueError(f"found sources of {[list(source) for source in counts]} samples; expected some in each")
        self.counts = tuple(tuple(int(count) for count in source) for source in counts)
        self.seed = seed
        self._cuts = tuple(tuple(_batches(count, batch) for count in source) for source in self.counts)
        self._lengths = tuple(sum(cuts) for cuts in self._cuts)
        self.steps_per_epoch = sum(self._lengths)
        self._shares = _shares(self._lengths if weights is None else weights, len(counts))
        self._epoch: tuple[int, Turns] | None = None
        # the newest permutation of each kind, source and layout: 8 bytes per sample
        self._held: dict[tuple[int, ...], tuple[int, Int64[np.ndarray, " count"]]] = {}

    def batch(self, step: int) -> GlobalBatch:
        """The samples of a step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        before, sources = self._turns(epoch)
        source = int(sources[place])
        turn, index = divmod(before[source] + int(np.count_nonzero(sources[:place] == source)), self._lengths[source])
        number = int(self._permuted((BATCHES, source), turn, self._lengths[source])[index])
        layout, number = _located(number, self._cuts[source])
        count, cuts = self.counts[source][layout], self._cuts[source][layout]
        samples = self._permuted((SAMPLES, source, layout), turn, count)
        positions = samples[number * count // cuts : (number + 1) * count // cuts]
        return GlobalBatch(source, layout, positions.copy(), epoch)

    def _turns(self, epoch: int) -> Turns:
        """How many steps each source gave before an epoch, and the source of each of the epoch's steps."""
        held = self._epoch
        if held is None or held[0] != epoch:
            before, after = (apportioned(self._shares, turn * self.steps_per_epoch) for turn in (epoch, epoch + 1))
            sources = np.repeat(np.arange(len(self.counts)), np.subtract(after, before))
            held = self._epoch = epoch, (before, sources[self._permuted((SOURCES,), epoch, self.steps_per_epoch)])
        return held[1]

    def _permuted(self, where: tuple[int, ...], turn: int, count: int) -> Int64[np.ndarray, " count"]:
        held = self._held.get(where)
        if held is None or held[0] != turn:
            held = self._held[where] = turn, permutation(self.seed, *where, turn, count=count)
        return held[1]


def apportioned(shares: Sequence[Fraction], steps: int) -> list[int]:
    """How many of the first steps each source gives: whole numbers that sum to steps and never fall as steps grow.

    Webster's rule: source i's n-th turn comes at (n - 1/2) / share. It is exact where share x steps is whole.
    """
    until = steps - Fraction(len(shares), 2)
    given = [max(0, math.floor(share * until + Fraction(1, 2))) for share in shares]
    for _ in range(steps - sum(given)):
        turns = [Fraction(2 * number + 1) / share for number, share in zip(given, shares, strict=True)]
        given[turns.index(min(turns))] += 1
    return given


def _batches(count: int, batch: int) -> int:
    """The number of batches for samples: count / batch, rounded, a half upwards."""
    return max(1, (2 * count + batch) // (2 * batch)) if count else 0


def _shares(weights: Sequence[float | int], sources: int) -> tuple[Fraction, ...]:
    if len(weights) != sources or not all(math.isfinite(weight) and weight > 0 for weight in weights):
        raise OptionError(
            f"weights: found {list(weights)}",
            f"{sources} numbers above 0",
            "Leave out sources that should give no samples",
        )
    exact = [Fraction(str(weight)) for weight in weights]
    return tuple(weight / sum(exact) for weight in exact)


def _located(number: int, cuts: Sequence[int]) -> tuple[int, int]:
    """The layout of a batch of a pass, and its number within the layout."""
    for layout, cut in enumerate(cuts):
        if number < cut:
            return layout, number
        number -= cut
    raise AssertionError(f"batch {number} beyond {cuts}")
