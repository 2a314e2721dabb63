"""Models for scenes: functions that give back what the scene holds."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from spectralgpt.raster import Window
from spectralgpt.scenes import Plan

Given = tuple[np.ndarray, np.ndarray]


class Identity:
    """`apply` for a plan: window after window of an array on the output grid, and the windows it was asked for.

    Beyond the array, and wherever not valid, values are `junk`.
    """

    def __init__(self, plan: Plan, values: np.ndarray, valid: np.ndarray | None = None, junk: float = np.nan) -> None:
        """values: [channel, row, column] of the output; valid: of that shape, or with one channel."""
        valid = np.ones_like(values, bool) if valid is None else valid
        rows = (plan.rows[-1] + plan.side_rows) // plan.reduce
        columns = (plan.columns[-1] + plan.side_columns) // plan.reduce
        assert values.shape[1:] == plan.output_shape
        pad = ((0, 0), (0, rows - values.shape[1]), (0, columns - values.shape[2]))
        self.valid = np.pad(valid, pad)
        self.values = np.where(self.valid, np.pad(values.astype(np.float64), pad), junk)
        self.reduce = plan.reduce
        self.asked: list[Window] = []

    def __call__(self, windows: Sequence[Window]) -> Given:
        self.asked += windows
        parts = [self._part(window) for window in windows]
        return np.stack([self.values[part] for part in parts]), np.stack([self.valid[part] for part in parts])

    def _part(self, window: Window) -> tuple[slice, slice, slice]:
        row, column = window.row // self.reduce, window.column // self.reduce
        height, width = window.height // self.reduce, window.width // self.reduce
        return np.s_[:, row : row + height, column : column + width]


@pytest.fixture(scope="session")
def identity() -> Callable[..., Identity]:
    return Identity


def _made_scene(channels: int, height: int, width: int) -> np.ndarray:
    """uint16 [channel, row, column]: every channel, row and column differs, also from its mirror image."""
    channel, row, column = np.ogrid[:channels, :height, :width]
    return ((channel * 9973 + row * 131 + column * 7 + (row * column) % 13) % 65536).astype(np.uint16)


@pytest.fixture(scope="session")
def made_scene() -> Callable[[int, int, int], np.ndarray]:
    return _made_scene
