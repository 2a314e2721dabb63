"""Learning curves: nested, every repeat kept, and what is short is said."""

from itertools import pairwise

import numpy as np
import pytest

import spectralgpt.evaluation.curve as module
from made_features import classes_apart, several_classes
from spectralgpt.draws import permutation
from spectralgpt.errors import DataError
from spectralgpt.evaluation import Places, given_parts, learning_curve, methods, nested_shots


def check_that_shots_are_nested(several: bool) -> None:
    targets = several_classes(200, 4, 5)[1] if several else classes_apart(200, 4, 5, 1)[1]
    pool = np.arange(30, 190)
    for seed in range(5):
        drawn = module.nested_shots(targets.truth, pool, (1, 5, 10, 20), seed)
        for fewer, more in pairwise(drawn):
            assert set(fewer.tolist()) < set(more.tolist())
        for count, each in zip((1, 5, 10, 20), drawn, strict=True):
            assert set(each.tolist()) <= set(pool.tolist())
            held = targets.truth[each].sum(axis=0)
            assert (held >= count).all() if several else (held == count).all()


@pytest.mark.parametrize("several", [False, True])
def test_five_shots_lie_in_ten(several, monkeypatch):
    check_that_shots_are_nested(several)

    def drawn_anew(truth, pool, shots, seed):
        return [nested_shots(truth, pool, (count,), seed + count)[0] for count in shots]

    monkeypatch.setattr(module, "nested_shots", drawn_anew)
    with pytest.raises(AssertionError):
        check_that_shots_are_nested(several)


def test_the_first_of_each_class_in_one_order_are_drawn():
    label = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    order = permutation(3, module.CURVE, count=8)
    (drawn,) = nested_shots(label[:, None] == np.arange(2), np.arange(8), (2,), 3)
    expected = [*[each for each in order if label[each] == 0][:2], *[each for each in order if label[each] == 1][:2]]
    assert sorted(expected) == drawn.tolist()


def test_a_curve_rises_and_keeps_every_repeat():
    features, targets = classes_apart(200, 30, 4, 0.3)
    words = ["train"] * 140 + ["test"] * 60
    split = given_parts(words, targets.truth, tuple("abcd"))
    three = [methods.find(name) for name in ("knn", "logistic", "ridge")]
    curve = learning_curve(features, targets, split, three, "class", shots=(1, 5, 30, 90), repeats=4, classes="abcd")
    assert len(curve.points) == 3 * 3 * 4
    assert len(set(curve.seeds)) == 4
    assert curve.notes == ("no class has more than 35 training images: the curve ends there",)
    accuracy = {}
    for point in curve.points:
        assert np.array_equal(point.test, np.arange(140, 200))
        assert len(point.train) == 4 * point.shots
        hits = (point.answered & targets.truth[point.test]).any(axis=1).mean()
        accuracy.setdefault((point.method, point.shots), []).append(hits)
        if point.shots == 1:
            assert point.choice.settings == methods.find(point.method).usual
    for name in ("knn", "logistic", "ridge"):
        assert np.mean(accuracy[name, 1]) < np.mean(accuracy[name, 5]) < np.mean(accuracy[name, 30])
    again = learning_curve(features, targets, split, three[:1], "class", shots=(5,), repeats=2)
    first = [point for point in curve.points if point.method == "knn" and point.shots == 5][:2]
    for one, other in zip(first, again.points, strict=True):
        assert np.array_equal(one.probabilities, other.probabilities)


def test_a_class_with_fewer_images_gives_all_and_is_named():
    features, targets = classes_apart(120, 10, 3, 0.5)
    rare = np.flatnonzero(targets.truth[:, 2])[4:]
    keep = np.setdiff1d(np.arange(120), rare)
    features, targets = features[keep], targets.take(keep)
    places = Places(np.arange(len(keep)), "positions")
    curve = learning_curve(
        features, targets, places, [methods.find("ridge")], "class", shots=(2, 20), repeats=3, classes=("a", "b", "c")
    )
    assert "fewer than 20 training images, so all of them: c" in curve.notes
    for point in curve.points:
        assert not set(point.train.tolist()) & set(point.test.tolist())
        assert targets.truth[point.train][:, 2].sum() == min(point.shots, 4 - targets.truth[point.test][:, 2].sum())


def test_shots_that_no_class_has_are_refused():
    features, targets = classes_apart(20, 10, 4, 0.5)
    places = Places(np.arange(20), "positions")
    with pytest.raises(DataError, match=r"at most . training images per class; expected 50 or more"):
        learning_curve(features, targets, places, [methods.find("knn")], "class", shots=(50,), repeats=1)
