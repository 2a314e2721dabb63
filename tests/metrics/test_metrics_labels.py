"""Several labels per image: average precision without thresholds, ties passed together, one ranking for all batches."""

import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn
from torchmetrics.functional import classification as torchmetrics

from drawn_tables import noticed, table, value
from spectralgpt.metrics import LABEL_SCORES, LabelTable, by_class, classes_present, ranking
from spectralgpt.metrics.ranking import average_precision


def ranked(scores: list[float], truth: list[int], weights: list[int] | None = None) -> float:
    """The average precision of samples of one image each."""
    drawn = np.ones(len(scores)) if weights is None else np.array(weights, np.float64)
    where = np.arange(len(scores))
    return float(average_precision(np.array(scores, np.float32), np.array(truth, bool), where, drawn[None])[0])


def test_average_precision_as_worked_by_hand():
    # true ones at ranks 1, 3 and 4
    assert ranked([0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 1, 0]) == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    # ranks 2 to 4 tie, and pass together: the two true ones among them gain 2/3 of the recall at a precision of 3/4
    tie = (1 / 1) / 3 + (3 / 4) * 2 / 3
    assert ranked([0.9, 0.7, 0.7, 0.7, 0.5], [1, 0, 1, 1, 0]) == pytest.approx(tie)
    assert ranked([0.9, 0.7, 0.7, 0.7, 0.5], [1, 1, 1, 0, 0]) == pytest.approx(tie)
    # the second image drawn twice, the first never
    assert ranked([0.9, 0.8, 0.7], [0, 0, 1], [0, 2, 1]) == pytest.approx(1 / 3)
    assert ranked([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0]) == 1 / 4
    assert math.isnan(ranked([0.5, 0.4], [0, 0]))
    assert math.isnan(ranked([], []))
    assert math.isnan(ranked([0.5, 0.4], [1, 0], [0, 3]))


@st.composite
def label_tables(draw, every_class: bool = True) -> LabelTable:
    """Tables with few different probabilities, so that many tie."""
    seed, images, classes = draw(st.integers(0, 2**32 - 1)), draw(st.integers(2, 25)), draw(st.integers(2, 4))
    levels = draw(st.sampled_from([2, 5, 1000]))
    random = np.random.default_rng(seed)
    truth = random.random((images, classes)) < 0.3
    if every_class:
        truth[random.integers(0, images, classes), np.arange(classes)] = True
    scores = (random.integers(0, levels, truth.shape) / levels).astype(np.float32)
    return LabelTable(truth, scores > 0.4, scores)


@settings(max_examples=30)
@given(made=label_tables())
def test_scores_of_labels_are_scikit_learns(made):
    expected = {
        "macro_map": sklearn.average_precision_score(made.truth, made.probabilities, average="macro"),
        "micro_map": sklearn.average_precision_score(made.truth, made.probabilities, average="micro"),
        "macro_f1": sklearn.f1_score(made.truth, made.predicted, average="macro", zero_division=0),
        "micro_f1": sklearn.f1_score(made.truth, made.predicted, average="micro", zero_division=0),
        "exact_match": sklearn.accuracy_score(made.truth, made.predicted),
    }
    each = sklearn.average_precision_score(made.truth, made.probabilities, average=None)
    np.testing.assert_allclose(by_class(made)["average_precision"], each, atol=1e-12)
    f1 = sklearn.f1_score(made.truth, made.predicted, average=None, zero_division=0)
    np.testing.assert_allclose(by_class(made)["f1"], f1, atol=1e-12)

    assert {name: value(LABEL_SCORES, name, made) for name in expected} == pytest.approx(expected, abs=1e-12)


def check_ties() -> None:
    made = table("classes", 4)
    for name, average in (("macro_map", "macro"), ("micro_map", "micro")):
        expected = sklearn.average_precision_score(made.truth, made.probabilities, average=average)
        assert value(LABEL_SCORES, name, made) == pytest.approx(expected, abs=1e-12)


def one_by_one(scores, truth, image, weights):
    order = np.lexsort((~truth, -scores))
    places = np.linspace(1, 0, len(scores), dtype=np.float32)
    return average_precision(places, truth[order], image[order], weights)


