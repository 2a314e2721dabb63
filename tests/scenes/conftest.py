"""Models for scenes: functions that return the scene's own values, and makers from functions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from spectralgpt.raster import Grid, Profile, Window
from spectralgpt.scenes import Notes, Piece, Plan

Given = tuple[np.ndarray, np.ndarray]


class Identity:
    """`apply` for a plan: window after window of an array on the output grid, and the windows that were requested.

    Beyond the array, and where not valid, values are `junk`.
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


@dataclass
class FunctionMaker:
    """A maker from functions.

    apply: windows to values and valid. compose: window, values and valid of a piece to stored values. made: the layout,
    also with the grid and bands of stored values; layout_of: from all block rows, if the layout depends on them.
    encode: a block row and the layout to TARGET's values. kept: the stored type. read_as: called at a read. note: from
    a piece's window and its stored values. Notes are lists, so that the order in which they were joined shows.
    """

    apply: Callable[[Sequence[Window]], Given]
    compose: Callable[[Window, np.ndarray, np.ndarray], np.ndarray]
    made: Profile
    layout_of: Callable[[Iterable[np.ndarray]], Profile] | None = None
    encode: Callable[[np.ndarray, Profile], np.ndarray] | None = None
    kept: Any = None
    read_as: Callable[[Sequence[Window]], None] = lambda windows: None
    note: Callable[[Window, np.ndarray], list[Any]] = lambda window, stored: []
    merge: Callable[[list[Any]], Any] = lambda notes: notes

    @property
    def grid(self) -> Grid:
        return self.made.grid

    @property
    def bands(self) -> int:
        return self.made.count

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self.made.dtype if self.kept is None else self.kept)

    def read(self, windows: Sequence[Window]) -> list[Window]:
        self.read_as(windows)
        return list(windows)

    def compute(self, pixels: list[Window]) -> Given:
        return self.apply(pixels)

    def stored(self, piece: Piece[list[Window]]) -> np.ndarray:
        return self.compose(piece.window, piece.values, piece.valid)

    def notes(self, piece: Piece[list[Window]], stored: np.ndarray) -> Notes:
        return {"all": self.note(piece.window, stored)}

    def joined(self, notes: Iterable[Notes]) -> Notes:
        return {"all": [each for part in notes for each in part["all"]]}

    def merged(self, notes: Iterable[Notes], rows: Sequence[np.ndarray]) -> tuple[Any, Sequence[np.ndarray]]:
        return self.merge(self.joined(notes)["all"]), rows

    def profile(self, summary: tuple[Any, Sequence[np.ndarray]]) -> Profile:
        return self.made if self.layout_of is None else self.layout_of(summary[1])

    def encoded(self, stored: np.ndarray, profile: Profile) -> np.ndarray:
        return stored if self.encode is None else self.encode(stored, profile)


@pytest.fixture(scope="session")
def maker_of() -> Callable[..., FunctionMaker]:
    return FunctionMaker


def _made_scene(channels: int, height: int, width: int) -> np.ndarray:
    """uint16 [channel, row, column]: every channel, row and column differs, also from its mirror image."""
    channel, row, column = np.ogrid[:channels, :height, :width]
    return ((channel * 9973 + row * 131 + column * 7 + (row * column) % 13) % 65536).astype(np.uint16)


@pytest.fixture(scope="session")
def made_scene() -> Callable[[int, int, int], np.ndarray]:
    return _made_scene
