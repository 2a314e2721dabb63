"""Samples that a number should not be taken on: seen in pretraining, or equal to, over or beside one of another part.

Parts (train, val, test) are named per sample; samples with an empty name are in no part.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from sklearn.neighbors import KDTree

from spectralgpt.errors import first_few

EARTH_RADIUS = 6_371_008.8
"""Metres: the mean radius. A great circle of this sphere is at most 0.6 % off the distance on the ellipsoid."""

PAIRS_KEPT = 5
"""Pairs that are kept for a message."""

SIZES_PER_OCTAVE = 4
"""Groups of samples by their size, each searched separately."""


@dataclass(frozen=True, slots=True)
class SeenImages:
    """Samples with an image that the model was pretrained on. count of total; indices: which."""

    count: int
    total: int
    indices: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.count} of {self.total} samples were seen in pretraining"


@dataclass(frozen=True, slots=True)
class AcrossParts:
    """Samples with a partner in another part. samples: their number, in all parts. pairs: the first few, as indices."""

    samples: int
    pairs: tuple[tuple[int, int], ...]

    def words(self, names: Sequence[str], parts: Sequence[str]) -> str:
        """The first few by name: `a.tif (train) and b.tif (test); ...`."""
        named = [" and ".join(f"{names[each]} ({parts[each]})" for each in pair) for pair in self.pairs]
        return first_few(named, PAIRS_KEPT, "; ")


@dataclass(frozen=True, slots=True)
class NearSamples:
    """overlapping: samples that certainly share ground with one of another part. near: others, less than `km` from one.
    unplaced: number of samples in a part with an unknown position, which were not compared."""

    overlapping: AcrossParts
    near: AcrossParts
    km: float | int
    unplaced: int


def seen_share(hashes: Sequence[Collection[str]], images: Collection[str]) -> SeenImages:
    """Which samples have a hash (of the image, its dates or its chips) among those of the pretraining's images."""
    known = frozenset(images)
    indices = tuple(index for index, own in enumerate(hashes) if not known.isdisjoint(own))
    return SeenImages(len(indices), len(hashes), indices)


def duplicates(hashes: Sequence[Collection[str]], parts: Sequence[str]) -> AcrossParts:
    """Samples with the same hash as one of another part. hashes: of whole images, not of chips."""
    having: dict[str, list[int]] = defaultdict(list)
    for index, own in enumerate(hashes):
        for each in own if parts[index] else ():
            having[each].append(index)
    partners: dict[int, int] = {}
    for same in having.values():
        first_of = {parts[index]: index for index in reversed(same)}
        if len(first_of) > 1:
            for index in same:
                other = next(first for part, first in first_of.items() if part != parts[index])
                partners.setdefault(index, other)
    return _across(partners)


def near(
    positions: Float64[np.ndarray, "sample 2"],
    extents: Float64[np.ndarray, " sample"],
    parts: Sequence[str],
    km: float | int = 1.0,
) -> NearSamples:
    """Samples that overlap one of another part, or that lie less than `km` from it, by great-circle distance.

    positions: longitude and latitude of the centre in degrees, NaN unknown. extents: metres from the centre to a
    corner, NaN unknown, which counts as 0. A sample is taken for the circle inside its square: what is called
    overlapping does overlap, and distances are between the edges of the circles.
    """
    placed = np.isfinite(positions).all(axis=1)
    labels = np.array(parts, dtype=object)
    used = np.flatnonzero(placed & (labels != ""))
    points = _on_sphere(positions[used])
    radii = np.nan_to_num(extents[used], nan=0.0) / math.sqrt(2)
    of_part = labels[used]
    over, beside = dict[int, int](), dict[int, int]()
    for part in dict.fromkeys(of_part):
        own, others = np.flatnonzero(of_part == part), np.flatnonzero(of_part != part)
        for limit, found in ((0.0, over), (1000.0 * km, beside)):
            for one, other in _closer(points, radii, own, others, limit):
                found.setdefault(int(used[one]), int(used[other]))
    beside = {one: other for one, other in beside.items() if one not in over}
    return NearSamples(_across(over), _across(beside), km, int(np.count_nonzero(~placed & (labels != ""))))


def _closer(
    points: Float64[np.ndarray, "used 3"],
    radii: Float64[np.ndarray, " used"],
    own: Int64[np.ndarray, " own"],
    others: Int64[np.ndarray, " other"],
    limit: float,
) -> Iterator[tuple[int, int]]:
    """Each of `own` with one of the others, in case the gap between their circles is below the limit (metres)."""
    sizes = np.floor(SIZES_PER_OCTAVE * np.log2(np.maximum(radii, 1.0)))
    for size in np.unique(sizes[others]):
        alike = others[sizes[others] == size]
        tree, largest = KDTree(points[alike]), radii[alike].max()
        chords, nearest = tree.query(points[own])
        metres, nearest = _metres(chords[:, 0]), alike[nearest[:, 0]]
        sure = metres - radii[own] - radii[nearest] < limit
        yield from zip(own[sure].tolist(), nearest[sure].tolist(), strict=True)
        # a larger one may lie behind the nearest
        for one in own[~sure & (metres - radii[own] - largest < limit)]:
            reach = _chord(limit + radii[one] + largest)
            around = alike[tree.query_radius(points[one][None], reach)[0]]
            gaps = _metres(np.linalg.norm(points[around] - points[one], axis=1)) - radii[one] - radii[around]
            if (gaps < limit).any():
                yield int(one), int(around[gaps.argmin()])


def _on_sphere(positions: Float64[np.ndarray, "used 2"]) -> Float64[np.ndarray, "used 3"]:
    """Points of the unit sphere: neither the date line nor a pole is an edge there."""
    longitude, latitude = np.radians(positions).T
    across = np.cos(latitude)
    return np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)], axis=1)


def _metres(chords: Float64[np.ndarray, " pair"]) -> Float64[np.ndarray, " pair"]:
    """Great-circle distances from chords of the unit sphere."""
    return 2 * EARTH_RADIUS * np.arcsin(np.minimum(chords / 2, 1.0))


def _chord(metres: float) -> float:
    """A little more than the chord of a distance, so that rounding loses no point."""
    return 2 * math.sin(min(metres / EARTH_RADIUS, math.pi) / 2) + 1e-12


def _across(partners: dict[int, int]) -> AcrossParts:
    pairs = dict.fromkeys((min(pair), max(pair)) for pair in sorted(partners.items()))
    return AcrossParts(len(partners), tuple(pairs)[:PAIRS_KEPT])
