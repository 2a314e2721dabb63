"""Overlapping windows merged into one scene: where windows agree, their values are returned."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectralgpt.scenes import Blender, Plan, plan_scene

SIZES = [(1, 1), (7, 9), (127, 127), (128, 128), (129, 129), (101, 97), (200, 136), (1, 700), (700, 3), (300, 260)]
OVERLAPS = [0.0, 0.25, 0.5, 0.75, 0.9]
HUGE = [np.nan, np.inf, -np.inf, 1e308]


def blended(plan: Plan, apply) -> tuple[np.ndarray, np.ndarray]:
    """Values and validity of the whole output, from pieces that cover each pixel once."""
    blender, blocks = Blender(plan), []
    for row in range(len(plan.rows)):
        pieces = []
        for group in plan.groups(row):
            for values, valid in zip(*apply(group), strict=True):
                window, *piece = blender.add(values, valid)
                assert (window.row, window.end_row) == plan.block_rows[row]
                assert (window.column, window.end_column) == plan.block_columns[len(pieces)]
                pieces.append(piece)
        blocks.append([np.concatenate(parts, axis=2) for parts in zip(*pieces, strict=True)])
    values, valid = (np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True))
    assert values.shape[1:] == plan.output_shape
    return values, valid


def summed(plan: Plan, apply) -> tuple[np.ndarray, np.ndarray]:
    """The same result from sums over the whole scene: row of windows by row of windows, from left to right."""
    sums = weights = np.zeros((0, 0, 0))
    for row in range(len(plan.rows)):
        windows = [window for group in plan.groups(row) for window in group]
        for column, (window, values, valid) in enumerate(zip(windows, *apply(windows), strict=True)):
            if not sums.size:
                padded = plan.rows[-1] + plan.side_rows, plan.columns[-1] + plan.side_columns
                shape = tuple(length // plan.reduce for length in padded)
                sums, weights = np.zeros((len(values), *shape)), np.zeros((len(valid), *shape))
            taper = np.multiply.outer(plan.taper_rows[row], plan.taper_columns[column])
            top, left = window.row // plan.reduce, window.column // plan.reduce
            there = np.s_[:, top : top + taper.shape[0], left : left + taper.shape[1]]
            sums[there] += np.where(valid, np.where(valid, values, 0) * taper, 0)
            weights[there] += np.where(valid, taper, 0)
    height, width = plan.output_shape
    sums, weights = sums[:, :height, :width], weights[:, :height, :width]
    known = np.broadcast_to(weights > 0, sums.shape)
    return np.divide(sums, weights, where=known, out=np.zeros(sums.shape)), known


def covers(plan: Plan) -> np.ndarray:
    """Number of windows over each output pixel."""
    count = np.zeros(plan.output_shape, int)
    for row in plan.rows:
        for column in plan.columns:
            first, left = row // plan.reduce, column // plan.reduce
            bottom, right = first + plan.side_rows // plan.reduce, left + plan.side_columns // plan.reduce
            count[first:bottom, left:right] += 1
    return count


def holes(height: int, width: int, seed: int) -> np.ndarray:
    """What is valid: blobs, single pixels and a whole corner are not."""
    draw = np.random.default_rng(seed)
    row, column = np.ogrid[:height, :width]
    valid = draw.random((height, width)) > 0.02
    for _ in range(3):
        y, x, radius = draw.integers(height), draw.integers(width), draw.integers(1, 30)
        valid &= (row - y) ** 2 + (column - x) ** 2 > radius**2
    return valid


@pytest.mark.parametrize("reduce", [1, 8])
@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_identity_returns_the_scene(identity, made_scene, height, width, overlap, reduce):
    plan = plan_scene(height, width, patch=8, side=128, overlap=overlap, batch=4, reduce=reduce)
    stored = made_scene(2, *plan.output_shape)
    reals = np.sqrt(stored + 0.1) * 1e-3 - 0.05
    valid = np.stack([holes(*plan.output_shape, seed) for seed in (height, width + 1)])
    values, known = blended(plan, identity(plan, np.concatenate([stored, reals]), np.concatenate([valid, valid])))
    assert (known == np.concatenate([valid, valid])).all()
    assert (values[~known] == 0).all()
    rounded = np.rint(values[:2]).astype(np.uint16)
    assert (rounded == stored)[valid].all(), "integers come back exactly"
    np.testing.assert_allclose(values[2:][valid], reals[valid], rtol=1e-12)
    alone = valid & (covers(plan) == 1)
    assert (values[2:][alone] == reals[alone]).all(), "and so does all that one window covers"


@settings(max_examples=150)
@given(
    height=st.integers(1, 130),
    width=st.integers(1, 130),
    places=st.integers(1, 6),
    overlap=st.sampled_from(OVERLAPS) | st.floats(0, 1, exclude_max=True),
    reduce=st.sampled_from([1, 2, 8]),
    batch=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    junk=st.sampled_from(HUGE),
    shared=st.booleans(),
)
def test_identity_of_any_scene(identity, height, width, places, overlap, reduce, batch, seed, junk, shared):
    plan = plan_scene(height, width, patch=8, side=8 * places, overlap=overlap, batch=batch, reduce=reduce)
    scene = np.random.default_rng(seed).normal(size=(2, *plan.output_shape)).astype(np.float32)
    valid = holes(*plan.output_shape, seed)[None]
    if not shared:
        valid = np.concatenate([valid, holes(*plan.output_shape, seed + 1)[None]])
    values, known = blended(plan, identity(plan, scene, valid, junk))
    assert known.shape == scene.shape
    assert (known == valid).all()
    np.testing.assert_allclose(values, np.where(valid, scene, 0), rtol=1e-12)
    assert (values.astype(np.float32) == np.where(valid, scene, 0)).all(), "float32 has no room for what is off"


@settings(max_examples=150)
@given(
    height=st.integers(1, 130),
    width=st.integers(1, 130),
    places=st.integers(1, 6),
    overlap=st.sampled_from(OVERLAPS) | st.floats(0, 1, exclude_max=True),
    reduce=st.sampled_from([1, 2, 8]),
    seed=st.integers(0, 2**32 - 1),
    shared=st.booleans(),
)
def test_sliding_sums_are_the_whole_scene_s_to_the_bit(height, width, places, overlap, reduce, seed, shared):
    """With windows that agree nowhere, so that each order of sums gives other bits."""
    plan = plan_scene(height, width, patch=8, side=8 * places, overlap=overlap, batch=3, reduce=reduce)
    side = plan.side_rows // reduce, plan.side_columns // reduce

    def apply(windows):
        draws = [np.random.default_rng([seed, window.row, window.column]) for window in windows]
        values = np.stack([draw.normal(size=(2, *side)) for draw in draws])
        return values, np.stack([draw.random((1 if shared else 2, *side)) > 0.2 for draw in draws])

    for found, expected in zip(blended(plan, apply), summed(plan, apply), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_batches_change_no_bit(identity, overlap):
    size = {"patch": 8, "side": 64, "overlap": overlap}
    plans = [plan_scene(101, 203, batch=batch, **size) for batch in (1, 3, 8, 100)]
    # windows that do not agree: each adds its own noise, so that the order of sums shows
    scene, valid = np.random.default_rng(1).normal(size=(2, 101, 203)), holes(101, 203, 5)[None]

    def noisy(plan):
        exact = identity(plan, scene, valid)

        def apply(windows):
            values, known = exact(windows)
            noise = [np.random.default_rng([w.row, w.column]).normal(size=values.shape[1:]) for w in windows]
            return values + np.stack(noise), known

        return apply

    results = [blended(plan, noisy(plan))[0] for plan in plans]
    for result in results[1:]:
        np.testing.assert_array_equal(results[0], result)


def test_weights_are_the_tapers():
    """Windows that disagree: the result is their mean, by the product of tapers, over those that are valid."""
    plan = plan_scene(90, 60, patch=8, side=40, overlap=0.5, batch=2)
    draw = np.random.default_rng(3)
    shape = (len(plan.rows), len(plan.columns), 1, 40, 40)
    given_values, given_valid = draw.normal(size=shape), draw.random(shape) > 0.3

    def apply(windows):
        index = [(plan.rows.index(w.row), plan.columns.index(w.column)) for w in windows]
        return np.stack([given_values[i] for i in index]), np.stack([given_valid[i] for i in index])

    sums, weights = np.zeros((96, 64)), np.zeros((96, 64))
    for i, row in enumerate(plan.rows):
        for j, column in enumerate(plan.columns):
            weight = plan.taper_rows[i][:, None] * plan.taper_columns[j] * given_valid[i, j, 0]
            sums[row : row + 40, column : column + 40] += weight * given_values[i, j, 0]
            weights[row : row + 40, column : column + 40] += weight
    sums, weights = sums[:90, :60], weights[:90, :60]
    values, valid = blended(plan, apply)
    assert (~valid).sum() > 0, "the case has pixels that no window knows"
    assert (valid[0] == (weights > 0)).all()
    np.testing.assert_allclose(values[0][valid[0]], (sums / np.where(weights > 0, weights, 1))[valid[0]], rtol=1e-12)


@settings(max_examples=100)
@given(data=st.data(), overlap=st.sampled_from(OVERLAPS), reduce=st.sampled_from([1, 8]))
def test_a_bright_pixel_stays_where_it_is(identity, data, overlap, reduce):
    plan = plan_scene(150, 101, patch=8, side=64, overlap=overlap, batch=3, reduce=reduce)
    height, width = plan.output_shape
    place = 0, data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    scene = np.zeros((1, height, width))
    scene[place] = 10000
    values, _ = blended(plan, identity(plan, scene))
    assert abs(values[place] - 10000) < 1e-8
    values[place] = 0
    assert (values == 0).all()


def test_memory_is_a_window_and_the_rows_that_two_rows_of_windows_share():
    channels, side, width = 3, 32, 101
    held = []
    for height in (40, 400, 4000):
        plan = plan_scene(height, width, patch=8, side=side, batch=2)
        shared = max(before + side - after for before, after in pairwise(plan.rows))
        blender = Blender(plan)
        values, valid = np.ones((channels, side, side)), np.ones((1, side, side), bool)
        tracemalloc.start()
        for _ in range(plan.count):
            blender.add(values, valid)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # float64, on columns padded to patches; sums per channel, and weights once, as valid has one channel
        kept = (channels + 1) * shared * 104 * 8
        assert kept <= peak < kept + 6 * values.nbytes, "besides the sums: one window's"
        held.append(peak - kept)
    # of the plan's numbers a few bytes per row of windows
    assert max(held) < 1.15 * min(held), f"no part grows with the height: {held}"


def test_pieces_are_the_callers(identity, made_scene):
    plan = plan_scene(60, 70, patch=8, side=32, overlap=0.25, batch=1)
    scene = made_scene(1, 60, 70)
    apply, blender = identity(plan, scene), Blender(plan)
    found = np.zeros((1, 60, 70))
    for row in range(len(plan.rows)):
        for group in plan.groups(row):
            values, valid = apply(group)
            window, piece, _ = blender.add(values[0], valid[0])
            found[:, *window.slices] = piece
            piece[:] = -1  # changing a piece changes no later one
    np.testing.assert_allclose(found, scene, rtol=1e-12)


def test_other_shapes_are_refused():
    plan = plan_scene(60, 60, patch=8, side=32, batch=1)
    blender = Blender(plan)
    valid = np.ones((1, 32, 32), bool)
    with pytest.raises(ValueError, match=r"found .*\(3, 32, 24\).*expected \(3, 32, 32\)"):
        blender.add(np.zeros((3, 32, 24)), np.ones((1, 32, 24), bool))
    blender = Blender(plan)
    blender.add(np.zeros((3, 32, 32)), valid)
    with pytest.raises(ValueError, match="expected"):
        blender.add(np.zeros((4, 32, 32)), valid)
    for _ in range(plan.count - 1):
        blender.add(np.zeros((3, 32, 32)), valid)
    with pytest.raises(AssertionError, match="after the plan's last"):
        blender.add(np.zeros((3, 32, 32)), valid)
