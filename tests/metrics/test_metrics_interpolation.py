"""Hidden values between dates and places: exact on ramps and planes, worked by hand, and as another solver has it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectralgpt.metrics import harmonic, in_time


def series(*values: float) -> np.ndarray:
    """One pixel of one band per date."""
    return np.array(values, np.float32)[:, None, None, None]


# -- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "values", "date", "nearest", "linear"),
    [
        ((0, 10, 40), (0.1, 0, 0.5), 1, 0.1, 0.2),
        ((0, 30, 40), (0.1, 0, 0.5), 1, 0.5, 0.4),
        ((0, 5, 10), (0.1, 0, 0.5), 1, 0.1, 0.3),  # as near: the earlier
        ((0, 10, 40), (0, 0.2, 0.5), 0, 0.2, 0.2),  # nothing before
        ((0, 10, 40), (0.3, 0.2, 0), 2, 0.2, 0.2),  # nothing after
        ((7, 7, 7), (0.2, 0, 0.4), 1, 0.2, 0.3),  # dates of one day
        ((-5, 0, 1), (0.25, 0, 0.5), 1, 0.5, 0.25 + 0.25 * 5 / 6),
    ],
)
def test_a_date_worked_by_hand(times, values, date, nearest, linear):
    visible = np.ones((3, 1, 1, 1), bool)
    visible[date] = False
    found, known = in_time(series(*values), visible, times, date)
    assert known.all()
    assert found[:, 0, 0, 0] == pytest.approx([nearest, linear])


@pytest.mark.parametrize("hidden", [(1,), (1, 2), (3,)])
def test_linear_in_time_is_exact_on_a_ramp(hidden):
    times = np.array([0, 3, 17, 20, 51])
    slope = np.random.default_rng(0).uniform(-0.01, 0.01, (1, 3, 4, 5))
    truth = (0.5 + slope * times[:, None, None, None]).astype(np.float32)
    visible = np.ones(truth.shape, bool)
    visible[list(hidden)] = False
    for date in hidden:
        (nearest, linear), known = in_time(truth, visible, times.tolist(), date)
        assert known.all()
        np.testing.assert_allclose(linear, truth[date], atol=1e-6)
        assert np.abs(nearest - truth[date]).max() > 0.01


def test_each_pixel_has_its_own_dates():
    """Dates are passed over where they are not valid; their values have no effect."""
    truth = np.array([0.1, np.nan, 0.7, 0.5], np.float32)[:, None, None, None] * np.ones((1, 2, 1, 2), np.float32)
    truth[1, 1, 0, 1] = 0.9
    visible = np.isfinite(truth)
    visible[2] = False
    visible[3, 0] = False
    (nearest, linear), known = in_time(truth, visible, (0, 10, 20, 40), 2)
    assert known.all()
    np.testing.assert_allclose(nearest[:, 0], [[0.1, 0.1], [0.1, 0.9]], rtol=1e-6)
    np.testing.assert_allclose(linear[:, 0], [[0.1, 0.1], [0.3, 0.9 - 0.4 / 3]], rtol=1e-6)


def test_without_another_date_nothing_is_known():
    for dates in (1, 2):
        found, known = in_time(series(*[0.3] * dates), np.zeros((dates, 1, 1, 1), bool), range(dates), 0)
        assert not known.any()
        assert (found == 0).all()


# -- places -----------------------------------------------------------------------------------------------------------


def patches(share: float, rows: int, columns: int, images: int = 1, side: int = 8, seed: int = 0) -> np.ndarray:
    """What is visible where patches are hidden."""
    seen = np.random.default_rng(seed).random((images, -(-rows // side), -(-columns // side))) >= share
    return seen.repeat(side, axis=1).repeat(side, axis=2)[:, :rows, :columns]


@pytest.mark.parametrize("slopes", [(0.001, 0.002), (-0.003, 0.0005), (0.0, 0.0)])
@pytest.mark.parametrize("share", [0.5, 0.75, 0.9])
def test_a_plane_is_exact_inside(slopes, share):
    """At an edge that is hidden the solution is level, so the frame is visible."""
    r, c = np.mgrid[:64, :48]
    plane = (0.3 + slopes[0] * r + slopes[1] * c)[None]
    visible = patches(share, 64, 48)
    visible[:, [0, -1]] = visible[:, :, [0, -1]] = True
    found = harmonic(np.where(visible, plane, np.nan), visible)
    np.testing.assert_allclose(found, plane, atol=2e-5)


def test_in_float32_as_in_float64():
    """What a scene is measured with: half the time, and wrong by no more than the solver's end."""
    values, visible = np.random.default_rng(0).uniform(0, 1, (2, 96, 80)), patches(0.75, 96, 80, 2)
    found = harmonic(values.astype(np.float32), visible)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, harmonic(values, visible), atol=3e-5)


def test_worked_by_hand():
    """Between 1 and 4 in a line: 2, 3; beyond the last visible value nothing changes."""
    line = np.array([[[1.0, 9, 9, 4, 9, 9]]])
    visible = np.array([[[True, False, False, True, False, False]]])
    np.testing.assert_allclose(harmonic(line, visible), [[[1, 2, 3, 4, 4, 4]]], atol=1e-6)
    # the middle of a cross is the mean of its four neighbours
    square = np.array([[[9.0, 1, 9], [2, 9, 3], [9, 6, 9]]])
    cross = np.array([[[0, 1, 0], [1, 0, 1], [0, 1, 0]]], bool)
    expected = [[[1.5, 1, 2], [2, 3, 3], [4, 6, 4.5]]]
    np.testing.assert_allclose(harmonic(square, cross), expected, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 24),
    columns=st.integers(1, 24),
    share=st.sampled_from([0.3, 0.75, 0.95]),
)
def test_another_solver_agrees(seed, rows, columns, share):
    """Dense linear equations; every image by itself, whatever the others are."""
    draw = np.random.default_rng(seed)
    values, visible = draw.uniform(0, 1, (3, rows, columns)), patches(share, rows, columns, 3, 2, seed)
    found = harmonic(values, visible)
    np.testing.assert_array_equal(found[visible], values[visible])
    for image in range(3):
        if visible[image].any():
            np.testing.assert_allclose(found[image], dense(values[image], visible[image]), atol=1e-4)
        else:
            assert (found[image] == 0).all()


def dense(values: np.ndarray, visible: np.ndarray) -> np.ndarray:
    rows, columns = visible.shape
    equations, right = np.eye(rows * columns), values.ravel().copy()
    for pixel in np.flatnonzero(~visible):
        r, c = divmod(int(pixel), columns)
        around = [(r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)]
        inside = [i * columns + j for i, j in around if 0 <= i < rows and 0 <= j < columns]
        equations[pixel, inside] = -1
        equations[pixel, pixel], right[pixel] = len(inside), 0
    return np.linalg.solve(equations, right).reshape(rows, columns)
