"""Parts for fine-tuning, by place or as given, and shares of the training samples."""

import itertools

import numpy as np
import pytest

from spectralgpt.errors import DataError
from spectralgpt.evaluation import fraction_of, three_parts

NAMES = ("water", "forest", "town")


def one_hot(labels) -> np.ndarray:
    return np.eye(3, dtype=bool)[np.asarray(labels)]


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_by_place_no_place_is_in_two_parts(seed):
    places = np.repeat(np.arange(25), 4)
    truth = one_hot(np.arange(100) % 3)
    found = three_parts([""] * 100, places, truth, NAMES, seed)
    counts = [len(found.of(part)) for part in ("train", "val", "test")]
    assert sum(counts) == 100
    assert counts[1] == counts[2] == 20
    held = [set(places[found.of(part)].tolist()) for part in ("train", "val", "test")]
    assert sum(map(len, held)) == 25
    assert not found.notes
    assert found == three_parts([""] * 100, places, truth, NAMES, seed)
    assert found != three_parts([""] * 100, places, truth, NAMES, seed + 1)


@pytest.mark.parametrize(("count", "words"), [(2, "none is left to choose by"), (4, "4 places")])
def test_few_places_are_said(count, words):
    places = np.repeat(np.arange(count), 6)
    found = three_parts([""] * 6 * count, places, one_hot(np.arange(6 * count) % 3), NAMES)
    assert len(found.of("test")) == 6
    assert len(found.of("val")) == (0 if count == 2 else 6)
    assert any(words in note for note in found.notes)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("own_split", [False, True])
def test_a_class_of_a_single_place_is_trained_on(seed, own_split):
    places = np.repeat(np.arange(25), 4)
    labels = np.arange(100) % 2
    labels[[8, 9]] = 2  # towns, at place 2
    splits = (["train"] * 80 + ["test"] * 20) if own_split else [""] * 100
    found = three_parts(splits, places, one_hot(labels), NAMES, seed)
    assert {8, 9} <= set(found.of("train").tolist())
    assert len(found.of("val")) == (16 if own_split else 20)
    assert len(found.of("test")) == 20
    assert found.notes == ("the part test holds no town",)


def test_one_place_is_refused():
    with pytest.raises(DataError, match="one place"):
        three_parts([""] * 6, np.zeros(6, np.int64), one_hot([0, 1, 2] * 2), NAMES)


def test_the_own_split_is_kept_and_completed():
    places, truth = np.arange(30), one_hot(np.arange(30) % 3)
    whole = ["train"] * 18 + ["val"] * 6 + ["test"] * 5 + [""]
    found = three_parts(whole, places, truth, NAMES)
    assert list(found.part) == whole
    assert any("1 sample of no part left out" in note for note in found.notes)
    # without val, a fifth of train chooses; test stays
    tested = three_parts(["train"] * 20 + ["test"] * 10, places, truth, NAMES)
    assert tested.of("test").tolist() == list(range(20, 30))
    assert len(tested.of("val")) == 4
    assert set(tested.of("val")) < set(range(20))
    # without test, val is reported
    judged = three_parts(["train"] * 20 + ["val"] * 10, places, truth, NAMES)
    assert judged.of("test").tolist() == list(range(20, 30))
    assert len(judged.of("val")) == 4
    assert any("the part val is reported" in note for note in judged.notes)


def test_classes_that_are_missing_are_named():
    truth = one_hot([0] * 10 + [1] * 10 + [2] * 10)
    found = three_parts(["train"] * 20 + ["test"] * 10, np.arange(30), truth, NAMES)
    assert any("training holds no sample of town" in note for note in found.notes)
    assert any("the part test holds no water, forest" in note for note in found.notes)


def test_a_split_without_training_is_refused():
    with pytest.raises(DataError, match="part train"):
        three_parts(["val", "test"], np.arange(2), one_hot([0, 1]), NAMES)


@pytest.mark.parametrize("several", [False, True])
def test_a_fraction_keeps_classes_and_is_nested(several):
    rng = np.random.default_rng(0)
    labels = rng.permutation([0] * 150 + [1] * 46 + [2] * 4)
    truth = one_hot(labels)
    if several:
        truth[rng.random(200) < 0.3, 0] = True
    train = np.arange(10, 190)
    drawn = [fraction_of(train, truth, share, 3) for share in (0.02, 0.1, 0.5, 1.0)]
    assert [len(each) for each in drawn] == [4, 18, 90, 180]
    for fewer, more in itertools.pairwise(drawn):
        assert set(fewer.tolist()) < set(more.tolist())
    for each in drawn:
        assert truth[each].any(axis=0).all()
        assert set(each.tolist()) <= set(train.tolist())
    assert fraction_of(train, truth, 0.1, 3).tolist() == drawn[1].tolist()
    assert fraction_of(train, truth, 0.1, 4).tolist() != drawn[1].tolist()


def test_at_least_one_sample_and_shares_of_classes():
    truth = one_hot([0] * 60 + [1] * 30 + [2] * 10)
    assert len(fraction_of(np.arange(100), truth, 0.001)) == 1
    counts = truth[fraction_of(np.arange(100), truth, 0.2)].sum(axis=0)
    assert np.abs(counts - [12, 6, 2]).max() <= 1
