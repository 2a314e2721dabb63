"""Scores: scikit-learn's where every class is in the truth, worked by hand where one is not, equal for all batches."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn
from torchmetrics.functional import classification as torchmetrics

from drawn_tables import KINDS, names, noticed, table, value
from spectralgpt.metrics import (
    CHANGE_SCORES,
    CLASS_SCORES,
    MASK_SCORES,
    ClassSums,
    ConfusionCounts,
    by_class,
    classes_present,
    classwise,
    scores,
)

ALL = [(kind, score) for kind, scores in KINDS.items() for score in scores]
IDS = [f"{kind}-{score.name}" for kind, score in ALL]


def test_choices_are_made_by_the_first_score():
    assert [names(scores)[0] for scores in KINDS.values()] == ["accuracy", "macro_map", "mean_iou", "f1"]
    for found in KINDS.values():
        assert len(set(names(found))) == len(found)
        assert [score.name for score in found if score.lower_is_better] == ["calibration_error"]


# Where every class is in the truth


@settings(max_examples=30)
@given(data=st.data(), classes=st.integers(2, 5))
def test_scores_of_classes_are_scikit_learns(data, classes):
    samples = st.lists(st.integers(0, classes - 1), min_size=0, max_size=30)
    truth = np.array([*range(classes), *data.draw(samples)])
    predicted = np.array(data.draw(st.lists(st.integers(0, classes - 1), min_size=len(truth), max_size=len(truth))))
    made = ConfusionCounts.of_classes(truth, predicted, classes)
    known = {"labels": range(classes), "zero_division": 0}

    def check() -> None:
        expected = {
            "accuracy": sklearn.accuracy_score(truth, predicted),
            "macro_f1": sklearn.f1_score(truth, predicted, average="macro", **known),
            "micro_f1": sklearn.f1_score(truth, predicted, average="micro", **known),
            "balanced_accuracy": sklearn.balanced_accuracy_score(truth, predicted),
        }
        assert {name: value(CLASS_SCORES, name, made) for name in expected} == pytest.approx(expected, abs=1e-12)
        found = by_class(made)
        for name, function in (
            ("precision", sklearn.precision_score),
            ("recall", sklearn.recall_score),
            ("f1", sklearn.f1_score),
            ("iou", sklearn.jaccard_score),
        ):
            np.testing.assert_allclose(found[name], function(truth, predicted, average=None, **known), atol=1e-12)
        iou = sklearn.jaccard_score(truth, predicted, average="macro", **known)
        assert value(MASK_SCORES, "mean_iou", made) == pytest.approx(iou, abs=1e-12)
        assert value(MASK_SCORES, "mean_recall", made) == value(CLASS_SCORES, "balanced_accuracy", made)
        assert classes_present(made) == classes

    check()
    found = by_class(made)
    if np.any((found["f1"] > 0) & (found["f1"] < 1)):
        with pytest.MonkeyPatch.context() as patch, noticed():  # broken: the other of the two overlaps
            patch.setattr(ClassSums, "iou", ClassSums.f1)
            check()
    if np.any(found["precision"] != found["recall"]):
        with pytest.MonkeyPatch.context() as patch, noticed():  # broken: precision's divisor is recall's
            patch.setattr(ClassSums, "precision", ClassSums.recall)
            check()


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_scores_of_change_are_scikit_learns(seed):
    random = np.random.default_rng(seed)
    truth = (random.random((3, 8, 8)) < 0.2).astype(np.int16)
    truth[0, 0, :2] = 0, 1
    predicted = np.where(random.random(truth.shape) < 0.7, truth, 1 - truth).astype(np.int64)
    made = ConfusionCounts.joined([ConfusionCounts.of_mask(t, p, 2) for t, p in zip(truth, predicted, strict=True)])
    known = {"zero_division": 0}
    flat = truth.ravel(), predicted.ravel()
    expected = {
        "f1": sklearn.f1_score(*flat, **known),
        "precision": sklearn.precision_score(*flat, **known),
        "recall": sklearn.recall_score(*flat, **known),
        "iou": sklearn.jaccard_score(*flat, **known),
        "overall_accuracy": sklearn.accuracy_score(*flat),
    }
    if all(each.any() for each in truth):
        pairs = [(t.ravel(), p.ravel()) for t, p in zip(truth, predicted, strict=True)]
        for name in ("f1", "precision", "recall"):
            function = getattr(sklearn, f"{name}_score")
            expected[f"{name}_per_image"] = float(np.mean([function(*pair, **known) for pair in pairs]))
    assert {name: value(CHANGE_SCORES, name, made) for name in expected} == pytest.approx(expected, abs=1e-12)
    with noticed():  # no and yes exchanged
        other = ConfusionCounts.of_mask(1 - truth[0], 1 - predicted[0], 2)
        assert value(CHANGE_SCORES, "f1", other) == sklearn.f1_score(truth[0].ravel(), predicted[0].ravel(), **known)


# Where a class is not in the truth: rows are the truth, columns what is predicted


def made_of(*rows: tuple[int, ...], no_answer: tuple[int, ...] = (0, 0, 0)) -> ConfusionCounts:
    return ConfusionCounts.of_counts(np.column_stack([np.array(rows), no_answer])[None].astype(np.int64))


HAND = {
    "the third class is predicted, and in no truth": (
        made_of((4, 1, 1), (2, 2, 0), (0, 0, 0)),
        # first: 4 right of 6, 6 predicted; second: 2 right of 4, 3 predicted; third: 1 predicted, left out
        {
            "mean_iou": (4 / (6 + 6 - 4) + 2 / (4 + 3 - 2)) / 2,
            "macro_f1": (8 / (6 + 6) + 4 / (4 + 3)) / 2,
            "mean_recall": (4 / 6 + 2 / 4) / 2,
            "overall_accuracy": 6 / 10,
        },
        2,
        [4 / 6, 2 / 3, math.nan],
    ),
    "the third class is neither predicted nor in the truth": (
        made_of((4, 2, 0), (2, 2, 0), (0, 0, 0)),
        # first: 4 right of 6, 6 predicted; second: 2 right of 4, 4 predicted
        {
            "mean_iou": (4 / 8 + 2 / 6) / 2,
            "macro_f1": (8 / 12 + 4 / 8) / 2,
            "mean_recall": (4 / 6 + 2 / 4) / 2,
            "overall_accuracy": 6 / 10,
        },
        2,
        [4 / 6, 2 / 4, math.nan],
    ),
    "the third class is in the truth, and never predicted": (
        made_of((4, 1, 0), (2, 2, 0), (0, 1, 0)),
        # first: 4 right of 5, 6 predicted; second: 2 right of 4, 4 predicted; third: 0 right of 1, counted as 0
        {
            "mean_iou": (4 / 7 + 2 / 6 + 0) / 3,
            "macro_f1": (8 / 11 + 4 / 8 + 0) / 3,
            "mean_recall": (4 / 5 + 2 / 4 + 0) / 3,
            "overall_accuracy": 6 / 10,
        },
        3,
        [4 / 6, 2 / 4, 0.0],
    ),
    "two pixels have no answer": (
        made_of((4, 0, 0), (1, 2, 0), (0, 0, 1), no_answer=(2, 0, 0)),
        # first: 4 right of 6, 5 predicted; second: 2 right of 3, 2 predicted; third: 1 of 1, 1 predicted
        {
            "mean_iou": (4 / 7 + 2 / 3 + 1) / 3,
            "macro_f1": (8 / 11 + 4 / 5 + 1) / 3,
            "mean_recall": (4 / 6 + 2 / 3 + 1) / 3,
            "overall_accuracy": 7 / 10,
        },
        3,
        [4 / 5, 1.0, 1.0],
    ),
}


FALSE_ALARM, ABSENT, NEVER_PREDICTED, NO_ANSWER = HAND


def check_by_hand(case: str) -> None:
    made, expected, present, precision = HAND[case]
    assert {name: value(MASK_SCORES, name, made) for name in expected} == pytest.approx(expected, abs=1e-15)
    assert classes_present(made) == present
    np.testing.assert_allclose(by_class(made)["precision"], precision)


@pytest.mark.parametrize("case", HAND)
def test_absent_classes_as_worked_by_hand(case):
    check_by_hand(case)


PER_IMAGE = ConfusionCounts.per_image


def answered_only(table: ConfusionCounts) -> ClassSums:
    counts = table.counts
    counts[..., -1] = 0
    return PER_IMAGE(ConfusionCounts.of_counts(counts))


def present_or_predicted(sums: ClassSums, values: np.ndarray) -> np.ndarray:
    return np.where(sums.truth + sums.predicted > 0, np.nan_to_num(values), np.nan)


@pytest.mark.parametrize(
    ("case", "where", "name", "broken"),
    [
        # torchmetrics' rule: an absent class counts as soon as it is predicted
        (FALSE_ALARM, ClassSums, "_of_present", present_or_predicted),
        # the usual one-liners: NaN if a class is absent (MATH.md 10, 36), or 0
        (ABSENT, scores, "mean_of_present", lambda values: values.mean(axis=-1)),
        (ABSENT, scores, "mean_of_present", lambda values: np.nan_to_num(values).mean(axis=-1)),
        # a class that is never predicted disappears
        (NEVER_PREDICTED, scores, "mean_of_present", lambda v: classwise.mean_of_present(np.where(v > 0, v, np.nan))),
        # pixels without an answer are left out
        (NO_ANSWER, ConfusionCounts, "per_image", answered_only),
    ],
)
def test_the_tables_worked_by_hand_notice_another_rule(case, where, name, broken, monkeypatch):
    monkeypatch.setattr(where, name, broken)
    with noticed():
        check_by_hand(case)


def test_torchmetrics_agrees_per_class_and_differs_in_the_mean():
    made = HAND[FALSE_ALARM][0]
    truth, predicted = made.counts[0].nonzero()
    times = made.counts[0][truth, predicted]
    pairs = torch.tensor(np.repeat(predicted, times)), torch.tensor(np.repeat(truth, times))
    each = torchmetrics.multiclass_jaccard_index(*pairs, num_classes=3, average="none").numpy()
    np.testing.assert_allclose(by_class(made)["iou"][:2], each[:2], rtol=1e-6)
    mean = torchmetrics.multiclass_jaccard_index(*pairs, num_classes=3, average="macro").item()
    assert mean == pytest.approx((4 / 8 + 2 / 5 + 0) / 3)  # the false alarm of one pixel costs a third
    assert value(MASK_SCORES, "mean_iou", made) == pytest.approx((4 / 8 + 2 / 5) / 2)


# Batches


@pytest.mark.parametrize(("kind", "score"), ALL, ids=IDS)
def test_scores_do_not_depend_on_batches(kind, score):
    whole = table(kind, 7)

    def check(score_of) -> None:
        for size in (1, 7, 20):
            parts = [whole.take(np.arange(start, min(start + size, 20))) for start in range(0, 20, size)]
            found = score_of(parts)
            assert np.float64(found).tobytes() == np.float64(score.of(whole)).tobytes(), size

    check(lambda parts: score.of(type(whole).joined(parts)))
    # broken: the mean of the batches' scores (MATH.md 10, 32, 33); the last, incomplete batch dropped (34)
    with noticed():
        check(lambda parts: np.mean([score.of(part) for part in parts]))
    with noticed():
        check(lambda parts: score.of(type(whole).joined(parts[:2])))


@pytest.mark.parametrize(("kind", "score"), ALL, ids=IDS)
def test_a_draw_is_the_table_of_its_images(kind, score):
    made = table(kind, 11)
    times = np.random.default_rng(5).integers(0, 3, (6, 20))
    expected = [score.of(made.take(np.repeat(np.arange(20), row))) for row in times]
    np.testing.assert_allclose(score.drawn(made, times.astype(np.float64)), expected, rtol=1e-12)
    with noticed():  # each image once
        np.testing.assert_allclose(score.drawn(made, np.minimum(times, 1).astype(np.float64)), expected, rtol=1e-12)


@pytest.mark.parametrize(("kind", "score"), ALL, ids=IDS)
def test_scores_do_not_depend_on_the_order_of_images(kind, score):
    made = table(kind, 13)
    order = np.random.default_rng(1).permutation(20)
    assert score.of(made.take(order)) == pytest.approx(score.of(made), rel=1e-14)


def test_padding_with_duplicates_changes_scores():
    """MATH.md 10, 33: three processes with 7 of 20 images each, one of them twice."""
    made = table("class", 3)
    ranks = [made.take(np.arange(rank, 20, 3)) for rank in range(3)]
    assert value(CLASS_SCORES, "accuracy", ConfusionCounts.joined(ranks)) == value(CLASS_SCORES, "accuracy", made)
    padded = made.take(np.append(np.arange(20), 0))
    assert value(CLASS_SCORES, "accuracy", padded) != value(CLASS_SCORES, "accuracy", made)


# Change


def change(right: int, missed: int, false: int, unchanged: int = 10) -> ConfusionCounts:
    return ConfusionCounts.of_counts(np.array([[[unchanged, false, 0], [missed, right, 0]]]))


def check_change() -> None:
    made = ConfusionCounts.joined([change(6, 2, 2), change(1, 3, 0), change(0, 0, 0), change(0, 0, 4), change(0, 5, 0)])
    found = {score.name: score.of(made) for score in CHANGE_SCORES}
    # together: 7 right, 10 missed, 6 false alarms
    assert found["precision"] == pytest.approx(7 / 13)
    assert found["recall"] == pytest.approx(7 / 17)
    assert found["f1"] == pytest.approx(14 / 30)
    assert found["iou"] == pytest.approx(7 / 23)
    # images: the third has no change and none is predicted: 1; the fourth only false alarms, the fifth misses all: 0
    assert found["precision_per_image"] == pytest.approx((6 / 8 + 1 + 1 + 0 + 0) / 5)
    assert found["recall_per_image"] == pytest.approx((6 / 8 + 1 / 4 + 1 + 0 + 0) / 5)
    assert found["f1_per_image"] == pytest.approx((12 / 16 + 2 / 5 + 1 + 0 + 0) / 5)


def test_change_pooled_and_per_image_as_worked_by_hand():
    check_change()


def first_image_only(self: ConfusionCounts) -> ClassSums:
    """As an evaluation that looks only at the first image of each batch (MATH.md 10, 34)."""
    sums = PER_IMAGE(self)
    return ClassSums(*(np.repeat(each[:1], len(each), axis=0) for each in (sums.right, sums.truth, sums.predicted)))


@pytest.mark.parametrize(
    ("where", "name", "broken"),
    [
        (ConfusionCounts, "per_image", first_image_only),
        (scores, "CHANGE", 0),
        (scores, "_WITHOUT_CHANGE", 0.0),
    ],
)
def test_the_changes_worked_by_hand_notice_another_rule(where, name, broken, monkeypatch):
    monkeypatch.setattr(where, name, broken)
    with noticed():
        check_change()


def test_nothing_predicted_and_nothing_to_find():
    """MATH.md 10, 34: precision divides by zero when nothing is predicted."""
    nothing_predicted = change(0, 5, 0)
    for name in ("f1", "precision", "recall", "iou", "f1_per_image", "precision_per_image", "recall_per_image"):
        assert value(CHANGE_SCORES, name, nothing_predicted) == 0.0
    nothing_to_find = change(0, 0, 3)
    for name in ("f1", "precision", "recall", "iou"):
        assert math.isnan(value(CHANGE_SCORES, name, nothing_to_find))
    assert value(CHANGE_SCORES, "f1_per_image", nothing_to_find) == 0.0
    assert value(CHANGE_SCORES, "overall_accuracy", nothing_to_find) == 10 / 13
    no_answer = ConfusionCounts.of_counts(np.array([[[0, 0, 10], [0, 0, 0]]]))
    assert value(CHANGE_SCORES, "f1_per_image", no_answer) == 0.0


@pytest.mark.parametrize(("kind", "score"), ALL, ids=IDS)
def test_no_score_of_an_empty_table_is_a_number(kind, score):
    empty = table(kind, 1).take(np.array([], np.int64))
    assert math.isnan(score.of(empty))


@pytest.mark.parametrize(("kind", "score"), ALL, ids=IDS)
def test_scores_lie_between_0_and_1(kind, score):
    for seed in range(20):
        assert 0 <= score.of(table(kind, seed, images=6)) <= 1
