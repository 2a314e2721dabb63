"""Expected calibration error: as defined, in float32, and the same for every order of the samples."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional import classification as torchmetrics

from drawn_tables import noticed, probabilities, table, value
from spectralgpt.metrics import CLASS_SCORES, LABEL_SCORES, ConfusionCounts, LabelTable, calibration, reliability


def error(truth: np.ndarray, likely: np.ndarray) -> float:
    made = ConfusionCounts.of_classes(truth, likely.argmax(axis=1), likely.shape[1], likely)
    return value(CLASS_SCORES, "calibration_error", made)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 5))
def test_the_error_of_classes_is_torchmetrics(seed, classes):
    random = np.random.default_rng(seed)
    likely = probabilities(random, 40, classes)
    truth = np.where(random.random(40) < 0.5, likely.argmax(axis=1), random.integers(0, classes, 40))
    tensors = torch.tensor(likely), torch.tensor(truth)
    expected = torchmetrics.multiclass_calibration_error(*tensors, num_classes=classes, n_bins=15, norm="l1").item()
    assert error(truth, likely) == pytest.approx(expected, abs=1e-6)
    with pytest.MonkeyPatch.context() as patch, noticed():
        patch.setattr(calibration, "CONFIDENCE_UNIT", 2.0**-3)  # confidences rounded as in a short float
        assert error(truth, likely) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_error_of_labels_is_torchmetrics(seed):
    random = np.random.default_rng(seed)
    scores = random.random((15, 3), dtype=np.float32)
    truth = random.random((15, 3)) < scores**2
    tensors = torch.tensor(scores.ravel()), torch.tensor(truth.ravel().astype(int))
    expected = torchmetrics.binary_calibration_error(*tensors, n_bins=15, norm="l1").item()
    for threshold in (0.1, 0.5):  # chosen thresholds do not matter
        made = LabelTable(truth, scores > threshold, scores)
        assert value(LABEL_SCORES, "calibration_error", made) == pytest.approx(expected, abs=1e-6)


def test_the_error_as_worked_by_hand():
    # bins of 1/15: 0.90 and 0.92 in the same (0.867 to 0.933), one of two right; 0.55 alone, right
    likely = np.array([[0.90, 0.10], [0.92, 0.08], [0.45, 0.55]], np.float32)
    expected = (2 * abs(0.91 - 1 / 2) + abs(0.55 - 1)) / 3
    assert error(np.array([0, 1, 1]), likely) == pytest.approx(expected, abs=1e-7)
    made = ConfusionCounts.of_classes(np.array([0, 1, 1]), np.array([0, 0, 1]), 2, likely)
    shown = reliability(made)
    assert shown.number[0, [8, 13]].tolist() == [1, 2]
    assert shown.right[0, [8, 13]].tolist() == [1, 0.5]
    assert shown.confidence[0, [8, 13]] == pytest.approx([0.55, 0.91], abs=1e-7)
    assert np.isnan(shown.right[0, 0])


@pytest.mark.parametrize(("confidence", "place"), [(0.0, 0), (1.0, 14), (0.2, 3), (0.6, 9), (0.5, 7)])
def test_a_bin_holds_its_lower_edge(confidence, place):
    counts = calibration.confidence_counts(np.array([confidence], np.float32), np.array([True]), np.array([0]), 1)
    assert counts[0, :, 0].nonzero()[0].tolist() == [place]


def test_100_000_values_in_half_precision_would_have_no_error():
    random = np.random.default_rng(0)
    scores = random.random((100_000, 1), dtype=np.float32)
    truth = random.random((100_000, 1)) < scores**2
    found = value(LABEL_SCORES, "calibration_error", LabelTable(truth, truth, scores))
    assert found == pytest.approx(np.mean(scores - scores**2), abs=0.005)
    half = torch.tensor(scores.ravel()).half(), torch.tensor(truth.ravel().astype(int))
    assert torchmetrics.binary_calibration_error(*half, n_bins=15).item() == 0.0


@given(seed=st.integers(0, 2**32 - 1))
def test_counts_do_not_depend_on_the_order_of_samples(seed):
    random = np.random.default_rng(seed)
    confidence = random.random(50, dtype=np.float32)
    right, image, order = random.random(50) < 0.5, random.integers(0, 3, 50), random.permutation(50)
    counts = calibration.confidence_counts(confidence, right, image, 3)
    moved = calibration.confidence_counts(confidence[order], right[order], image[order], 3)
    np.testing.assert_array_equal(counts, moved)
    assert counts[..., 0].sum(axis=1).tolist() == np.bincount(image, minlength=3).tolist()


def test_samples_without_answer_or_probabilities_have_no_confidence():
    truth, predicted = np.array([0, 1, 1]), np.array([0, -1, 0])
    likely = np.array([[0.7, 0.3], [np.nan, np.nan], [0.8, 0.2]], np.float32)
    made = ConfusionCounts.of_classes(truth, predicted, 2, likely)
    assert made.confidence[..., 0].sum() == 2
    assert np.isnan(value(CLASS_SCORES, "calibration_error", ConfusionCounts.of_classes(truth, predicted, 2)))
    with pytest.raises(ValueError, match=r"confidences outside \[0, 1\]"):
        ConfusionCounts.of_classes(truth, np.zeros(3, np.int64), 2, likely)


def test_a_chosen_threshold_does_not_change_the_error():
    truth = np.array([0, 1, 1, 1])
    likely = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)
    low, high = (
        ConfusionCounts.of_classes(truth, (likely[:, 1] > at).astype(np.int64), 2, likely) for at in (0.15, 0.5)
    )
    assert value(CLASS_SCORES, "accuracy", low) != value(CLASS_SCORES, "accuracy", high)
    assert value(CLASS_SCORES, "calibration_error", low) == value(CLASS_SCORES, "calibration_error", high)


def test_images_are_weighted_by_their_samples():
    made = table("mask", 3)
    expected = weighted_gaps(made).sum() / made.confidence[..., 0].sum()
    assert value(CLASS_SCORES, "calibration_error", made) == pytest.approx(expected, abs=1e-12)


def weighted_gaps(made: ConfusionCounts) -> np.ndarray:
    number, confidence, right = np.moveaxis(made.confidence.sum(axis=0), -1, 0)
    return np.abs(confidence * calibration.CONFIDENCE_UNIT - right)[number > 0]
