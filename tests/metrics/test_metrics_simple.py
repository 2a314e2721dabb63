"""Errors of simple ways beside the model's, over the same pixels."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectralgpt.metrics import WaySums


def test_worked_by_hand():
    truth = np.array([[[[0.1, 0.2]], [[0.3, 0.4]]]], np.float32)
    prediction = truth + np.array([0.3, 0.4])[None, None, None]
    estimates = np.stack([truth + 0.2, truth + np.array([0.0, 0.1])[None, None, None]]).astype(float)
    scored = np.array([[[[True, True]], [[False, True]]]])
    found = WaySums.of(truth, prediction, estimates, scored).errors(("one", "other"), ("B1", "B2"))
    assert list(found.ways) == ["other", "one"], "the best first"
    assert found.ways["other"] == pytest.approx({"B1": np.sqrt(0.005), "B2": 0.1})
    assert found.ways["one"] == pytest.approx({"B1": 0.2, "B2": 0.2})
    assert found.model == pytest.approx({"B1": np.sqrt(0.125), "B2": 0.4})
    assert found.pixels == {"B1": 2, "B2": 1}


def test_bands_without_pixels_are_left_out():
    sums = WaySums.empty(2, 3)
    assert sums.errors(("one", "other"), ("a", "b", "c")).pixels == {}
    sums.sums[:, 1] = (4, 1, 16, 36)
    found = sums.errors(("one", "other"), ("a", "b", "c"))
    assert (found.ways, found.model) == ({"one": {"b": 2.0}, "other": {"b": 3.0}}, {"b": 0.5})


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), rows=st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_sums_of_parts_are_the_whole_s(seed, rows):
    draw, shape = np.random.default_rng(seed), (2, 3, sum(rows), 5)
    truth, prediction = draw.normal(size=shape).astype(np.float32), draw.normal(size=shape)
    estimates, scored = draw.normal(size=(2, *shape)), draw.random(shape) < 0.6
    truth[~scored] = draw.choice([np.nan, np.inf, 0.0])
    total = WaySums.empty(2, 3)
    for top, height in zip(np.cumsum([0, *rows]), rows, strict=False):
        there = np.s_[..., top : top + height, :]
        part = WaySums.of(*(each[there] for each in (truth, prediction, estimates, scored)))
        total += WaySums.from_notes(json.loads(json.dumps(part.notes)))
    np.testing.assert_allclose(total.sums, WaySums.of(truth, prediction, estimates, scored).sums, rtol=1e-12)
