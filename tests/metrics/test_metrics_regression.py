"""Regression of a band from the others: exact where a band is a linear function of them, worked by hand, from sums."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectralgpt.metrics import RegressionSums

SHAPE = (12, 10)


def halves(rows: int, columns: int) -> np.ndarray:
    return (np.arange(rows)[:, None] // 3 + np.arange(columns) // 3) % 2 == 1


def made(seed: int, dates: int = 1, bands: int = 4, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.05, 0.6, (dates, bands, *shape)).astype(np.float32)


def errors(truth, *, targets, predictors, prediction=None, scored=None, visible=None, second=None):
    every = np.ones(truth.shape, bool)
    sums = RegressionSums.of(
        truth,
        truth.astype(np.float64) if prediction is None else prediction,
        every if scored is None else scored,
        every if visible is None else visible,
        halves(*truth.shape[2:]) if second is None else second,
        predictors,
        targets,
    )
    return sums.scored(targets, truth.shape[1]).errors(("regression",), [f"B{i}" for i in range(truth.shape[1])])


@pytest.mark.parametrize(
    "function",
    [lambda b: 0.3 * b[0] + 0.5 * b[1] + 0.02, lambda b: b[2] * -0.7 + 0.5, lambda b: 0 * b[0] + 0.25],
    ids=["two bands", "falling", "constant"],
)
@pytest.mark.parametrize("dates", [1, 3])
def test_a_linear_function_of_other_bands_is_found(function, dates):
    truth = made(0, dates)
    truth[:, 3] = function(np.moveaxis(truth, 1, 0))
    found = errors(truth, targets=(3,), predictors=(0, 1, 2)).ways["regression"]
    assert list(found) == ["B3"]
    assert found["B3"] < 1e-6
    truth[:, 3] += made(1, dates)[:, 0]
    assert errors(truth, targets=(3,), predictors=(0, 1, 2)).ways["regression"]["B3"] > 0.1


def test_copies_and_constants_among_the_visible_bands_do_no_harm():
    truth = made(0, bands=5)
    truth[:, 1], truth[:, 2] = truth[:, 0], 0.3
    truth[:, 4] = 2 * truth[:, 0] - truth[:, 3]
    assert errors(truth, targets=(4,), predictors=(0, 1, 2, 3)).ways["regression"]["B4"] < 1e-6


def test_worked_by_hand():
    """First half: x 0, 1, 2 and y 0, 1, 2, so y = x. Second: x 0, 1, 2 and y 1, 2, 6, so y = 2.5 x + 0.5.

    Errors of the second by the first: 1, 1, 4; of the first by the second: -0.5, -2, -3.5; mean of squares 34.5 / 6.
    """
    x, y = np.array([[0, 1, 2], [0, 1, 2]]), np.array([[0, 1, 2], [1, 2, 6]])
    truth = np.stack([x, y])[None].astype(np.float32)
    second = np.array([[False] * 3, [True] * 3])
    prediction = truth.astype(np.float64) + np.array([9.0, 0.5])[None, :, None, None]
    found = errors(truth, targets=(1,), predictors=(0,), second=second, prediction=prediction)
    assert found.ways["regression"]["B1"] == pytest.approx(np.sqrt(34.5 / 6))
    assert found.model == {"B1": pytest.approx(0.5)}
    assert found.pixels == {"B1": 6}


def test_a_half_is_measured_by_the_other_alone():
    """y = x in one half and y = 1 - x in the other: each is wrong by |1 - 2 x|."""
    truth, second = made(3, bands=2), halves(*SHAPE)
    truth[0, 1] = np.where(second, 1 - truth[0, 0], truth[0, 0])
    expected = np.sqrt(((1 - 2 * truth[0, 0].astype(float)) ** 2).mean())
    assert errors(truth, targets=(1,), predictors=(0,)).ways["regression"]["B1"] == pytest.approx(expected, rel=1e-5)


def test_what_is_not_valid_or_hidden_has_no_effect():
    truth, every = made(4), np.ones((1, 4, *SHAPE), bool)
    truth[:, 3] = truth[:, 0] + truth[:, 1] - truth[:, 2] * 0.5
    visible, scored = every.copy(), every.copy()
    visible[0, 1, :4] = False
    visible[0, :, 0, 0] = False
    scored[0, 3, 5:7, 2:5] = False
    junk = np.where(visible, truth, np.nan)
    junk[:, 3] = np.where(scored[:, 3], truth[:, 3], np.inf)
    how = {"targets": (3,), "predictors": (0, 1, 2), "scored": scored, "visible": visible}
    how["prediction"] = truth.astype(np.float64) + 0.1
    one, other = errors(truth, **how), errors(junk, **how)
    assert (one.ways, one.model) == (other.ways, other.model)
    assert one.pixels == {"B3": SHAPE[0] * SHAPE[1] - 6 - 1}, "a pixel where no band is visible is left out"
    # the missing band takes the mean of the two others
    assert 0 < one.ways["regression"]["B3"] < 0.2


@pytest.mark.parametrize("second", [np.zeros(SHAPE, bool), np.arange(120).reshape(SHAPE) < 4])
def test_too_few_pixels_in_a_half_measure_nothing_there(second):
    found = errors(made(0), targets=(3,), predictors=(0, 1, 2), second=second)
    assert found.pixels == ({"B3": int(second.sum())} if second.any() else {})


def test_no_visible_band_measures_nothing():
    truth = made(0)
    assert errors(truth, targets=(0, 1, 2, 3), predictors=()).pixels == {}
    assert errors(truth, targets=(3,), predictors=(0, 1, 2), visible=np.zeros(truth.shape, bool)).pixels == {}


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    targets=st.sampled_from([(2,), (1, 3), (0, 1, 2)]),
)
def test_sums_of_parts_are_the_whole_s(seed, rows, targets):
    """Also through JSON, however it is cut."""
    draw, shape = np.random.default_rng(seed), (2, 4, sum(rows), 9)
    truth, prediction = draw.uniform(0, 1, shape).astype(np.float32), draw.uniform(0, 1, shape)
    scored, visible = draw.random(shape) < 0.8, draw.random(shape) < draw.choice([0.7, 1.0])
    second, predictors = halves(sum(rows), 9), tuple(i for i in range(4) if i not in targets)
    total = None
    for top, height in zip(np.cumsum([0, *rows]), rows, strict=False):
        there = slice(top, top + height)
        part = RegressionSums.of(
            *(each[:, :, there] for each in (truth, prediction, scored, visible)), second[there], predictors, targets
        )
        part = RegressionSums.from_notes(json.loads(json.dumps(part.notes)))
        total = part if total is None else total + part
    whole = RegressionSums.of(truth, prediction, scored, visible, second, predictors, targets)
    np.testing.assert_allclose(total.products, whole.products, rtol=1e-12)
    np.testing.assert_allclose(total.scored(targets, 4).sums, whole.scored(targets, 4).sums, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_scikit_learn_agrees(seed):
    from sklearn.linear_model import LinearRegression

    truth, second = made(seed, bands=6), halves(*SHAPE)
    truth[0, 5] += truth[0, 1] - 0.4 * truth[0, 2]
    squares = 0.0
    for half in (second, ~second):
        fit = LinearRegression().fit(truth[0, :5][:, ~half].T.astype(float), truth[0, 5][~half].astype(float))
        squares += ((fit.predict(truth[0, :5][:, half].T.astype(float)) - truth[0, 5][half]) ** 2).sum()
    found = errors(truth, targets=(5,), predictors=range(5)).ways["regression"]["B5"]
    assert found == pytest.approx(np.sqrt(squares / truth[0, 5].size), rel=1e-6)
