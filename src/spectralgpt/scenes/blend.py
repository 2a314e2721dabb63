"""Overlapping windows merged into one scene: weighted sums, which slide along a row of windows."""

import numpy as np
from jaxtyping import Bool, Float, Float64

from spectralgpt.raster import Window
from spectralgpt.scenes.plan import Plan


class Blender:
    """Sums the windows of a plan, in its order, and hands out pieces of block rows as they become final.

    The result at an output pixel is the mean of its valid values, weighted by the plan's tapers; it is valid where any
    window is. Where a single window covers a pixel, its value is returned exactly, as its weight is 1.0.

    The sums of values and weights are float64. They are held for one window and, over the padded width, for the rows
    that the next row of windows overlaps; nothing grows with the height of the scene. At each pixel, windows are added
    row of windows by row of windows, from left to right: the same order, the same bits.

    first: row of windows to begin with. The pieces are then those of the whole scene from the first block row on that
    no earlier row of windows reaches into.
    """

    def __init__(self, plan: Plan, first: int = 0) -> None:
        self._plan = plan
        self._taper_rows, self._taper_columns = plan.taper_rows, plan.taper_columns
        self._rows, self._columns = plan.block_rows, plan.block_columns
        self._row, self._column = first, 0
        # made with the first window, which shows the number of channels
        self._sums: _Sums | None = None
        self._weights: _Sums | None = None

    def add(
        self, values: Float[np.ndarray, "channel row column"], valid: Bool[np.ndarray, "#channel row column"]
    ) -> tuple[
        Window, Float64[np.ndarray, "channel endedrow endedcolumn"], Bool[np.ndarray, "channel endedrow endedcolumn"]
    ]:
        """Add the next window, from left to right, row of windows by row of windows. Returns the piece that it ends.

        values: output pixels of the whole window, in any unit; values that are not valid, also NaN or infinity, have no
        effect. valid: per channel, or one for all channels; the same choice in every window.

        The piece, from the plan's block_rows and block_columns: window of the output grid, blended values (0 where not
        valid), and what is valid. The caller owns the arrays, but `valid` cannot be written to.

        Raises ValueError where shapes differ from the plan's or from the first window's.
        """
        assert self._row < len(self._rows), "a window was added after the plan's last one"
        sums, weights = self._checked(values, valid)
        taper = np.multiply.outer(self._taper_rows[self._row], self._taper_columns[self._column])
        sums.add(self._row, self._column, _weighted(values, valid, taper))
        weights.add(self._row, self._column, np.where(valid, taper, 0.0))
        (top, bottom), (left, right) = self._rows[self._row], self._columns[self._column]
        piece = Window(top, left, bottom - top, right - left)
        return piece, *self._ended(piece, sums, weights)

    def _ended(
        self, piece: Window, sums: "_Sums", weights: "_Sums"
    ) -> tuple[Float64[np.ndarray, "channel row column"], Bool[np.ndarray, "channel row column"]]:
        """Blended values and what is valid of the piece; the next window follows."""
        total, weight = (each.here[:, : piece.height, : piece.width] for each in (sums, weights))
        valid = np.broadcast_to(weight > 0, total.shape)
        values = total / weight if valid.all() else np.divide(total, weight, where=valid, out=np.zeros(total.shape))
        self._column += 1
        if self._column == len(self._columns):
            self._row, self._column = self._row + 1, 0
        return values, valid

    def _checked(self, values: np.ndarray, valid: np.ndarray) -> tuple["_Sums", "_Sums"]:
        side = self._taper_rows.shape[1], self._taper_columns.shape[1]
        if self._sums is None or self._weights is None:
            self._sums, self._weights = (_Sums(self._plan, side, len(each)) for each in (values, valid))
        expected = self._sums.here.shape, self._weights.here.shape
        if (values.shape, valid.shape) != expected:
            raise ValueError(
                f"found a window with values of shape {values.shape} and valid of {valid.shape}; "
                f"expected {expected[0]} and {expected[1]}, from the plan and the first window"
            )
        return self._sums, self._weights


def _weighted(
    values: Float[np.ndarray, "channel row column"],
    valid: Bool[np.ndarray, "#channel row column"],
    taper: Float64[np.ndarray, "row column"],
) -> Float64[np.ndarray, "channel row column"]:
    """Their product, 0 where not valid: a product there could be NaN."""
    if valid.all():  # in half the time
        return np.asarray(values * taper)
    return np.asarray(np.multiply(values, taper, where=valid, out=np.zeros(values.shape)))


class _Sums:
    """Sums under one window, which slide along a row of windows, and those that the next row of windows continues.

    here: [channel, row, column] of the last window.
    """

    def __init__(self, plan: Plan, side: tuple[int, int], channels: int) -> None:
        self._rows = [row // plan.reduce for row in plan.rows]
        self._columns = [column // plan.reduce for column in plan.columns]
        self.here = np.zeros((channels, *side))
        most = max((self._shared(self._rows, row, side[0]) for row in range(1, len(self._rows))), default=0)
        self._below = np.zeros((channels, most, self._columns[-1] + side[1]))

    def add(self, row: int, column: int, weighted: Float64[np.ndarray, "channel row column"]) -> None:
        """Move to the next window, with the sums of the windows above and left of it, and add its weighted values."""
        rows, columns = self.here.shape[1:]
        above, left = self._shared(self._rows, row, rows), self._shared(self._columns, column, columns)
        first = self._columns[column]
        self.here[:, :, :left] = self.here[:, :, columns - left :]
        self.here[:, :above, left:] = self._below[:, :above, first + left : first + columns]
        self.here[:, above:, left:] = 0
        self.here += weighted
        # all that was read above lies to the right of what is written here, so one buffer serves both rows of windows
        last = column + 1 == len(self._columns)
        ended = columns if last else columns - self._shared(self._columns, column + 1, columns)
        below = 0 if row + 1 == len(self._rows) else self._shared(self._rows, row + 1, rows)
        self._below[:, :below, first : first + ended] = self.here[:, rows - below :, :ended]

    @staticmethod
    def _shared(starts: list[int], index: int, side: int) -> int:
        """Pixels that a window shares with the one before it along an axis."""
        return starts[index - 1] + side - starts[index] if index else 0
