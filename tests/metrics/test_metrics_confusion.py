"""Counts of images and of pixels: what is in them, what is not, and that parts add up to the whole."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn_tables import image, noticed, probabilities, table, value
from spectralgpt.metrics import CHANGE_SCORES, MASK_SCORES, ConfusionCounts, confusion


def same(one: ConfusionCounts, other: ConfusionCounts) -> None:
    np.testing.assert_array_equal(one.counts, other.counts)
    np.testing.assert_array_equal(one.confidence, other.confidence)
    # equal tables are equal in storage too: entries are sorted, and none is 0
    for name in ("first", "cell", "number"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_counts_of_classes_stand_where_truth_and_prediction_say():
    made = ConfusionCounts.of_classes(np.array([0, 2, -1, 1]), np.array([0, 1, 2, -1]), 3)
    expected = np.zeros((4, 3, 4), np.int64)
    expected[0, 0, 0] = 1
    expected[1, 2, 1] = 1  # truth 2 taken for 1
    expected[3, 1, 3] = 1  # no answer; the third image has no label
    np.testing.assert_array_equal(made.counts, expected)
    np.testing.assert_array_equal(made.total(), expected.sum(axis=0))


def test_what_is_no_class_is_no_answer_and_an_error():
    truth = np.array([[0, 0, 1, 1, -1]], np.int16)
    predicted = np.array([[0, 255, 1, 2, 255]], np.uint8)  # 255 as in a map without data, 2 as no class of these
    made = ConfusionCounts.of_mask(truth, predicted, 2)
    assert made.counts.tolist() == [[[1, 0, 1], [0, 1, 1]]]
    assert value(MASK_SCORES, "overall_accuracy", made) == 2 / 4
    # each class: 1 right of 2, and no false alarm
    assert value(MASK_SCORES, "mean_iou", made) == 1 / 2
    assert made.per_image().precision().tolist() == [[1.0, 1.0]]


def test_a_true_class_outside_the_classes_is_refused():
    with pytest.raises(ValueError, match="found the true class 3; expected below 3"):
        ConfusionCounts.of_classes(np.array([0, 3]), np.array([0, 0]), 3)


@given(seed=st.integers(0, 2**32 - 1), scores=st.sampled_from([MASK_SCORES, CHANGE_SCORES]))
def test_nothing_under_ignored_pixels_reaches_a_score(seed, scores):
    random = np.random.default_rng(seed)
    classes = 2 if scores is CHANGE_SCORES else 4
    truth = random.integers(-1, classes, (6, 5)).astype(np.int16)
    predicted = random.integers(-1, classes, (6, 5))
    likely = probabilities(random, 6, 5, classes)
    ignored = truth < 0

    def check() -> None:
        one = ConfusionCounts.of_mask(truth, predicted, classes, likely)
        codes = np.where(ignored, -random.integers(1, 9, truth.shape), truth).astype(np.int16)
        answers = np.where(ignored, 300, predicted)
        junk = np.where(ignored[..., None], np.float32(np.nan), likely)
        other = ConfusionCounts.of_mask(codes, answers, classes, junk)
        for score in scores:
            a, b = np.float64(score.of(one)), np.float64(score.of(other))
            assert a.tobytes() == b.tobytes(), score.name

    check()
    if not np.any(ignored & (predicted >= 0)):
        return
    with pytest.MonkeyPatch.context() as patch:
        # broken: ignored pixels are taken for the first class
        counted = confusion._counted
        patch.setattr(confusion, "_counted", lambda i, n, truth, *rest: counted(i, n, np.maximum(truth, 0), *rest))
        with pytest.raises((AssertionError, ValueError)):
            check()


@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 11), order=st.permutations([0, 1, 2]))
def test_strips_add_up_to_the_image(seed, cut, order):
    random = np.random.default_rng(seed)
    truth = random.integers(-1, 3, (12, 9)).astype(np.int16)
    predicted, likely = random.integers(-1, 3, (12, 9)), probabilities(random, 12, 9, 3)
    whole = ConfusionCounts.of_mask(truth, predicted, 3, likely)
    rows = [slice(0, cut), slice(cut, 11), slice(11, 12)]
    first, second, third = (
        ConfusionCounts.of_mask(truth[rows[i]], predicted[rows[i]], 3, likely[rows[i]]) for i in order
    )
    same(first + second + third, whole)
    if third.number.sum():
        with noticed():
            same(first + second, whole)


def test_masks_are_counted_in_strips_of_bounded_size(monkeypatch):
    random = np.random.default_rng(1)
    truth = random.integers(-1, 3, (40, 30)).astype(np.int16)
    predicted, likely = random.integers(-1, 3, (40, 30)), probabilities(random, 40, 30, 3)
    whole = ConfusionCounts.of_mask(truth, predicted, 3, likely)
    sizes = []
    counted = confusion._counted
    monkeypatch.setattr(confusion, "_counted", lambda image, *rest: sizes.append(len(image)) or counted(image, *rest))
    monkeypatch.setattr(confusion, "_MOST_PIXELS", 100)
    same(ConfusionCounts.of_mask(truth, predicted, 3, likely), whole)
    assert sizes == [90] * 13 + [30]


@pytest.mark.parametrize("kind", ["class", "mask"])
def test_joined_and_taken_images_are_the_same(kind):
    parts = [table(kind, seed, images) for seed, images in ((1, 1), (2, 7), (3, 4))]
    joined = ConfusionCounts.joined(parts)
    np.testing.assert_array_equal(joined.counts, np.concatenate([part.counts for part in parts]))
    same(joined.take(np.arange(1, 8)), parts[1])
    drawn = np.array([11, 0, 5, 5, 0])
    np.testing.assert_array_equal(joined.take(drawn).counts, joined.counts[drawn])
    np.testing.assert_array_equal(joined.take(drawn).confidence, joined.confidence[drawn])
    same(ConfusionCounts.joined([joined.take(np.array([i])) for i in range(12)]), joined)
    assert len(joined.take(np.array([], np.int64))) == 0


def test_tables_that_do_not_match_are_refused():
    two, three = table("change", 1), table("mask", 1, classes=3)
    with pytest.raises(ValueError, match=r"different sizes: \[2, 3\]"):
        ConfusionCounts.joined([two, three])
    with pytest.raises(ValueError, match=r"different sizes: \[5, 20\]"):
        two + table("change", 1, images=5)
    with pytest.raises(ValueError, match="found 3 predicted classes; expected 3 and 'no answer'"):
        ConfusionCounts.of_counts(np.zeros((1, 3, 3), np.int64))


def test_counts_give_the_table_back():
    made = table("mask", 5)
    again = ConfusionCounts.of_counts(made.counts)
    np.testing.assert_array_equal(again.counts, made.counts)
    sums, counts = made.per_image(), made.counts
    np.testing.assert_array_equal(sums.truth, counts.sum(axis=2))
    np.testing.assert_array_equal(sums.predicted, counts.sum(axis=1)[:, :4])
    np.testing.assert_array_equal(sums.right, counts.diagonal(axis1=1, axis2=2))


def test_few_entries_are_stored_for_many_classes():
    random = np.random.default_rng(3)
    made = ConfusionCounts.of_classes(random.integers(0, 62, 5000), random.integers(0, 62, 5000), 62)
    assert len(made.cell) == 5000  # the whole table would have 62 x 63 numbers per image


def test_an_image_without_labelled_pixels_has_no_counts():
    made = ConfusionCounts.of_mask(np.full((3, 3), -1, np.int16), np.zeros((3, 3), np.int64), 2)
    assert made.total().sum() == 0
    assert all(np.isnan(score.of(made)) for score in MASK_SCORES)
    random = np.random.default_rng(0)
    other = image(random, 2)
    both = ConfusionCounts.joined([made, other])
    for score in CHANGE_SCORES:
        assert score.of(both) == score.of(other), score.name
