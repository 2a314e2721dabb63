"""A part of a labelled set, in the classes of a model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from spectralgpt.data.labels.labelled import LabelledImage, LabelledSample, LabelledSet, in_other_classes
from spectralgpt.errors import DataError, first_few
from spectralgpt.tasks import Class, TargetKind


@dataclass(frozen=True, eq=False)
class Selection:
    """Some samples of a set, with labels as indices of other classes. chosen: indices of the samples. index: for each
    class of the set, its index among `classes`."""

    whole: LabelledSet
    chosen: tuple[int, ...]
    classes: tuple[Class, ...]
    index: tuple[int, ...]

    @property
    def source(self) -> str:
        return self.whole.source

    @property
    def target(self) -> TargetKind:
        return self.whole.target

    @property
    def notes(self) -> tuple[str, ...]:
        return self.whole.notes

    @cached_property
    def samples(self) -> tuple[LabelledSample, ...]:
        found = (self.whole.samples[number] for number in self.chosen)
        return tuple(replace(each, labels=tuple(self.index[label] for label in each.labels)) for each in found)

    def read(self, index: int) -> LabelledImage:
        """The image and mask of a sample."""
        return in_other_classes(self.whole.read(self.chosen[index]), self.index)


def in_classes_of(
    data: LabelledSet, known: Sequence[Class], count: int, chosen: Sequence[int]
) -> tuple[Selection, tuple[str, ...]]:
    """Some samples of a set in the classes of a model, and what is to be said about it.

    known: the model's classes, empty where it has no names; count: their number. Classes are matched by name; without
    names by their order, if their number is the same. Raises DataError for classes that the model does not have.
    """
    if not known:
        if count != len(data.classes):
            raise DataError(
                f"{data.source}: the number of classes is {len(data.classes)}",
                f"{count}, that of the model, which has no names for them",
            )
        note = f"the model has no names for its {count} classes: they are taken in the order of the labels"
        return Selection(data, tuple(chosen), data.classes, tuple(range(count))), (note,)
    names = [one.name for one in known]
    unknown = [one.name for one in data.classes if one.name not in names]
    if unknown:
        raise DataError(
            f"{data.source}: the model does not have {len(unknown)} of the classes: {first_few(unknown, 5)}",
            f"classes of the model: {first_few(names, 20)}",
            "Rename the labels, or give their names with",
            ("classes", "classes.toml"),
        )
    return Selection(data, tuple(chosen), tuple(known), tuple(names.index(one.name) for one in data.classes)), ()
