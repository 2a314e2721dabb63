"""The rounds of an evaluation: which samples train, choose and are reported, together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from spectralgpt.draws import keys
from spectralgpt.evaluation.choice import Pair
from spectralgpt.evaluation.places import Places
from spectralgpt.evaluation.splits import Parts, folds, inner_folds

REPEAT, FOLD = 3, 4
"""What a seed is for."""


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """train: may fit and choose; inner: how they choose; test: is reported. seed: of all that is drawn."""

    repeat: int
    fold: int
    seed: int
    train: Int64[np.ndarray, " train"]
    inner: Sequence[Pair]
    test: Int64[np.ndarray, " test"]


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """All rounds; reported: the samples that any of them reports, each once per repeat. seeds: one per repeat."""

    rounds: Sequence[Round]
    reported: Int64[np.ndarray, " reported"]
    seeds: tuple[int, ...]
    notes: tuple[str, ...]

    def rows(self, samples: Int64[np.ndarray, " sample"]) -> Int64[np.ndarray, " sample"]:
        """Where these samples lie among the reported ones."""
        return np.asarray(np.searchsorted(self.reported, samples), np.int64)


def rounds_of(
    split: Places | Parts,
    truth: Bool[np.ndarray, "sample class"],
    *,
    places: Places | None = None,
    contents: Sequence[str] = (),
    classes: Sequence[str] = (),
    repeats: int = 10,
    count: int = 5,
    seed: int = 0,
) -> Rounds:
    """Cross-validation over places, or the one round of a given split.

    truth: the classes of each sample. places: of all samples, for choosing inside a given training part; each sample
    is one where not given. contents: a hash per image, so that copies are in one fold. classes: names, for notes.
    DataError for a single place.
    """
    if isinstance(split, Parts):
        ids = np.arange(len(truth)) if places is None else places.ids
        inner = [(split.train, split.val)] if len(split.val) else inner_folds(ids, truth, split.train, seed=seed)
        only = Round(0, 0, seed, split.train, inner, split.test)
        return Rounds([only], split.test, (seed,), (*split.notes, *(places.notes if places else ())))
    if len(contents):
        split = split.joined(contents)
    seeds = tuple(int(each >> np.uint64(33)) for each in keys(seed, REPEAT, np.arange(repeats)))
    found, notes = [], list(split.notes)
    for repeat, own in enumerate(seeds):
        drawn = folds(split.ids, truth, count, own, names=classes)
        notes += drawn.notes
        for fold, (train, test) in enumerate(drawn.pairs()):
            within = int(keys(own, FOLD, fold) >> np.uint64(33))
            inner = inner_folds(split.ids, truth, train, seed=within)
            found.append(Round(repeat, fold, within, train, inner, test))
    return Rounds(found, np.arange(len(truth)), seeds, tuple(dict.fromkeys(notes)))