def without_absent_ones(scores, truth, image, weights):
    return average_precision(scores[truth], truth[truth], image[truth], weights)


@pytest.mark.parametrize("broken", [one_by_one, without_absent_ones])
def test_ties_pass_together(broken, monkeypatch):
    check_ties()
    monkeypatch.setattr("spectralgpt.metrics.labels.average_precision", broken)
    with noticed():
        check_ties()


@settings(max_examples=20)
@given(made=label_tables(every_class=False))
def test_classes_in_no_truth_are_left_out(made):
    present = made.truth.any(axis=0)
    if not present.any():
        assert math.isnan(value(LABEL_SCORES, "macro_map", made))
        return
    alone = LabelTable(made.truth[:, present], made.predicted[:, present], made.probabilities[:, present])
    for name in ("macro_map", "macro_f1"):
        assert value(LABEL_SCORES, name, made) == pytest.approx(value(LABEL_SCORES, name, alone), abs=1e-12)
    assert classes_present(made) == classes_present(alone) == present.sum()
    assert np.isnan(by_class(made)["average_precision"]).tolist() == (~present).tolist()


def test_an_absent_class_where_the_libraries_differ():
    truth = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]], bool)
    scores = np.array([[0.9, 0.2, 0.6], [0.4, 0.8, 0.7], [0.3, 0.1, 0.1]], np.float32)
    made = LabelTable(truth, scores > 0.5, scores)
    # first class: true at ranks 1 and 3; second: at rank 1; the third is in no truth
    expected = ((1 / 1 + 2 / 3) / 2 + 1) / 2
    assert value(LABEL_SCORES, "macro_map", made) == pytest.approx(expected)
    tensors = torch.tensor(scores), torch.tensor(truth.astype(int))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both say so
        each = torchmetrics.multilabel_average_precision(*tensors, num_labels=3, average="none").numpy()
        mean = sklearn.average_precision_score(truth, scores)
    np.testing.assert_allclose(by_class(made)["average_precision"][:2], each[:2], rtol=1e-6)
    assert mean == pytest.approx(expected * 2 / 3)  # counted as 0


def test_micro_map_of_batches_is_not_that_of_the_whole():
    """MATH.md 10, 32: averaged per batch, each batch is ranked by itself."""
    truth = np.array([[1, 0], [0, 1], [0, 0], [0, 1]], bool)
    scores = np.array([[0.9, 0.8], [0.1, 0.7], [0.6, 0.5], [0.2, 0.3]], np.float32)
    whole = LabelTable(truth, scores > 0.5, scores)
    parts = [whole.take(np.array([0, 1])), whole.take(np.array([2, 3]))]
    # whole: true ones at ranks 1, 3 and 6; batches: at ranks 1 and 3 of the first, at 3 of the second
    assert value(LABEL_SCORES, "micro_map", whole) == pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 3)
    batches = [value(LABEL_SCORES, "micro_map", part) for part in parts]
    assert batches == pytest.approx([(1 / 1 + 2 / 3) / 2, 1 / 3])
    joined = LabelTable.joined(parts)
    assert value(LABEL_SCORES, "micro_map", joined) == value(LABEL_SCORES, "micro_map", whole)
    with noticed():
        assert np.mean(batches) == pytest.approx(value(LABEL_SCORES, "micro_map", whole))


def test_many_draws_are_computed_in_parts_of_bounded_size(monkeypatch):
    made = table("classes", 2)
    weights = np.random.default_rng(0).integers(0, 3, (50, 20)).astype(np.float64)
    whole = made.micro_average_precision(weights)
    monkeypatch.setattr(ranking, "_MOST", 7 * 80)
    np.testing.assert_array_equal(made.micro_average_precision(weights), whole)


def test_probabilities_outside_0_to_1_are_refused():
    truth = np.zeros((1, 2), bool)
    for wrong in (1.5, -0.1, np.nan):
        with pytest.raises(ValueError, match=r"found probabilities outside \[0, 1\]"):
            LabelTable(truth, truth, np.array([[0.5, wrong]], np.float32))
