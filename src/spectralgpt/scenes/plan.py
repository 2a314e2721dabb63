"""The plan of a scene: windows, tapers and block rows, computed from numbers alone, before anything is read.

A scene is cut into windows of one size. Their results overlap and are blended. Windows lie at every pair of a row
offset and a column offset; a *row of windows* is all windows of one row offset. Results may be coarser than the scene
by `reduce` (8 for one pixel per place); output rows and columns count these coarser pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, pi

import numpy as np
from jaxtyping import Float64

from spectralgpt.errors import OptionError, argument
from spectralgpt.raster import Window


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows of a scene, the groups in which they are computed, and the output rows that each row of windows ends.

    height, width: of the scene, in pixels. The padded grid is the scene extended below and to the right to multiples of
    patch; pixels beyond the scene are not valid. side_rows, side_columns: size of all windows, in pixels. rows,
    columns: offsets of the windows on the padded grid, ascending, multiples of patch; the first is 0, the last window
    ends where the padded grid does. batch: largest number of windows in a group. reduce: scene pixels along one output
    pixel.
    """

    height: int
    width: int
    patch: int
    side_rows: int
    side_columns: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    batch: int
    reduce: int

    @property
    def count(self) -> int:
        """Number of windows."""
        return len(self.rows) * len(self.columns)

    @property
    def output_shape(self) -> tuple[int, int]:
        """Rows and columns of the result: ceil(height / reduce), ceil(width / reduce)."""
        return _divided(self.height, self.reduce), _divided(self.width, self.reduce)

    @property
    def block_rows(self) -> tuple[tuple[int, int], ...]:
        """First output row, and the one after the last, of the block row that each row of windows ends.

        Row of windows i ends the output above row of windows i + 1; the last one ends the rest of the scene. The block
        rows partition the output rows, and none is empty, as a scene is padded by less than a patch.
        """
        starts = [row // self.reduce for row in self.rows]
        return tuple(pairwise([*starts, self.output_shape[0]]))

    @property
    def block_columns(self) -> tuple[tuple[int, int], ...]:
        """First output column, and the one after the last, of the piece of a block row that each window ends.

        In a row of windows, window i ends the output left of window i + 1; the last one ends the rest. So each piece
        lies in its window and starts where the window does.
        """
        starts = [column // self.reduce for column in self.columns]
        return tuple(pairwise([*starts, self.output_shape[1]]))

    @property
    def taper_rows(self) -> Float64[np.ndarray, "window pixel"]:
        """Weight of each output row of each row of windows (`taper`)."""
        return taper([row // self.reduce for row in self.rows], self.side_rows // self.reduce)

    @property
    def taper_columns(self) -> Float64[np.ndarray, "window pixel"]:
        """Weight of each output column of each window in a row of windows (`taper`)."""
        return taper([column // self.reduce for column in self.columns], self.side_columns // self.reduce)

    def first_reaching(self, block: int) -> int:
        """The first row of windows that reaches into block row `block`: all that its values depend on begins there."""
        return next(row for row, start in enumerate(self.rows) if start + self.side_rows > self.rows[block])

    def groups(self, row: int) -> tuple[tuple[Window, ...], ...]:
        """The windows of row of windows `row`, from left to right, in groups of at most `batch` computed together.

        No group reaches into the next row of windows: a block row then depends on whole groups only, and is computed in
        the same groups if it is computed again.
        """
        windows = [Window(self.rows[row], column, self.side_rows, self.side_columns) for column in self.columns]
        return tuple(tuple(windows[first : first + self.batch]) for first in range(0, len(windows), self.batch))


def plan_scene(
    height: int, width: int, *, patch: int, side: int, overlap: float = 0.25, batch: int, reduce: int = 1
) -> Plan:
    """The plan of a scene of height x width pixels for windows of side x side pixels.

    Neighbouring windows share at least the part `overlap` of their side, in [0, 1), rounded up to whole patches, but
    their offsets differ by at least a patch; the last window of an axis is moved back until it ends with the padded
    grid, and shares more. Along an axis where the padded scene is not longer than side, one window of the padded length
    covers it. batch: largest number of windows computed together.

    Raises OptionError where overlap or batch is out of range, ValueError where side is not a multiple of patch, patch
    not a multiple of reduce, or a length is not positive.
    """
    if not 0 <= overlap < 1:
        raise OptionError(
            argument("overlap", overlap),
            "0 or more and less than 1, the part of its side that a window shares with the next",
            "Use",
            ("overlap", 0.25),
        )
    if batch < 1:
        raise OptionError(argument("batch", batch), "at least 1 window", "If memory is short, use", ("batch", 1))
    if min(height, width, patch, side, reduce) < 1:
        raise ValueError(f"found {height=}, {width=}, {patch=}, {side=}, {reduce=}; expected at least 1 each")
    if side % patch or patch % reduce:
        raise ValueError(f"found {side=}, {patch=}, {reduce=}; expected side a multiple of patch, patch of reduce")
    places = side // patch
    # 1e-9: 0.55 * 20 is 11.000000000000002, and ceil would add a patch of overlap that was not requested
    step = max(1, places - ceil(overlap * places - 1e-9)) * patch
    side_rows, rows = _offsets(_divided(height, patch) * patch, side, step)
    side_columns, columns = _offsets(_divided(width, patch) * patch, side, step)
    return Plan(height, width, patch, side_rows, side_columns, rows, columns, batch, reduce)


def taper(starts: Sequence[int], side: int) -> Float64[np.ndarray, "window pixel"]:
    """Weights with which overlapping windows along an axis are summed: positive, with sum 1 at every pixel.

    starts: first pixel of each window, ascending, without gaps between windows; side: pixels of a window.

    The weight of a window rises over the n pixels that it shares with the one before it as
    sin^2(pi (k + 1/2) / (2 n)), k = 0..n - 1, and falls in the same way over those shared with the one after it; where
    more than two windows cover a pixel both may apply, and are multiplied. Finally the weights of a pixel are divided
    by their sum. So, first, a window counts least at its own border, where it has seen least of the surroundings, and
    fully at the border of the scene, where no other has seen more. Second, raised cosines meet without a kink; as each
    pair of neighbours has the ramp of its own overlap, this also applies to the last window, however much it shares
    with the one before. Third, where a single window covers a pixel, its weight is exactly 1.0.
    """
    weights = np.ones((len(starts), side))
    for index, (start, following) in enumerate(pairwise(starts)):
        shared = start + side - following
        if shared > 0:
            rise = np.sin(pi / 2 * (np.arange(shared) + 0.5) / shared) ** 2
            weights[index, side - shared :] *= rise[::-1]
            weights[index + 1, :shared] *= rise
    total = np.zeros(starts[-1] + side)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + side] += weight
    for start, weight in zip(starts, weights, strict=True):
        weight /= total[start : start + side]
    return weights


def _offsets(padded: int, side: int, step: int) -> tuple[int, tuple[int, ...]]:
    """Window size and offsets along an axis of `padded` pixels."""
    last = max(0, padded - side)
    return min(side, padded), (*range(0, last, step), last)


def _divided(length: int, by: int) -> int:
    """length / by, rounded up to a whole number."""
    return -(-length // by)
