"""Parts of a data set: folds by place, folds for choosing, and given splits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from spectralgpt.draws import permutation
from spectralgpt.errors import DataError, counted, first_few
from spectralgpt.evaluation.choice import Pair

OUTER, INNER = 1, 2
"""What a permutation of places is for."""
INNER_COUNT = 4
"""Folds for choosing."""
MOVED = 20
"""Places of a class that are tried in another fold."""


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """fold: the one that each sample is in, 0 to count - 1. notes: which classes are missing where."""

    fold: Int64[np.ndarray, " sample"]
    count: int
    notes: tuple[str, ...]

    def pairs(self) -> list[Pair]:
        """For each fold, the samples outside and inside."""
        return [(np.flatnonzero(self.fold != fold), np.flatnonzero(self.fold == fold)) for fold in range(self.count)]


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A given split: indices of the samples in each part; validation may be empty."""

    train: Int64[np.ndarray, " train"]
    val: Int64[np.ndarray, " val"]
    test: Int64[np.ndarray, " test"]
    notes: tuple[str, ...] = ()


def folds(
    places: Int64[np.ndarray, " sample"],
    truth: Bool[np.ndarray, "sample class"],
    count: int = 5,
    seed: int = 0,
    *,
    names: Sequence[str] = (),
    purpose: int = OUTER,
) -> Folds:
    """Folds of whole places with the classes spread as evenly as possible.

    truth: the classes of each sample; for masks, those that occur in each. seed: of the order of the places, so of the
    folds. With fewer places than `count`, as many folds as places. A class that is missing from a fold, or that lies
    in one place and so is missing from a training part, is named in the notes. DataError for a single place.
    """
    held, place = np.unique(places, return_inverse=True)
    if len(held) < 2:
        raise DataError(
            f"all {counted(len(places), 'sample')} lie in one place",
            "at least two places",
            "Give a split, or groups that may be in different parts",
        )
    notes = []
    if len(held) < count:
        notes.append(f"{counted(len(held), 'fold')} instead of {count}, as there are as many places")
    count = min(count, len(held))
    tally = np.zeros((len(held), truth.shape[1]))
    np.add.at(tally, place.ravel(), truth.astype(np.float64))
    sizes = np.bincount(place.ravel()).astype(np.float64)
    of_place = _dealt(tally, sizes, count, permutation(seed, purpose, count=len(held)))
    _spread_alone(of_place, tally, count)
    fold = of_place[place.ravel()]
    return Folds(fold, count, (*notes, *_missing(fold, of_place, tally, truth, count, names)))


def inner_folds(
    places: Int64[np.ndarray, " sample"],
    truth: Bool[np.ndarray, "sample class"],
    within: Int64[np.ndarray, " train"],
    count: int = INNER_COUNT,
    seed: int = 0,
) -> list[Pair]:
    """Folds of the samples `within`, for choosing, as indices into all samples.

    Samples of a single place are dealt one by one: neighbours then make the choice easier than it is, but what is
    reported is another place. Empty where there is nothing to choose by: no class has two samples.
    """
    if truth[within].sum(axis=0).max(initial=0) < 2:
        return []
    inside = places[within]
    if len(np.unique(inside)) < 2:
        inside = np.arange(len(within))
    found = folds(inside, truth[within], count, seed, purpose=INNER)
    return [(within[fit], within[judge]) for fit, judge in found.pairs()]


def given_parts(splits: Sequence[str], truth: Bool[np.ndarray, "sample class"], names: Sequence[str]) -> Parts:
    """The parts of a given split. splits: train, val or test per sample, empty for a sample that is left out.

    names: of the classes. DataError for an empty training or test part, for another word, and when training holds no
    sample of a class that the other parts hold.
    """
    words = np.asarray(splits, dtype=str)
    strange = sorted(set(words.tolist()) - {"train", "val", "test", ""})
    if strange:
        raise DataError(f"found the {counted(len(strange), 'split')} {first_few(strange, 3)}", "train, val or test")
    train, val, test = (np.flatnonzero(words == word) for word in ("train", "val", "test"))
    for word, part in (("train", train), ("test", test)):
        if not len(part):
            raise DataError(f"the split has no sample in the part {word}", "at least one")
    seen = truth[train].any(axis=0)
    unseen = [names[int(c)] for c in np.flatnonzero(truth[np.append(val, test)].any(axis=0) & ~seen)]
    if unseen:
        raise DataError(
            f"training holds no sample of {first_few(unseen, 5)}, which the other parts hold",
            "every class in the training part",
        )
    left = int((words == "").sum())
    notes = [f"{counted(left, 'sample')} of no part left out"] if left else []
    absent = [names[int(c)] for c in np.flatnonzero(~truth[test].any(axis=0))]
    if absent:
        notes.append(f"the test part holds no {first_few(absent, 5)}")
    return Parts(train, val, test, tuple(notes))


