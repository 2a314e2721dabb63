"""Rings of corners of pixels: cut where two strips of a map meet, and stitched to those of the whole.

The outer ring of a polygon and its holes have its pixels on their right, in coordinates (column, row) taken as x and y;
so GDAL draws them, and so two parts of a polygon run along the line between them in opposite directions.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int32

CornerPath = Int32[np.ndarray, "_ 2"]
"""Column and row of corners of pixels, from one to the next along a column or a row; a ring ends where it begins."""


def without_line(
    curve: CornerPath, is_ring: bool, row: int, joined: Bool[np.ndarray, " column"]
) -> tuple[bool, list[CornerPath]]:
    """The pieces of a curve without those steps along a row of corners that are no border; and whether that is the
    curve as it was. joined: between which pixels, above and below the row, there is no border."""
    level = (curve[:-1, 1] == row) & (curve[1:, 1] == row)
    if not level.any():
        return True, [curve]
    points, level = _unit_steps(curve, level)
    removed = np.zeros(len(level), bool)
    removed[level] = joined[np.minimum(points[:-1, 0], points[1:, 0])[level]]
    if not removed.any():
        return True, [curve]
    if is_ring:
        first = int(removed.argmax()) + 1
        points = np.concatenate([points[first:-1], points[: first + 1]])
        removed = np.roll(removed, -first)
    kept = np.flatnonzero(~removed)
    runs = np.split(kept, np.flatnonzero(np.diff(kept) != 1) + 1)
    return False, [straightened(points[run[0] : run[-1] + 2]) for run in runs if len(run)]


def _unit_steps(curve: CornerPath, level: Bool[np.ndarray, " edge"]) -> tuple[CornerPath, Bool[np.ndarray, " step"]]:
    """The curve with a point per pixel along its `level` edges, and which edges of it these are."""
    steps = np.where(level, np.abs(np.diff(curve[:, 0])), 1)
    points = np.repeat(curve[:-1], steps, axis=0)
    within = np.arange(len(points)) - np.repeat(np.cumsum(steps) - steps, steps)
    points[:, 0] += (within * np.repeat(np.where(level, np.sign(np.diff(curve[:, 0])), 0), steps)).astype(np.int32)
    return np.concatenate([points, curve[-1:]]), np.repeat(level, steps)


def straightened(curve: CornerPath) -> CornerPath:
    """Without the points between two edges of one direction; its ends stay."""
    across = np.diff(curve[:, 0]) == 0
    kept = np.ones(len(curve), bool)
    kept[1:-1] = across[1:] != across[:-1]
    return curve[kept]


def stitched(pieces: Sequence[CornerPath], rings: Sequence[CornerPath]) -> Iterator[CornerPath]:
    """The rings of a polygon that was cut: of its pieces, and those that were whole.

    Where two of its pixels touch at a corner alone, its border goes on from one to the other, so that no ring meets
    itself, as GDAL has it, too: before parts were joined, the two may have been of two polygons.
    """
    whole, pieces = _at_meetings(pieces, rings)
    yield from whole
    starts: dict[tuple[int, ...], list[int]] = {}
    for index, piece in enumerate(pieces):
        starts.setdefault(tuple(piece[0].tolist()), []).append(index)
    following = [_turning_left(piece, starts[tuple(piece[-1].tolist())], pieces) for piece in pieces]
    left = set(range(len(pieces)))
    for first in range(len(pieces)):
        ring, index = [], first
        while index in left:
            left.remove(index)
            ring.append(pieces[index][:-1])
            index = following[index]
        if ring:
            yield _closed(np.concatenate(ring))


def _at_meetings(
    pieces: Sequence[CornerPath], rings: Sequence[CornerPath]
) -> tuple[list[CornerPath], list[CornerPath]]:
    """The rings that meet nothing, and all else in pieces that end where the border meets itself."""
    curves = [*rings, *pieces]
    # where a piece ends, the next one starts
    starts = np.concatenate([each[:-1] for each in curves]).astype(np.int64)
    _, which, visits = np.unique(starts[:, 1] << 32 | starts[:, 0], return_inverse=True, return_counts=True)
    met = np.split((visits > 1)[which], np.cumsum([len(each) - 1 for each in curves])[:-1])
    whole, parts = [], []
    for index, (curve, meets) in enumerate(zip(curves, met, strict=True)):
        at = np.flatnonzero(meets)
        if index < len(rings):
            if not len(at):
                whole.append(curve)
                continue
            curve, at = np.concatenate([curve[at[0] : -1], curve[: at[0] + 1]]), at - at[0]
        ends = sorted({0, *at.tolist(), len(curve) - 1})
        parts += [curve[start : end + 1] for start, end in pairwise(ends)]
    return whole, parts


def _turning_left(piece: CornerPath, starting: Sequence[int], pieces: Sequence[CornerPath]) -> int:
    """Of the pieces that start where one ends, that to the other of the two pixels which touch there."""
    if len(starting) == 1:
        return starting[0]
    x, y = piece[-1] - piece[-2]
    for index in starting:
        to_x, to_y = pieces[index][1] - pieces[index][0]
        if x * to_y - y * to_x > 0:
            return index
    raise AssertionError("two pixels touch at a corner, and so do four borders")


def _closed(points: CornerPath) -> CornerPath:
    """A ring of points, without those between two edges of one direction."""
    across = points[:, 0] == np.roll(points[:, 0], -1)
    corners = points[across != np.roll(across, 1)]
    return np.concatenate([corners, corners[:1]])
