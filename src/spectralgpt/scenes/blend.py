"""Overlapping windows become one scene: weighted sums, a row of windows at a time."""

import numpy as np
from jaxtyping import Bool, Float, Float64

from spectralgpt.raster import Window
from spectralgpt.scenes.plan import Plan


class Blender:
    """Sums the windows of a plan, row of windows by row of windows, and hands out block rows as they become final.

    The result at an output pixel is the mean of its valid values, with the weights of the plan's tapers; it is valid
    where any window is. Where one window covers a pixel its value comes back exactly, as its weight is 1.0.

    It holds float64 sums of values and of weights for one row of windows, side rows by the padded width, and nothing
    that grows with the height of the scene. Sums are taken in the order of the calls: the same order, the same bits.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._taper_rows, self._taper_columns = plan.taper_rows, plan.taper_columns
        self._blocks = plan.block_rows
        self._row = 0
        # how many channels there are is known with the first window
        self._sums = self._weights = np.zeros((0, 0, 0))

    def add(
        self,
        column: int,
        values: Float[np.ndarray, "channel row column"],
        valid: Bool[np.ndarray, "#channel row column"],
    ) -> None:
        """Add window number `column` (from the left) of the row of windows that is not finished.

        values: output pixels of the whole window, any unit; what they are where not valid, NaN or infinity too, does
        not count. valid: a channel each, or one for all channels; the same choice in every window.

        Raises ValueError where shapes differ from the plan's or from the first window's.
        """
        self._check(values, valid)
        taper = np.multiply.outer(self._taper_rows[self._row], self._taper_columns[column])
        # where, not a product: 0 * NaN is NaN
        weighted = np.multiply(values, taper, where=valid, out=np.zeros(values.shape))
        first = self._plan.columns[column] // self._plan.reduce
        covered = slice(first, first + taper.shape[1])
        self._sums[:, :, covered] += weighted
        self._weights[:, :, covered] += np.where(valid, taper, 0.0)

    def finish(
        self,
    ) -> tuple[Window, Float64[np.ndarray, "channel row column"], Bool[np.ndarray, "channel row column"]]:
        """End the row of windows: its block row, blended, as window of the output grid, values and what is valid.

        Values are 0 where not valid. The arrays are the caller's, except that `valid` cannot be written to.
        """
        assert self._sums.size, "a row of windows was finished before any of its windows was added"
        start, stop = self._blocks[self._row]
        width = self._plan.output_shape[1]
        sums, weights = self._sums[:, : stop - start, :width], self._weights[:, : stop - start, :width]
        valid = np.broadcast_to(weights > 0, sums.shape)
        values = np.divide(sums, weights, where=valid, out=np.zeros(sums.shape))
        self._row += 1
        for buffer in (self._sums, self._weights):
            _move_up(buffer, stop - start)
        return Window(start, 0, stop - start, width), values, valid

    def _check(self, values: np.ndarray, valid: np.ndarray) -> None:
        rows, columns = self._taper_rows.shape[1], self._taper_columns.shape[1]
        if not self._sums.size:
            width = self._plan.columns[-1] // self._plan.reduce + columns
            self._sums = np.zeros((values.shape[0], rows, width))
            self._weights = np.zeros((valid.shape[0], rows, width))
        expected = (self._sums.shape[0], rows, columns), (self._weights.shape[0], rows, columns)
        if (values.shape, valid.shape) != expected:
            raise ValueError(
                f"found a window with values of shape {values.shape} and valid of {valid.shape}; "
                f"expected {expected[0]} and {expected[1]}, as the plan and the first window have it"
            )


def _move_up(buffer: np.ndarray, rows: int) -> None:
    """Drop the first rows, and follow the others by rows of zeros: in place, as a copy would double the memory."""
    kept = buffer.shape[1] - rows
    for row in range(kept):
        buffer[:, row] = buffer[:, row + rows]
    buffer[:, kept:] = 0
