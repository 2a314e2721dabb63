"""Places: samples that must never be in two parts, because they show the same ground or neighbouring ground.

Samples of one group are of one place; where every sample has a group, groups alone decide. A sample without a group is
linked to all samples that are nearer than `apart_km`, or that overlap it, and links are followed (single linkage). A
sample of which neither is known is a place of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from spectralgpt.errors import counted

EARTH_KM = 6371.0088
"""Mean radius of the Earth (IUGG)."""
LEAST_KM = 0.05
"""Smallest distance for links: positions are not known better."""
PAIRS = 2**21
"""Pairs of neighbours that are looked at one by one. Of more, positions are rounded first."""

Pairs = tuple[Int64[np.ndarray, "_"], Int64[np.ndarray, "_"]]
"""Two samples each. (No named axis: lists of pairs have several lengths.)"""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """ids: the place of each sample, 0, 1, ... in order of first appearance. how: what is known of the samples: groups,
    positions of samples without a group, or neither. notes: what a user should know."""

    ids: Int64[np.ndarray, " sample"]
    how: Literal["groups", "positions", "none"]
    notes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """Number of places."""
        return int(self.ids.max()) + 1 if len(self.ids) else 0

    def joined(self, contents: Sequence[str]) -> "Places":
        """The same, with samples of equal content in one place, wherever they are. contents: a hash per sample, empty
        where unknown."""
        known = np.array([bool(content) for content in contents], bool)
        same = np.unique(np.asarray(contents, dtype=str), return_inverse=True)[1].ravel()
        links = _equal(np.where(known, same, -1 - np.arange(len(same))))
        ids = _components(len(self.ids), [_equal(self.ids), links])
        joined = self.count - int(ids.max()) - 1 if len(ids) else 0
        note = (f"{counted(joined, 'place')} joined to others, as some images occur more than once",) if joined else ()
        return Places(ids, self.how, self.notes + note)


def places_of(
    groups: Sequence[str],
    positions: Float64[np.ndarray, "sample 2"],
    extents: Float64[np.ndarray, " sample"] | None = None,
    apart_km: float | int = 1.0,
) -> Places:
    """The places of samples.

    groups: empty where unknown. positions: longitude and latitude in degrees, nan where unknown. extents: metres from
    the centre to a corner, nan where unknown: samples nearer than the sum of theirs overlap. apart_km: at least 0.05.
    """
    grouped = np.array([bool(group) for group in groups], bool)
    known = np.isfinite(positions).all(axis=1)
    alone = ~grouped & ~known
    _, number = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    links = [_equal(np.where(grouped, number.ravel(), -1 - np.arange(len(number))))]
    notes = []
    if not grouped.all() and known.any():
        reach = np.full(len(positions), max(apart_km, LEAST_KM) * 500.0)
        if extents is not None:
            reach = np.maximum(reach, np.nan_to_num(extents, nan=0.0))
        found, rounded = _neighbours(np.flatnonzero(known), _on_sphere(positions[known]), reach[known] / 1000)
        free = ~(grouped[found[0]] & grouped[found[1]])
        links.append((found[0][free], found[1][free]))
        notes += rounded
    ids = _components(len(grouped), links)
    if alone.any():
        subject = "no sample has" if alone.all() else f"{counted(int(alone.sum()), 'sample')} without"
        notes.append(f"{subject} a group or a position: neighbours may be in different parts, and scores too high")
    how: Literal["groups", "positions", "none"] = "none" if alone.all() else "groups" if grouped.any() else "positions"
    return Places(ids, how, tuple(notes))


def _on_sphere(positions: Float64[np.ndarray, "sample 2"]) -> Float64[np.ndarray, "sample 3"]:
    """Kilometres from the Earth's centre. Over the distances that matter here, chord and great circle are equal."""
    longitude, latitude = np.radians(positions).T
    level = np.cos(latitude)
    return EARTH_KM * np.stack([level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)], axis=1)


