"""The parts of a labelled set for fine-tuning: to train on, to choose by, and to report on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from spectralgpt.errors import DataError, counted, first_few
from spectralgpt.evaluation.splits import folds

FIFTHS = 5
"""A part held back by place is one of so many folds."""
VAL_DRAW = 3
"""What the permutation of places is for that chooses among training samples."""


@dataclass(frozen=True, slots=True)
class ThreeParts:
    """part: train, val or test per sample, empty for a sample that is left out. how: in words. notes: what is missing
    where."""

    part: tuple[str, ...]
    how: str
    notes: tuple[str, ...] = ()

    def of(self, name: str) -> Int64[np.ndarray, " sample"]:
        """Indices of the samples of a part."""
        return np.flatnonzero(np.array(self.part, str) == name)


def three_parts(
    splits: Sequence[str],
    places: Int64[np.ndarray, " sample"],
    truth: Bool[np.ndarray, "sample class"],
    names: Sequence[str],
    seed: int = 0,
) -> ThreeParts:
    """The split that the samples have, or one by place: a fifth of the places each to report on and to choose by. Of
    a class that has a single place, that one is trained on, where it can be.

    splits: train, val, test or empty per sample. Without test, val is reported; then, and without val, a fifth of the
    places of train choose. truth: the classes of each sample; names: of the classes. With two places, nothing chooses.
    DataError for a single place without a split, and for a split without train.
    """
    words = np.asarray(splits, dtype="<U5")
    notes: list[str] = []
    if not (set(words.tolist()) & {"val", "test"}):
        how = _by_place(words, places, truth, names, seed, notes)
    else:
        how = _given(words, places, truth, names, seed, notes)
    trained = truth[words == "train"].any(axis=0)
    unseen = np.flatnonzero(truth[(words == "val") | (words == "test")].any(axis=0) & ~trained)
    if len(unseen):
        notes.append(f"training holds no sample of {first_few([names[int(each)] for each in unseen], 5)}")
    absent = np.flatnonzero(truth.any(axis=0) & ~truth[words == "test"].any(axis=0))
    if len(absent):
        notes.append(f"the part test holds no {first_few([names[int(each)] for each in absent], 5)}")
    return ThreeParts(tuple(words.tolist()), how, tuple(notes))


def _by_place(
    words: np.ndarray,
    places: Int64[np.ndarray, " sample"],
    truth: Bool[np.ndarray, "sample class"],
    names: Sequence[str],
    seed: int,
    notes: list[str],
) -> str:
    """Split all samples; `words` is filled in."""
    found = folds(places, truth, FIFTHS, seed, names=names)
    words[:] = "train"
    words[found.fold == _held_back(found.fold, truth, words == "train")] = "test"
    if found.count > 2:
        words[found.fold == _held_back(found.fold, truth, words == "train")] = "val"
    else:
        notes.append("two places: none is left to choose by, so the last state is kept, without chosen thresholds")
    if 2 < found.count < FIFTHS:
        notes.append(f"{counted(found.count, 'place')}, so one each is reported and chosen by, not a fifth of them")
    return f"by place: {found.count} folds over {len(np.unique(places))} places, one reported, one to choose by"


def _held_back(
    fold: Int64[np.ndarray, " sample"], truth: Bool[np.ndarray, "sample class"], left: Bool[np.ndarray, " sample"]
) -> int:
    """The first fold, of the samples that are left, without which these lose no class; else the first."""
    numbers = np.unique(fold[left]).tolist()
    known = truth[left].any(axis=0)
    kept = (each for each in numbers if (truth[left & (fold != each)].any(axis=0) == known).all())
    return int(next(kept, numbers[0]))


def _given(
    words: np.ndarray,
    places: Int64[np.ndarray, " sample"],
    truth: Bool[np.ndarray, "sample class"],
    names: Sequence[str],
    seed: int,
    notes: list[str],
) -> str:
    """Complete the data's own split in `words`."""
    if not (words == "train").any():
        raise DataError("the split has no sample in the part train", "at least one")
    how = "the data's own split"
    if left := int((words == "").sum()):
        notes.append(f"{counted(left, 'sample')} of no part left out")
    if not (words == "test").any():
        words[words == "val"] = "test"
        notes.append("the split has no test part: the part val is reported, and a part of train chooses")
    if not (words == "val").any():
        train = np.flatnonzero(words == "train")
        if len(np.unique(places[train])) < 2:
            notes.append("train is a single place: none is left to choose by, so the last state is kept")
        else:
            found = folds(places[train], truth[train], FIFTHS, seed, names=names, purpose=VAL_DRAW)
            chosen = _held_back(found.fold, truth[train], np.full(len(train), True))
            words[train[found.fold == chosen]] = "val"
            how = f"{how}; one of {found.count} folds over the places of train chooses"
    return how
