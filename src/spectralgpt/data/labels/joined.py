"""Several labelled sets as one, each of them a part: train, val, test."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

from spectralgpt.data.labels.labelled import LabelledImage, LabelledSample, LabelledSet, in_other_classes
from spectralgpt.errors import DataError, first_few
from spectralgpt.tasks import Class, TargetKind

UNKNOWN_SHOWN = 5
"""Names of classes that a message lists in full."""


@dataclass(frozen=True, eq=False)
class JoinedSet:
    """The samples of several sets, one after the other, with the classes of the first; `join` makes it."""

    sets: tuple[LabelledSet, ...]
    splits: tuple[str, ...]

    @property
    def source(self) -> str:
        return ", ".join(each.source for each in self.sets)

    @property
    def target(self) -> TargetKind:
        return self.sets[0].target

    @property
    def classes(self) -> tuple[Class, ...]:
        return self.sets[0].classes

    @cached_property
    def samples(self) -> tuple[LabelledSample, ...]:
        return tuple(
            replace(sample, labels=tuple(index[label] for label in sample.labels), split=split or sample.split)
            for each, split, index in zip(self.sets, self.splits, self._indices, strict=True)
            for sample in each.samples
        )

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(note for each in self.sets for note in each.notes)

    def read(self, index: int) -> LabelledImage:
        """The image and mask of a sample."""
        ends = list(accumulate(len(each.samples) for each in self.sets))
        part = bisect_right(ends, index)
        found = self.sets[part].read(index - (ends[part - 1] if part else 0))
        return in_other_classes(found, self._indices[part])

    @cached_property
    def _indices(self) -> tuple[tuple[int, ...], ...]:
        """For each set, the index of each of its classes among those of the first."""
        names = [one.name for one in self.classes]
        return tuple(tuple(names.index(one.name) for one in each.classes) for each in self.sets)


def join(sets: Sequence[tuple[str, LabelledSet]]) -> LabelledSet:
    """One set of these, with the splits that are named before them; an empty one keeps the set's own.

    Raises DataError where a later set has another kind of labels, or classes that the first does not have.
    """
    first = sets[0][1]
    for _, each in sets[1:]:
        if each.target != first.target:
            raise DataError(
                f"{each.source}: its labels are of the kind {each.target!r}", f"{first.target!r}, as in {first.source}"
            )
        unknown = [one.name for one in each.classes if one.name not in {known.name for known in first.classes}]
        if unknown:
            raise DataError(
                f"{each.source}: {first.source} does not have {len(unknown)} of its classes: "
                f"{first_few(unknown, UNKNOWN_SHOWN)}",
                "classes of the training part",
            )
    if len(sets) == 1 and not sets[0][0]:
        return first
    return JoinedSet(tuple(each for _, each in sets), tuple(split for split, _ in sets))
