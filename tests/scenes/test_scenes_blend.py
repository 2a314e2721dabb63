"""Overlapping windows become one scene: what a model gives where windows agree comes back."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectralgpt.scenes import Blender, Plan, plan_scene

SIZES = [(1, 1), (7, 9), (127, 127), (128, 128), (129, 129), (101, 97), (200, 136), (1, 700), (700, 3), (300, 260)]
OVERLAPS = [0.0, 0.25, 0.5, 0.75, 0.9]
HUGE = [np.nan, np.inf, -np.inf, 1e308]


def blended(plan: Plan, apply) -> tuple[np.ndarray, np.ndarray]:
    """Values and what is valid of the whole output."""
    blender, blocks = Blender(plan), []
    for row in range(len(plan.rows)):
        column = 0
        for group in plan.groups(row):
            for values, valid in zip(*apply(group), strict=True):
                blender.add(column, values, valid)
                column += 1
        window, *block = blender.finish()
        assert (window.row, window.row + window.height) == plan.block_rows[row]
        assert (window.column, window.width) == (0, plan.output_shape[1])
        blocks.append(block)
    values, valid = (np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True))
    return values, valid


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


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_batches_change_no_bit(identity, overlap):
    size = {"patch": 8, "side": 64, "overlap": overlap}
    plans = [plan_scene(101, 203, batch=batch, **size) for batch in (1, 3, 8, 100)]
    # windows that do not agree: each adds a noise of its own, so that the order of sums would show
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


def test_memory_is_one_row_of_windows():
    channels, side, width = 3, 32, 101
    held = []
    for height in (40, 400, 4000):
        plan = plan_scene(height, width, patch=8, side=side, batch=2)
        blender = Blender(plan)
        values, valid = np.ones((channels, side, side)), np.ones((1, side, side), bool)
        tracemalloc.start()
        for _ in plan.rows:
            for column in range(len(plan.columns)):
                blender.add(column, values, valid)
            blender.finish()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        arrays = [getattr(blender, name) for name in vars(blender)]
        sizes = [a.nbytes for a in arrays if isinstance(a, np.ndarray) and a.ndim == 3]
        row = side * 104 * 8  # float64, on columns padded to patches
        assert sorted(sizes) == [row, channels * row], "sums a channel, and weights once, as valid has one channel"
        # besides the sums: a finished block row, and one window's products
        assert peak < 2 * (channels + 1) * row + 4 * values.nbytes
        held.append(peak)
    assert max(held) < 1.05 * min(held), f"no part grows with the height: {held}"


def test_finished_rows_are_the_callers(identity, made_scene):
    plan = plan_scene(60, 30, patch=8, side=32, overlap=0.25, batch=1)
    scene = made_scene(1, 60, 30)
    apply, blender = identity(plan, scene), Blender(plan)
    kept = []
    for row in range(len(plan.rows)):
        values, valid = apply(plan.groups(row)[0])
        blender.add(0, values[0], valid[0])
        kept.append(blender.finish())
        copy = kept[-1][1].copy()
        kept[-1][1][:] = -1  # what is done to a block changes no later one
        kept[-1] = copy
    np.testing.assert_allclose(np.concatenate(kept, axis=1), scene, rtol=1e-12)


def test_other_shapes_are_refused():
    plan = plan_scene(60, 60, patch=8, side=32, batch=1)
    blender = Blender(plan)
    valid = np.ones((1, 32, 32), bool)
    with pytest.raises(ValueError, match=r"found .*\(3, 32, 24\).*expected \(3, 32, 32\)"):
        blender.add(0, np.zeros((3, 32, 24)), np.ones((1, 32, 24), bool))
    blender = Blender(plan)
    blender.add(0, np.zeros((3, 32, 32)), valid)
    with pytest.raises(ValueError, match="expected"):
        blender.add(1, np.zeros((4, 32, 32)), valid)
    with pytest.raises(AssertionError, match="before any"):
        Blender(plan).finish()
