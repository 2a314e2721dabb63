"""Folds: whole places, even classes, every class in training, and what is missing is said."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spectralgpt.evaluation.splits as module
from spectralgpt.errors import DataError
from spectralgpt.evaluation import folds, given_parts, inner_folds


def one_hot(labels: list[int] | np.ndarray, classes: int) -> np.ndarray:
    return np.asarray(labels)[:, None] == np.arange(classes)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 3)), min_size=2, max_size=60),
    st.integers(2, 6),
    st.integers(0, 9),
)
@settings(max_examples=60)
def test_no_place_is_in_two_folds_and_every_class_is_learned_or_named(drawn, count, seed):
    places, labels = np.array([each[0] for each in drawn]), [each[1] for each in drawn]
    truth = one_hot(labels, 4)
    if len(set(places.tolist())) < 2:
        with pytest.raises(DataError, match="one place"):
            folds(places, truth, count, seed)
        return
    found = folds(places, truth, count, seed, names="abcd")
    assert found.count == min(count, len(set(places.tolist())))
    assert np.array_equal(np.sort(np.concatenate([test for _, test in found.pairs()])), np.arange(len(places)))
    for train, test in found.pairs():
        assert not set(places[train].tolist()) & set(places[test].tolist())
        assert len(train)
        assert len(test)
    pure = all(truth[places == place].any(axis=0).sum() == 1 for place in places)
    for number in range(4):
        learned = all(truth[train, number].any() for train, _ in found.pairs())
        said = any(note.startswith(f"{'abcd'[number]} lies in one fold") for note in found.notes)
        assert said is bool(truth[:, number].any() and not learned)
        if pure and len(set(places[truth[:, number]].tolist())) > 1:
            assert learned


def test_places_are_moved_so_that_every_training_part_has_each_class():
    # only one way to part them: place 0 alone
    for seed in range(20):
        found = folds(np.array([0, 0, 1, 1, 2, 2]), one_hot([0, 1, 1, 1, 0, 0], 2), 2, seed)
        assert found.fold[0] != found.fold[2]
        assert found.fold[2] == found.fold[4]


def test_single_samples_are_dealt_evenly():
    labels = np.repeat(np.arange(10), 12)
    found = folds(np.arange(120), one_hot(labels, 10), 5, 3)
    counts = Counter(zip(found.fold.tolist(), labels.tolist(), strict=True))
    assert set(counts.values()) <= {2, 3}
    assert set(np.bincount(found.fold)) == {24}
    assert found.notes == ()


def test_mixed_places_are_as_even_as_they_can_be():
    random = np.random.default_rng(0)
    places, labels = random.integers(0, 60, 600), random.integers(0, 6, 600)
    fold = folds(places, one_hot(labels, 6), 5, 0).fold
    counts = np.array([[((fold == each) & (labels == c)).sum() for c in range(6)] for each in range(5)])
    assert np.abs(counts - counts.mean(axis=0)).max() < 0.3 * counts.mean()


def test_folds_depend_on_the_seed():
    truth = one_hot(np.arange(40) % 2, 2)
    one, same, other = (folds(np.arange(40), truth, 5, seed).fold for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_a_fold_lacks_is_said():
    truth = one_hot([0, 0, 0, 0, 1, 1], 2)
    found = folds(np.array([0, 1, 2, 3, 0, 1]), truth, 4, 0, names=("water", "forest"))
    assert sum("holds no forest" in note for note in found.notes) == 2
    fewer = folds(np.array([7, 7, 9]), one_hot([0, 0, 0], 1), 5, 0)
    assert fewer.notes == ("2 folds instead of 5, as there are as many places",)


def test_dealing_samples_instead_of_places_would_be_noticed(monkeypatch):
    places = np.repeat(np.arange(10), 4)
    truth = one_hot(np.arange(40) % 2, 2)

    def shared() -> int:
        return sum(
            len(set(places[train].tolist()) & set(places[test].tolist()))
            for train, test in folds(places, truth).pairs()
        )

    assert shared() == 0
    monkeypatch.setattr(module.np, "unique", lambda values, **_: (np.arange(len(values)), np.arange(len(values))))
    assert shared() > 0


def test_inner_folds_are_of_training_samples_alone():
    places = np.repeat(np.arange(20), 3)
    truth = one_hot(np.arange(60) % 3, 3)
    within = np.flatnonzero(places < 15)
    pairs = inner_folds(places, truth, within, 4, 0)
    assert np.array_equal(np.sort(np.concatenate([judge for _, judge in pairs])), within)
    for fit, judge in pairs:
        assert np.array_equal(np.union1d(fit, judge), within)
        assert not set(places[fit].tolist()) & set(places[judge].tolist())
    one_place = inner_folds(np.zeros(60, np.int64), truth, within, 4, 0)
    assert np.array_equal(np.sort(np.concatenate([judge for _, judge in one_place])), within)
    assert inner_folds(places, truth, np.array([0, 1, 2]), 4, 0) == []  # one of each class


def test_given_parts_are_checked():
    truth = one_hot([0, 1, 2, 0, 1, 2], 3)
    names = ("water", "forest", "town")
    found = given_parts(["train", "train", "train", "val", "test", ""], truth, names)
    assert [part.tolist() for part in (found.train, found.val, found.test)] == [[0, 1, 2], [3], [4]]
    assert found.notes == ("1 sample of no part left out", "the test part holds no water, town")
    with pytest.raises(DataError, match="training holds no sample of forest, town, which"):
        given_parts(["train", "test", "test", "train", "val", "test"], truth, names)
    with pytest.raises(DataError, match="no sample in the part test"):
        given_parts(["train"] * 6, truth, names)
    with pytest.raises(DataError, match="no sample in the part train"):
        given_parts(["test"] * 6, truth, names)
    with pytest.raises(DataError, match="1 split dev; expected train, val or test"):
        given_parts(["train", "train", "train", "dev", "test", ""], truth, names)
