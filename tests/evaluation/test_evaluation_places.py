"""Places: by group, by distance on the ground, by overlap, by content."""

import time

import numpy as np
import pytest

import spectralgpt.evaluation.places as module
from spectralgpt.evaluation import places_of

NOWHERE = np.full(2, np.nan)


def slow_places(positions: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Single linkage with all distances by the haversine formula, in km."""
    longitude, latitude = np.radians(positions).T
    a = np.sin((latitude[:, None] - latitude) / 2) ** 2
    a += np.cos(latitude[:, None]) * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    near = 2 * 6371.0088 * np.arcsin(np.sqrt(a)) < reach[:, None] + reach
    while True:
        wider = near @ near
        if np.array_equal(wider, near):
            return np.unique(near.argmax(axis=1), return_inverse=True)[1]
        near = wider


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("centre", [(0, 0), (179.99, -40), (11.5, 48.1), (20, 89.97)])
def test_places_are_single_linkage_on_the_globe(centre, seed):
    random = np.random.default_rng(seed)
    spread = 0.15 / np.array([np.cos(np.radians(centre[1])), 1])
    positions = np.array(centre) + random.uniform(-0.5, 0.5, (300, 2)) * spread
    positions[:, 0] = (positions[:, 0] + 180) % 360 - 180  # across the date line
    extents = np.where(random.random(300) < 0.1, 900.0, np.nan)
    reach = np.maximum(0.5, np.nan_to_num(extents) / 1000)
    found = places_of([""] * 300, positions, extents)
    assert found.how == "positions"
    assert np.array_equal(found.ids, slow_places(positions, reach))
    assert 1 < found.count < 300


def test_half_a_kilometre_is_near_and_two_are_not():
    # a degree of latitude is 111.2 km
    positions = np.array([[10, 50], [10, 50 + 0.5 / 111.2], [10, 50 + 2.5 / 111.2], [np.nan, np.nan]])
    found = places_of([""] * 4, positions)
    assert found.ids.tolist() == [0, 0, 1, 2]
    assert len(found.notes) == 1
    assert found.notes[0].startswith("1 sample without a group or a position: neighbours may be in different parts")
    assert places_of([""] * 4, positions, apart_km=5).ids.tolist() == [0, 0, 0, 1]
    assert places_of([""] * 4, positions, np.array([1600.0, 100, 1000, 9])).ids.tolist() == [0, 0, 0, 1]
    assert places_of([""] * 4, positions, np.array([100.0, 100, 1000, 9])).ids.tolist() == [0, 0, 1, 2]


def test_groups_alone_decide_where_all_samples_have_one():
    near = np.tile([[10.0, 50.0]], (4, 1))
    found = places_of(["b", "a", "b", "a"], near)
    assert (found.how, found.ids.tolist(), found.notes) == ("groups", [0, 1, 0, 1], ())


def test_a_sample_without_a_group_joins_those_near_it():
    positions = np.array([[10, 50], [30, 50], [10.001, 50], [30, 10], NOWHERE])
    found = places_of(["a", "a", "", "", ""], positions)
    assert found.how == "groups"
    assert found.ids.tolist() == [0, 0, 0, 1, 2]
    between = places_of(["a", "b"], np.array([[10, 50], [10.001, 50]]))
    assert between.ids.tolist() == [0, 1]


def test_nothing_known_is_said():
    found = places_of(["", ""], np.array([NOWHERE, NOWHERE]))
    assert (found.how, found.ids.tolist()) == ("none", [0, 1])
    assert "no sample has a group or a position" in found.notes[0]


def test_copies_are_joined_wherever_they_are():
    found = places_of(["a", "b", "c", "d"], np.full((4, 2), np.nan)).joined(["1", "2", "1", ""])
    assert found.ids.tolist() == [0, 1, 0, 2]
    assert "1 place joined" in found.notes[0]
    unknown = places_of(["a", "b"], np.full((2, 2), np.nan)).joined(["", ""])
    assert unknown.ids.tolist() == [0, 1]


def test_many_samples_take_seconds_and_crowds_become_no_smaller_places(monkeypatch):
    random = np.random.default_rng(0)
    start = time.process_time()
    sparse = places_of([""] * 100_000, random.uniform(0, 50, (100_000, 2)))
    crowd = places_of([""] * 100_000, random.uniform(0, 0.1, (100_000, 2)))
    assert time.process_time() - start < 20
    assert sparse.count > 90_000
    assert crowd.count == 1
    assert "crowded" in crowd.notes[0]
    positions = random.uniform(0, 0.3, (400, 2))
    exact = places_of([""] * 400, positions).ids
    monkeypatch.setattr(module, "PAIRS", 0)
    rounded = places_of([""] * 400, positions).ids
    assert 1 < rounded.max() < exact.max()
    for number in range(exact.max() + 1):
        assert len(set(rounded[exact == number])) == 1
