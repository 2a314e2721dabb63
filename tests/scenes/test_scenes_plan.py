"""The plan from numbers alone: what must hold for any scene, window, overlap and reduction."""

from itertools import pairwise
from math import pi

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from spectralgpt.errors import OptionError
from spectralgpt.scenes import Plan, plan_scene, taper

many = settings(max_examples=1000)


@st.composite
def asked(draw: st.DrawFn) -> dict[str, float]:
    """Arguments of plan_scene: also scenes far smaller than a window, thin ones, and overlaps that leave a patch."""
    patch = draw(st.sampled_from([1, 2, 4, 8, 14, 16]))
    return {
        "height": draw(st.integers(1, 700)),
        "width": draw(st.integers(1, 700)),
        "patch": patch,
        "side": patch * draw(st.integers(1, 20)),
        "overlap": draw(st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9]) | st.floats(0, 1, exclude_max=True)),
        "batch": draw(st.integers(1, 9)),
        "reduce": draw(st.sampled_from([r for r in (1, 2, 7, 8, patch) if patch % r == 0])),
    }


def axes(plan: Plan) -> list[tuple[int, int, tuple[int, ...], np.ndarray]]:
    """Length of the scene, window side, offsets and taper, for rows and for columns."""
    return [
        (plan.height, plan.side_rows, plan.rows, plan.taper_rows),
        (plan.width, plan.side_columns, plan.columns, plan.taper_columns),
    ]


@many
@given(asked())
def test_windows_cover_the_padded_grid_on_patches(arguments):
    plan = plan_scene(**arguments)
    for length, side, offsets, _ in axes(plan):
        assert offsets[0] == 0
        assert length <= offsets[-1] + side < length + plan.patch, "the last window ends with the padded grid"
        assert all(offset % plan.patch == 0 for offset in offsets)
        assert all(plan.patch <= after - before <= side for before, after in pairwise(offsets)), "no gap, no repeat"
        assert len(offsets) == 1 or side == arguments["side"]


@many
@given(asked())
def test_neighbours_share_what_is_asked_for(arguments):
    plan = plan_scene(**arguments)
    for _, side, offsets, _ in axes(plan):
        for before, after in pairwise(offsets):
            assert after - before == plan.patch or before + side - after >= arguments["overlap"] * side - 1e-6
        steps = [after - before for before, after in pairwise(offsets)]
        assert len(set(steps[:-1])) <= 1, "only the last window is moved back"


@pytest.mark.parametrize(
    ("overlap", "step"), [(0.0, 160), (0.25, 120), (0.5, 80), (0.55, 72), (0.75, 40), (0.9, 16), (0.94, 8), (0.999, 8)]
)
def test_steps_are_whole_patches(overlap, step):
    # 20 places per side; 0.55 * 20 is 11.000000000000002, which must not become 12
    assert plan_scene(1, 5000, patch=8, side=160, overlap=overlap, batch=1).columns[1] == step


