"""Samples that were seen, repeated or that lie together are found: all of them, and no other."""

import time

import numpy as np
import pytest

from spectralgpt.evaluation import leaks
from spectralgpt.evaluation.leaks import EARTH_RADIUS, duplicates, near, seen_share

DEGREE = np.pi / 180 * EARTH_RADIUS
"""Metres of a degree of latitude."""


def test_seen_samples_are_counted_and_named():
    hashes = [{"a"}, {"b", "c"}, set(), {"d", "e"}]
    assert (found := seen_share(hashes, ["c", "e", "x"])) == leaks.SeenImages(2, 4, (1, 3))
    assert str(found) == "2 of 4 samples were seen in pretraining"
    assert seen_share(hashes, frozenset()).count == 0


def assert_duplicates_are_found() -> None:
    hashes = [{"a"}, {"b"}, {"a"}, {"c", "d"}, {"d"}, {"a"}, {"b"}]
    parts = ["train", "train", "test", "train", "val", "train", ""]
    found = duplicates(hashes, parts)
    # 0 and 5 are equal to 2, and 4 to a date of 3; 1 is equal to 6, which is in no part
    assert (found.samples, found.pairs) == (5, ((0, 2), (3, 4), (2, 5)))
    assert found.words("abcdefg", parts) == "a (train) and c (test); d (train) and e (val); c (test) and f (train)"


def test_the_same_pixels_in_two_parts_are_found():
    assert_duplicates_are_found()
    assert duplicates([{"a"}, {"a"}], ["train", "train"]).samples == 0


def test_that_test_notices_a_search_within_neighbouring_samples_only(monkeypatch):
    whole = duplicates
    monkeypatch.setitem(globals(), "duplicates", lambda hashes, parts: whole(hashes[:3], parts[:3]))
    with pytest.raises(AssertionError):
        assert_duplicates_are_found()


def great_circle(one: np.ndarray, other: np.ndarray) -> float:
    """Metres, by the haversine formula: another way than chords."""
    (lon1, lat1), (lon2, lat2) = np.radians([one, other])
    half = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return float(2 * EARTH_RADIUS * np.arcsin(np.sqrt(half)))


def one_by_one(positions, extents, parts, km) -> tuple[set[int], set[int]]:
    """Which samples overlap one of another part, and which others are near one."""
    over, beside = set(), set()
    for i in range(len(parts)):
        for j in range(len(parts)):
            if parts[i] == parts[j] or not (parts[i] and parts[j]) or np.isnan(positions[[i, j]]).any():
                continue
            radii = np.nan_to_num(extents[[i, j]]).sum() / np.sqrt(2)
            gap = great_circle(positions[i], positions[j]) - radii
            over |= {i} if gap < 0 else set()
            beside |= {i} if gap < 1000 * km else set()
    return over, beside - over


def drawn(seed: int, longitude: float, latitude: float) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Sixty samples of any size within some kilometres of a place, and a few without a position or a size."""
    numbers = np.random.default_rng(seed)
    metres = numbers.uniform(-5000, 5000, (60, 2))
    lat = latitude + metres[:, 1] / DEGREE
    lon = longitude + metres[:, 0] / DEGREE / np.cos(np.radians(np.minimum(np.abs(lat), 89.99)))
    lon, lat = np.where(lat > 90, lon + 180, lon), np.where(lat > 90, 180 - lat, lat)
    positions = np.stack([(lon + 180) % 360 - 180, lat], axis=1)
    positions[3] = np.nan
    extents = 10.0 ** numbers.uniform(0, 3.2, 60)
    extents[:5] = np.nan
    return positions, extents, numbers.choice(["train", "val", "test", ""], 60).tolist()


def assert_neighbours_are_found(longitude: float, latitude: float) -> None:
    counts = np.zeros(2, int)
    for seed in range(8):
        positions, extents, parts = drawn(seed, longitude, latitude)
        found = near(positions, extents, parts, 0.4)
        over, beside = one_by_one(positions, extents, parts, 0.4)
        assert (found.overlapping.samples, found.near.samples) == (len(over), len(beside))
        for pairs, expected in ((found.overlapping.pairs, over), (found.near.pairs, beside)):
            assert all(parts[one] != parts[other] and expected & {one, other} for one, other in pairs)
        assert found.unplaced == (parts[3] != "")
        counts += len(over), len(beside)
    assert (counts > 30).all()


@pytest.mark.parametrize("place", [(12.0, 48.0), (180.0, -17.0), (30.0, 89.98), (-100.0, 0.0)])
def test_neighbours_are_found_also_at_the_date_line_and_a_pole(place):
    assert_neighbours_are_found(*place)


@pytest.mark.parametrize("place", [(180.0, -17.0), (30.0, 89.98)])
def test_that_test_notices_degrees_taken_for_a_plane(monkeypatch, place):
    def flat(positions: np.ndarray) -> np.ndarray:
        lon, lat = np.radians(positions).T
        return np.stack([lon * np.cos(np.radians(place[1])), lat, 0 * lat], axis=1)

    monkeypatch.setattr(leaks, "_on_sphere", flat)
    with pytest.raises(AssertionError):
        assert_neighbours_are_found(*place)


def test_that_test_notices_a_search_of_the_nearest_alone(monkeypatch):
    """With one group of all sizes and no look behind the nearest, larger samples farther away are missed."""
    monkeypatch.setattr(leaks, "SIZES_PER_OCTAVE", 0)
    assert_neighbours_are_found(12.0, 48.0)  # the look behind alone suffices
    monkeypatch.setattr(leaks, "_chord", lambda metres: 0.0)
    with pytest.raises(AssertionError):
        assert_neighbours_are_found(12.0, 48.0)


def test_distances_by_hand():
    """Squares of 640 m (extent 452.5 m) at the equator: 640 m apart they touch, 639 m apart they overlap."""
    for apart, over, beside in ((639.0, 2, 0), (641.0, 0, 2), (1639.0, 0, 2), (1641.0, 0, 0)):
        positions = np.array([[0.0, 0.0], [0.0, apart / DEGREE]])
        found = near(positions, np.full(2, 320 * np.sqrt(2)), ["train", "test"])
        assert (found.overlapping.samples, found.near.samples) == (over, beside), apart
    assert near(positions, np.full(2, np.nan), ["train", "train"]).near.samples == 0


def test_many_samples_take_seconds():
    """All within one city: a comparison of all pairs would be ten billion distances."""
    numbers = np.random.default_rng(0)
    positions = np.array([13.4, 52.5]) + numbers.uniform(-0.2, 0.2, (100_000, 2))
    start = time.perf_counter()
    found = near(positions, np.full(100_000, 452.5), numbers.choice(["train", "test"], 100_000).tolist())
    assert time.perf_counter() - start < 10
    assert found.overlapping.samples > 99_000
    assert len(found.overlapping.pairs) == leaks.PAIRS_KEPT