def _neighbours(
    samples: Int64[np.ndarray, " sample"],
    points: Float64[np.ndarray, "sample 3"],
    reach: Float64[np.ndarray, " sample"],
) -> tuple[Pairs, list[str]]:
    """Pairs of samples that are nearer than the sum of their reaches, and notes.

    By cells as large as the farthest reach. Where cells are crowded, samples in one cell of a sixth of the smallest
    distance are linked, and one of them stands for all, with a reach that is larger by the cell's diagonal: places may
    become larger by that, never smaller.
    """
    if _crowd(points, 2 * float(reach.max())) <= PAIRS:
        first, second = _near(points, reach)
        return (samples[first], samples[second]), []
    side = 2 * float(reach.min()) / 6
    _, kept, cell = np.unique(_keys(np.floor(points / side).astype(np.int64)), return_index=True, return_inverse=True)
    farthest = np.zeros(len(kept))
    np.maximum.at(farthest, cell, reach)
    first, second = _near(points[kept], farthest + side * 3**0.5)
    pairs = np.append(kept[first], np.arange(len(samples))), np.append(kept[second], kept[cell])
    return (samples[pairs[0]], samples[pairs[1]]), [f"positions are crowded: those within {side:.2g} km count as one"]


def _crowd(points: Float64[np.ndarray, "sample 3"], side: float) -> int:
    """Number of pairs within one cell."""
    _, sizes = np.unique(_keys(np.floor(points / side).astype(np.int64)), return_counts=True)
    return int((sizes.astype(np.float64) ** 2).sum())


def _near(points: Float64[np.ndarray, "sample 3"], reach: Float64[np.ndarray, " sample"]) -> Pairs:
    """Numbers of the points that are nearer than the sum of their reaches."""
    cells = np.floor(points / (2 * float(reach.max()))).astype(np.int64)
    order = np.argsort(_keys(cells), kind="stable")
    cells, ordered = cells[order], _keys(cells[order])
    firsts, seconds = [], []
    # Half of the 27 cells around a cell: each pair of cells once.
    for step in [(a, b, c) for a in (0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1) if (a, b, c) >= (0, 0, 0)]:
        wanted = _keys(cells + np.array(step))
        start, stop = np.searchsorted(ordered, wanted, "left"), np.searchsorted(ordered, wanted, "right")
        first = np.repeat(np.arange(len(order)), stop - start)
        second = np.arange(len(first)) - np.repeat(np.cumsum(stop - start) - stop, stop - start)
        apart = np.sqrt(np.square(points[order[first]] - points[order[second]]).sum(axis=1))
        near = apart < reach[order[first]] + reach[order[second]]
        firsts.append(order[first[near]])
        seconds.append(order[second[near]])
    return np.concatenate(firsts), np.concatenate(seconds)


def _keys(cells: Int64[np.ndarray, "sample 3"]) -> Int64[np.ndarray, " sample"]:
    """A number per cell, one for each; cells are less than 2^20 from the Earth's centre."""
    moved = cells + 2**20
    return np.asarray((moved[:, 0] << 42) | (moved[:, 1] << 21) | moved[:, 2])


def _equal(values: Int64[np.ndarray, " sample"]) -> Pairs:
    """Links between samples of equal value."""
    order = np.argsort(values, kind="stable")
    same = np.flatnonzero(np.diff(values[order]) == 0)
    return order[same], order[same + 1]


def _components(count: int, links: Sequence[Pairs]) -> Int64[np.ndarray, " sample"]:
    """Numbers of the connected parts, in order of first appearance: the smallest number spreads, and jumps."""
    first = np.concatenate([pair[0] for pair in links])
    second = np.concatenate([pair[1] for pair in links])
    lowest = np.arange(count)
    while True:
        a, b = lowest[first], lowest[second]
        if np.array_equal(a, b):
            break
        low = np.minimum(a, b)
        np.minimum.at(lowest, a, low)
        np.minimum.at(lowest, b, low)
        while not np.array_equal(lowest, lowest[lowest]):
            lowest = lowest[lowest]
    return np.asarray(np.unique(lowest, return_inverse=True)[1].ravel(), np.int64)
