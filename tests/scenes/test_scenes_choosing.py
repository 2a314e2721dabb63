"""Overlap and batch where they are not given."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectralgpt.scenes import plan_scene
from spectralgpt.scenes.choosing import LEAST_OVERLAP, even_batch, largest_overlap


@settings(max_examples=300)
@given(
    height=st.integers(1, 3000),
    width=st.integers(1, 3000),
    places=st.integers(4, 20),
    patch=st.sampled_from([4, 8, 16]),
)
def test_a_larger_overlap_costs_no_window(height, width, places, patch):
    side = places * patch

    def count(overlap):
        return plan_scene(height, width, patch=patch, side=side, overlap=overlap, batch=1).count

    chosen = largest_overlap(height, width, patch, side)
    assert LEAST_OVERLAP <= chosen < 1
    assert count(chosen) == count(LEAST_OVERLAP)
    following = (int(chosen * places + 1e-9) + 1) / places
    assert count(LEAST_OVERLAP) == 1 or following >= 1 or count(following) > count(chosen)


@pytest.mark.parametrize(
    ("size", "overlap"),
    [
        (128, 0.25),  # one window
        (136, 15 / 16),  # two windows, moved by a patch
        (200, 7 / 16),  # two windows: 128 + 72 px
        (10980, 0.25),  # 115 windows a row: a patch more would take 125
    ],
)
def test_overlaps_of_square_scenes(size, overlap):
    assert largest_overlap(size, size, 8, 128) == overlap


@given(windows=st.integers(1, 500), most=st.integers(1, 70))
def test_groups_are_even_and_as_few_as_possible(windows, most):
    batch = even_batch(windows, most)
    groups = -(-windows // batch)
    assert 1 <= batch <= most
    assert groups == -(-windows // most)
    assert even_batch(windows, batch) == batch
    assert (batch - 1) * groups < windows, "no smaller batch would do"
