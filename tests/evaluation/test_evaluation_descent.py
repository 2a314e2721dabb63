"""L-BFGS: the minimum of functions that are known, also badly scaled ones."""

import numpy as np
import pytest

from spectralgpt.evaluation import descent
from spectralgpt.evaluation.descent import minimum


def quadratic(curvature: np.ndarray, middle: np.ndarray):
    def function(at: np.ndarray) -> tuple[float, np.ndarray]:
        return float(curvature @ np.square(at - middle)) / 2, curvature * (at - middle)

    return function


@pytest.mark.parametrize("curvature", [[1.0], [1.0, 1.0, 1.0], np.logspace(-2, 1, 40)])
def test_a_quadratic_function_has_its_minimum_in_the_middle(curvature):
    curvature = np.array(curvature)
    middle = np.random.default_rng(0).normal(size=len(curvature))
    found = minimum(quadratic(curvature, middle), np.zeros(len(curvature)), 1e-9, 1000)
    np.testing.assert_allclose(found, middle, atol=1e-6)


def test_a_function_that_is_flat_far_from_its_minimum_is_descended():
    rows = np.random.default_rng(1).normal(size=(60, 5)) * [1, 10, 100, 1, 1]

    def function(at: np.ndarray) -> tuple[float, np.ndarray]:
        scores = rows @ at
        likely = 0.5 + 0.5 * np.tanh(0.5 * scores)
        return float(np.logaddexp(0, scores).mean() + at @ at / 200), rows.T @ likely / 60 + at / 100

    found = minimum(function, np.full(5, 3.0), 1e-8, 1000)
    assert np.abs(function(found)[1]).max() <= 1e-8


def test_steps_are_counted_and_few_as_curvature_is_remembered(monkeypatch):
    function = quadratic(np.logspace(0, 2, 30), np.ones(30))

    def calls() -> int:
        count = 0

        def counting(at: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal count
            count += 1
            return function(at)

        minimum(counting, np.zeros(30), 1e-6, 5000)
        return count

    remembering = calls()
    assert remembering < 150
    monkeypatch.setattr(descent, "REMEMBERED", 1)
    assert calls() > remembering


def test_the_start_is_returned_where_nothing_is_to_be_done():
    start = np.ones(3)
    assert minimum(quadratic(np.ones(3), start), start, 0.0, 10) is start
    np.testing.assert_array_equal(minimum(quadratic(np.ones(3), np.zeros(3)), start, 1e-3, 0), start)
