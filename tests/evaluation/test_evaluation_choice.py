"""Choosing settings and thresholds: against scikit-learn, by hand, and deterministic."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, jaccard_score

from made_features import classes_apart, several_classes
from spectralgpt.evaluation import Targets, aim_of, aims, answers, choose, methods
from spectralgpt.evaluation.choice import Tried, best_of

LISTS = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(1, 4)), min_size=2, max_size=12)


def of(drawn: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    positive = np.array([each[0] for each in drawn])
    score = np.array([each[1] / 8 + 0.0625 for each in drawn], np.float32)
    truth, likely = np.stack([~positive, positive], axis=1), np.stack([1 - score, score], axis=1)
    return truth, likely, np.array([float(each[2]) for each in drawn])


@given(LISTS)
def test_no_threshold_is_better_than_the_chosen_one(drawn):
    truth, likely, weight = of(drawn)
    if not truth[:, 1].any():
        assert aims.second_threshold(truth, likely, weight).tolist() == [0.5]
        return

    def f1(threshold: float) -> float:
        return f1_score(truth[:, 1], likely[:, 1] >= threshold, sample_weight=weight, zero_division=0)

    (chosen,) = aims.second_threshold(truth, likely, weight)
    answered = answers(likely, np.array([chosen]))
    assert f1(chosen) == pytest.approx(max(f1(each) for each in np.arange(0, 1.05, 0.05)))
    assert np.array_equal(answered[:, 1], likely[:, 1] >= chosen)
    assert np.array_equal(answered[:, 0], ~answered[:, 1])
    assert aims.best_f1(truth, likely, weight) == pytest.approx(f1(chosen))


@given(LISTS)
def test_scores_count_weights_as_repeats_and_are_scikit_learns(drawn):
    truth, likely, weight = of(drawn)
    times = weight.astype(int)
    repeat = np.repeat(truth, times, axis=0), np.repeat(likely, times, axis=0), np.ones(times.sum())
    for score in (aims.accuracy, aims.log_likelihood, aims.mean_average_precision, aims.mean_iou, aims.best_f1):
        assert score(truth, likely, weight) == pytest.approx(score(*repeat))
    for rule in (aims.class_thresholds, aims.second_threshold):
        np.testing.assert_array_equal(rule(truth, likely, weight), rule(*repeat))
    present = truth.any(axis=0)
    theirs = average_precision_score(truth[:, present], likely[:, present], sample_weight=weight)
    assert aims.mean_average_precision(truth, likely, weight) == pytest.approx(theirs)
    iou = jaccard_score(truth, answers(likely, None), average=None, sample_weight=weight, zero_division=0)
    assert aims.mean_iou(truth, likely, weight) == pytest.approx(iou[present].mean())


def test_of_equal_thresholds_the_middle_one_is_taken():
    # F1 is 1 / 2 after the first, the second, ... positive: hand-worked
    truth = np.array([[0, 1], [1, 0], [0, 1], [1, 0], [1, 0], [0, 1]], bool)
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], np.float32)
    cuts = [2 / 4, 2 / 5, 4 / 6, 4 / 7, 4 / 8, 6 / 9]
    likely, weight = np.stack([1 - score, score], axis=1), np.ones(6)
    assert aims.best_f1(truth, likely, weight) == pytest.approx(max(cuts))
    assert aims.second_threshold(truth, likely, weight)[0] == pytest.approx(0.2)  # of two, the lower
    flat = np.array([[0, 1], [0, 1], [1, 0]], bool)
    far = np.array([0.9, 0.8, 0.2], np.float32)
    assert aims.second_threshold(flat, np.stack([1 - far, far], axis=1), np.ones(3))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_the_threshold_of_two_areas_is_the_best_and_does_not_know_which_class_is_second(share):
    random = np.random.default_rng(3)
    second = random.random(300) < share
    score = np.clip(random.normal(0.3 + 0.3 * second, 0.15), 0, 1).astype(np.float32)
    truth, weight = np.stack([~second, second], axis=1), random.uniform(0.5, 2, 300)
    likely = np.stack([1 - score, score], axis=1)
    (chosen,) = aims.area_threshold(truth, likely, weight)

    def iou(threshold):
        answered = answers(likely, np.array([threshold], np.float64))
        return jaccard_score(truth, answered, average="macro", sample_weight=weight)

    best = aims.best_mean_iou(truth, likely, weight)
    assert best == pytest.approx(iou(chosen)) == pytest.approx(max(iou(each) for each in np.unique(score)))
    swapped = aims.best_mean_iou(truth[:, ::-1], likely[:, ::-1], weight)
    assert swapped == pytest.approx(best)
    alone = np.ones((300, 2), bool) & [True, False]
    assert aims.area_threshold(alone, likely, weight).tolist() == [0.5]


@pytest.mark.parametrize(("kind", "classes", "name", "thresholds"), [
    ("class", 4, "accuracy", False),
    ("classes", 4, "mean average precision", True),
    ("mask", 4, "mean IoU", False),
    ("mask", 2, "mean IoU at its best threshold", True),
    ("change", 2, "F1 at its best threshold", True),
])  # fmt: skip
def test_each_kind_of_labels_has_an_aim(kind, classes, name, thresholds):
    aim = aim_of(kind, classes)
    assert (aim.name, aim.thresholds is not None) == (name, thresholds)


@pytest.mark.parametrize("name", ["logistic", "ridge"])
def test_a_chosen_threshold_finds_rare_change_where_one_half_finds_none(name):
    random = np.random.default_rng(0)
    changed = random.random(12_000) < 0.01
    features = (random.normal(size=(12_000, 6)) + 1.2 * changed[:, None]).astype(np.float32)
    targets = Targets.of_indices(changed.astype(int), 2)
    fold = np.arange(12_000) % 4
    fit, report = np.flatnonzero(fold > 0), np.flatnonzero(fold == 0)
    inner = [(fit[fold[fit] != number], fit[fold[fit] == number]) for number in (1, 2, 3)]
    chosen = choose(methods.find(name), features, targets, inner, aim_of("change", 2), 0)
    likely = chosen.fitted.probabilities(features[report])
    f1 = [f1_score(changed[report], answers(likely, each)[:, 1]) for each in (chosen.thresholds, np.array([0.5]))]
    assert f1[0] > f1[1] + 0.1, f1


@pytest.mark.parametrize("name", ["knn", "logistic", "ridge", "trees"])
def test_the_choice_is_the_best_of_what_was_tried_and_the_same_again(name):
    features, targets = classes_apart(90, 30, 3, 0.15)
    parts = np.array_split(np.random.default_rng(1).permutation(90), 3)
    inner = [(np.concatenate(parts[:2]), parts[2]), (np.concatenate(parts[1:]), parts[0])]
    one, other = (choose(methods.find(name), features, targets, inner, aim_of("class", 3), 5) for _ in range(2))
    assert one.settings == other.settings
    assert all(np.array_equal(value, other.fitted.arrays()[key]) for key, value in one.fitted.arrays().items())
    assert one.score == max(each.score for each in one.tried)
    assert np.array_equal(one.judged, np.concatenate([parts[2], parts[0]]))
    judged = targets.take(one.judged)
    assert one.score == pytest.approx((one.out_of_fold.argmax(axis=1) == judged.truth.argmax(axis=1)).mean())
    assert one.thresholds is None


def test_with_a_validation_part_the_final_fit_is_on_the_training_part_alone():
    features, targets = several_classes(80, 12, 3)
    train, val = np.arange(50), np.arange(50, 80)
    ridge = methods.find("ridge")
    chosen = choose(ridge, features, targets, [(train, val)], aim_of("classes", 3), 0)
    assert np.array_equal(chosen.samples, train)
    (alone,) = ridge.fits(features[train], targets.take(train), [chosen.settings], 0)
    assert all(np.array_equal(value, alone.arrays()[key]) for key, value in chosen.fitted.arrays().items())
    for number, threshold in enumerate(chosen.thresholds):
        truth, score = targets.truth[val, number], chosen.out_of_fold[:, number]
        best = max(f1_score(truth, score >= each) for each in np.unique(score))
        assert f1_score(truth, score >= threshold) == pytest.approx(best)


def test_without_pairs_the_usual_settings_are_taken():
    features, targets = several_classes(20, 5, 3)
    chosen = choose(methods.find("knn"), features, targets, [], aim_of("classes", 3), 0, samples=np.arange(10))
    assert chosen.settings == {"neighbours": 1}
    assert chosen.thresholds.tolist() == [0.5] * 3
    assert chosen.out_of_fold is None


def test_of_equal_settings_the_first_wins():
    def tried(*scores: tuple[float, float]) -> list[Tried]:
        return [Tried("ridge", {}, *each) for each in scores]

    assert best_of(tried((0.5, -1.0), (0.5, -1.0), (0.4, 0.0))) == 0
    assert best_of(tried((0.5, -1.0), (0.5, -0.5), (0.5, -0.5))) == 1
    assert best_of(tried((0.5, -1.0), (0.5 + 1e-15, -2.0))) == 0  # rounding is no lead
    for order in itertools.permutations([(0.1, 0.0), (0.2, 0.0), (0.3, 0.0)]):
        assert tried(*order)[best_of(tried(*order))].score == 0.3
