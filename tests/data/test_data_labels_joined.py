"""Several labelled sets as one, and a part of one in a model's classes: every sample stays what it was."""

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pytest

from spectralgpt import as_pixels
from spectralgpt.data.labels import IGNORED, LabelledImage, LabelledSample, LabelledSet, in_classes_of, join
from spectralgpt.errors import DataError
from spectralgpt.tasks import Class

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""

SIDE = 8


@dataclass
class Made:
    """A labelled set in memory; each image's values are its own."""

    names: str
    labels: list[tuple[int, ...]]
    masks: list[np.ndarray] | None = None
    splits: list[str] = field(default_factory=list)
    start: int = 0
    target: str = "class"
    notes: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return f"set of {self.names}"

    @property
    def classes(self) -> tuple[Class, ...]:
        return tuple(map(Class, self.names.split()))

    @property
    def samples(self) -> tuple[LabelledSample, ...]:
        return tuple(
            LabelledSample(f"{self.start + index}", labels, (self.splits or [""] * len(self.labels))[index])
            for index, labels in enumerate(self.labels)
        )

    def read(self, index: int) -> LabelledImage:
        values = np.full((1, 13, SIDE, SIDE), 0.001 * (self.start + index + 1), "float32")
        pixels = made_pixels(values, bands="s2-l1c", gsd=10)
        return LabelledImage(pixels, None if self.masks is None else self.masks[index])


def labelled_names(data: LabelledSet) -> list[set[str]]:
    """Of each sample, the names of its labels, or of those in its mask."""
    found = []
    for index, sample in enumerate(data.samples):
        mask = data.read(index).mask
        labels = sample.labels if mask is None else np.unique(mask[mask != IGNORED]).tolist()
        found.append({data.classes[label].name for label in labels})
    return found


def mask(*indices: int) -> np.ndarray:
    return np.array(indices, np.int16)[np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % len(indices)]


FIRST = Made("forest town water", [(0,), (1,), (2,)])
SECOND = Made("water forest", [(0,), (1,), (0,)], start=10)
FIRST_MASKS = Made("forest town water", [()] * 2, [mask(0, 1, -1), mask(2, 1)], target="mask")
SECOND_MASKS = Made("water forest", [()] * 2, [mask(0, 1, -1), mask(-1)], start=10, target="mask")
SEVERAL = Made("forest town water", [(0, 2), ()], target="classes")


def test_labels_keep_their_names():
    data = join([("train", FIRST), ("test", SECOND)])
    assert isinstance(data, LabelledSet)
    assert [one.name for one in data.classes] == ["forest", "town", "water"]
    assert labelled_names(data) == [*labelled_names(FIRST), *labelled_names(SECOND)]
    assert [sample.split for sample in data.samples] == ["train"] * 3 + ["test"] * 3


@pytest.mark.parametrize(("first", "second"), [(FIRST, SECOND), (FIRST_MASKS, SECOND_MASKS)])
def test_each_sample_is_read_from_its_set(first, second):
    data = join([("train", first), ("val", second), ("test", second)])
    for sets, start in ((first, 0), (second, len(first.labels)), (second, len(first.labels) + len(second.labels))):
        for index in range(len(sets.labels)):
            ours, theirs = data.read(start + index).image.read(), sets.read(index).image.read()
            np.testing.assert_array_equal(ours.values, theirs.values)
            assert data.samples[start + index].name == sets.samples[index].name


def test_masks_keep_their_names_and_what_is_ignored():
    data = join([("train", FIRST_MASKS), ("test", SECOND_MASKS)])
    assert labelled_names(data) == [*labelled_names(FIRST_MASKS), *labelled_names(SECOND_MASKS)]
    for index, own in ((2, SECOND_MASKS.masks[0]), (3, SECOND_MASKS.masks[1])):
        np.testing.assert_array_equal(data.read(index).mask == IGNORED, own == IGNORED)
    assert data.read(2).mask.dtype == np.int16


def test_taking_indices_as_they_are_would_be_noticed(monkeypatch):
    data = join([("train", FIRST_MASKS), ("test", SECOND_MASKS)])
    type(data)._indices.__set_name__(type(data), "_indices")
    data.__dict__["_indices"] = tuple(tuple(range(len(each.classes))) for each in data.sets)
    assert labelled_names(data) != [*labelled_names(FIRST_MASKS), *labelled_names(SECOND_MASKS)]


def test_a_set_keeps_its_own_split_where_none_is_named():
    parted = replace(FIRST, splits=["train", "val", "test"])
    assert [sample.split for sample in join([("", parted)]).samples] == ["train", "val", "test"]
    assert [sample.split for sample in join([("train", parted)]).samples] == ["train"] * 3
    together = join([("", parted), ("test", SECOND)])
    assert [sample.split for sample in together.samples] == ["train", "val", "test", "test", "test", "test"]


def test_notes_and_sources_are_those_of_all():
    data = join([("train", replace(FIRST, notes=("a",))), ("test", replace(SECOND, notes=("b", "c")))])
    assert data.notes == ("a", "b", "c")
    assert data.source == "set of forest town water, set of water forest"


def test_unknown_classes_and_other_kinds_are_refused():
    with pytest.raises(DataError, match=r"set of water forest.*does not have 1 of its classes: forest"):
        join([("train", Made("town water", [(0,)])), ("test", SECOND)])
    with pytest.raises(DataError, match=r"of the kind 'mask'; expected 'class', as in set of forest town water"):
        join([("train", FIRST), ("test", FIRST_MASKS)])


# -- in the classes of a model ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [FIRST, FIRST_MASKS, SEVERAL])
def test_a_selection_keeps_names_in_another_order(data):
    known = tuple(map(Class, ("ice", "water", "town", "forest")))
    chosen = [1, 0]
    found, notes = in_classes_of(data, known, 4, chosen)
    assert isinstance(found, LabelledSet)
    assert (found.classes, notes) == (known, ())
    assert labelled_names(found) == [labelled_names(data)[index] for index in chosen]
    assert [sample.name for sample in found.samples] == ["1", "0"]
    for index, own in enumerate(chosen):
        np.testing.assert_array_equal(found.read(index).image.read().values, data.read(own).image.read().values)
        if data.masks is not None:
            np.testing.assert_array_equal(found.read(index).mask == IGNORED, data.masks[own] == IGNORED)


def test_classes_without_names_are_taken_in_order_and_this_is_said():
    found, notes = in_classes_of(FIRST, (), 3, [0, 2])
    assert [sample.labels for sample in found.samples] == [(0,), (2,)]
    assert notes == ("the model has no names for its 3 classes: they are taken in the order of the labels",)
    with pytest.raises(DataError, match="number of classes is 3; expected 4, that of the model"):
        in_classes_of(FIRST, (), 4, [0])


def test_classes_that_a_model_does_not_have_are_refused():
    with pytest.raises(DataError, match=r"does not have 2 of the classes: forest, town; expected classes of the model"):
        in_classes_of(FIRST, (Class("water"), Class("ice")), 2, [2])