@many
@given(asked())
@example({"height": 257, "width": 136, "patch": 8, "side": 128, "overlap": 0.0, "batch": 1, "reduce": 1})
def test_taper_is_positive_and_sums_to_one(arguments):
    plan = plan_scene(**arguments)
    for _, side, offsets, weights in axes(plan):
        starts, cells = [offset // plan.reduce for offset in offsets], side // plan.reduce
        assert weights.shape == (len(offsets), cells)
        assert weights.dtype == np.float64
        assert (weights > 0).all()
        total, covers = np.zeros(starts[-1] + cells), np.zeros(starts[-1] + cells, int)
        for start, weight in zip(starts, weights, strict=True):
            total[start : start + cells] += weight
            covers[start : start + cells] += 1
        assert np.abs(total - 1).max() <= 1e-12
        for start, weight in zip(starts, weights, strict=True):
            assert (weight[covers[start : start + cells] == 1] == 1.0).all(), "exactly"


@many
@given(asked())
@example({"height": 1, "width": 256 + 8, "patch": 8, "side": 128, "overlap": 0.0, "batch": 1, "reduce": 1})
@example({"height": 1, "width": 300, "patch": 8, "side": 128, "overlap": 0.9, "batch": 1, "reduce": 1})
def test_taper_has_no_steps(arguments):
    """A window's weight, 0 outside it, changes from pixel to pixel no faster than its narrowest ramp allows.

    sin^2 over n pixels has the slope pi / (2 n); where several ramps meet, their quotient may have twice that.
    Windows that only touch (overlap 0) necessarily have a step, and are left out.
    """
    plan = plan_scene(**arguments)
    for _, side, offsets, weights in axes(plan):
        starts, cells = [offset // plan.reduce for offset in offsets], side // plan.reduce
        if len(starts) == 1:
            assert (weights == 1).all()
            continue
        shared = [before + cells - after for before, after in pairwise(starts)]
        if min(shared) == 0:
            continue
        line = np.zeros((len(starts), starts[-1] + cells))
        for row, start, weight in zip(line, starts, weights, strict=True):
            row[start : start + cells] = weight
        assert np.abs(np.diff(line)).max() <= pi / min(shared)


def test_two_windows_cross_as_raised_cosines():
    weights = taper([0, 6], 10)
    rise = np.sin(pi / 8 * (np.arange(4) + 0.5)) ** 2
    np.testing.assert_allclose(weights[0], [1] * 6 + list(1 - rise), atol=1e-15)
    np.testing.assert_allclose(weights[1], list(rise) + [1] * 6, atol=1e-15)


@many
@given(asked())
def test_block_rows_partition_the_output_and_are_final(arguments):
    plan = plan_scene(**arguments)
    height, width = plan.output_shape
    assert (height - 1) * plan.reduce < plan.height <= height * plan.reduce
    assert (width - 1) * plan.reduce < plan.width <= width * plan.reduce
    assert len(plan.block_rows) == len(plan.rows)
    assert [row for start, stop in plan.block_rows for row in range(start, stop)] == list(range(height))
    assert len(plan.block_columns) == len(plan.columns)
    assert [column for start, stop in plan.block_columns for column in range(start, stop)] == list(range(width))
    for blocks, offsets, side in (
        (plan.block_rows, plan.rows, plan.side_rows),
        (plan.block_columns, plan.columns, plan.side_columns),
    ):
        for index, (start, stop) in enumerate(blocks):
            assert start < stop
            assert start * plan.reduce == offsets[index]
            assert stop * plan.reduce <= offsets[index] + side, "this row, or column, of windows reaches to its end"
            assert all(offset >= stop * plan.reduce for offset in offsets[index + 1 :]), "no later one changes it"


@settings(max_examples=150)
@given(asked())
def test_groups_are_all_windows_in_order(arguments):
    plan = plan_scene(**arguments)
    assume(plan.count < 2000)  # each window is an object with types to check
    found = []
    for index, row in enumerate(plan.rows):
        groups = plan.groups(index)
        assert all(len(group) == plan.batch for group in groups[:-1])
        assert 1 <= len(groups[-1]) <= plan.batch
        assert {window.row for group in groups for window in group} == {row}
        found += [(w.row, w.column, w.height, w.width) for group in groups for w in group]
    assert found == [(row, column, plan.side_rows, plan.side_columns) for row in plan.rows for column in plan.columns]
    assert plan.count == len(found)


@pytest.mark.parametrize("change", [{"overlap": 1.0}, {"overlap": -0.1}, {"overlap": float("nan")}, {"batch": 0}])
def test_options_out_of_range(change):
    option, value = next(iter(change.items()))
    with pytest.raises(OptionError, match=rf"^{option}={value}; expected .*{option}="):
        plan_scene(100, 100, **{"patch": 8, "side": 64, "overlap": 0.25, "batch": 4} | change)


@pytest.mark.parametrize("change", [{"side": 60}, {"reduce": 3}, {"height": 0}, {"patch": 0}])
def test_sizes_that_do_not_fit(change):
    with pytest.raises(ValueError, match="expected"):
        plan_scene(**{"height": 100, "width": 100, "patch": 8, "side": 64, "batch": 4, "reduce": 1} | change)