def _dealt(
    tally: np.ndarray, sizes: np.ndarray, count: int, order: Int64[np.ndarray, " place"]
) -> Int64[np.ndarray, " place"]:
    """A fold for each place.

    Places of one sample and one class each are dealt class by class, like cards: exactly even. Others go one by one,
    the largest first, to the fold that then has the smallest squared shares of the classes.
    """
    of_place = np.empty(len(tally), np.int64)
    if (sizes == 1).all() and (tally.sum(axis=1) == 1).all():
        by_class = order[np.argsort(tally[order].argmax(axis=1), kind="stable")]
        of_place[by_class] = np.arange(len(order)) % count
        return of_place
    share = np.concatenate([tally / np.maximum(tally.sum(axis=0), 1), (sizes / sizes.sum())[:, None]], axis=1)
    # The number of samples counts less than the classes: it decides where they do not.
    share[:, -1] *= 0.5
    held = np.zeros((count, share.shape[1]))
    for place in order[np.argsort(-share[order].max(axis=1), kind="stable")]:
        # (h + s)^2 - h^2 = 2 h s + s^2, and s^2 is the same for all folds
        fold = int((held @ share[place]).argmin())
        of_place[place] = fold
        held[fold] += share[place]
    return of_place


def _spread_alone(of_place: Int64[np.ndarray, " place"], tally: np.ndarray, count: int) -> None:
    """Move places of classes that have several places in one fold alone, so that every training part has the class.

    Each time the place and fold that leave the fewest such classes, the smallest fold first; until no move helps.
    """
    alone = _alone(of_place, tally)
    while alone:
        tried = []
        for place in np.flatnonzero(tally[:, alone[0]])[:MOVED].tolist():
            sizes = np.bincount(np.delete(of_place, place), minlength=count)
            for fold in set(range(count)) - {int(of_place[place])}:
                moved = of_place.copy()
                moved[place] = fold
                tried.append((len(_alone(moved, tally)), int(sizes[fold]), place, fold))
        left, _, place, fold = min(tried)
        if left >= len(alone):
            alone = alone[1:]
            continue
        of_place[place] = fold
        alone = _alone(of_place, tally)


def _alone(of_place: Int64[np.ndarray, " place"], tally: np.ndarray) -> list[int]:
    """The classes that have several places, all in one fold."""
    found = []
    for number, column in enumerate(tally.T):
        folds_with = of_place[column > 0]
        if len(folds_with) > 1 and (folds_with == folds_with[0]).all():
            found.append(number)
    return found


def _missing(
    fold: Int64[np.ndarray, " sample"],
    of_place: Int64[np.ndarray, " place"],
    tally: np.ndarray,
    truth: Bool[np.ndarray, "sample class"],
    count: int,
    names: Sequence[str],
) -> list[str]:
    """What is to be said about classes."""

    def name(number: int) -> str:
        return names[number] if len(names) else f"class {number}"

    notes = []
    for number, column in enumerate(tally.T):
        if (column > 0).any() and len(set(of_place[column > 0].tolist())) == 1:
            notes.append(f"{name(number)} lies in one fold: never learned where it is reported")
    for each in range(count):
        absent = [name(int(c)) for c in np.flatnonzero(truth.any(axis=0) & ~truth[fold == each].any(axis=0))]
        if absent:
            notes.append(f"fold {each + 1} of {count} holds no {first_few(absent, 5)}")
    return notes
