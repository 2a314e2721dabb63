"""The interface that `run_scene` uses: a maker defines windows, block rows and TARGET."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Shaped
from numpy.typing import NDArray

from spectralgpt.raster import Grid, Profile, Window

P = TypeVar("P")
"""Pixels of several windows, as a maker's `read` gives them."""

S = TypeVar("S")
"""A maker's summary of the whole scene."""

Notes = dict[str, Any]
"""What a result needs of a part of a scene in addition to its stored values: float64 sums, counts, samples; as JSON."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece(Generic[P]):
    """A part of a block row that is final.

    window: its place on the output grid. values: blended, 0 where not valid. pixels: from `read`, of its group of
    windows; index: the window of the group in which it lies. It starts at that window's first row and column (Plan).
    """

    window: Window
    values: Float64[np.ndarray, "channel row column"]
    valid: Bool[np.ndarray, "channel row column"]
    pixels: P
    index: int


@runtime_checkable
class Maker(Protocol[P, S]):
    """Makes a TARGET of a scene. Its methods are pure functions: no result depends on earlier calls.

    Pixels are read once, and each piece of a block row is stored and noted once, when it is final. The summary comes
    only from files on disk, so an interrupted scene ends like any other.
    """

    @property
    def grid(self) -> Grid:
        """TARGET's grid: the plan's output."""

    @property
    def bands(self) -> int:
        """Number of bands of `stored`."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of `stored`."""

    def read(self, windows: Sequence[Window]) -> P:
        """The pixels of a group of windows of the padded grid, which may extend beyond the scene.

        Uses no model and keeps no state: it may run in another thread, ahead of `compute`.
        """

    def compute(
        self, pixels: P
    ) -> tuple[Float[np.ndarray, "window channel row column"], Bool[np.ndarray, "window #channel row column"]]:
        """The model's answer: values to be blended, side / reduce rows and columns per window, and which are valid, per
        channel or for all channels together. Values that are not valid have no effect."""

    def stored(self, piece: Piece[P]) -> Shaped[np.ndarray, "band row column"]:
        """The values of a piece that are kept."""

    def notes(self, piece: Piece[P], stored: Shaped[np.ndarray, "band row column"]) -> Notes:
        """What else is kept of a piece, at most 1 MB per block row. stored: the result of that method."""

    def joined(self, notes: Iterable[Notes]) -> Notes:
        """The notes of several parts of the scene merged: of pieces from left to right, of rows from the top."""

    def merged(self, notes: Iterable[Notes], rows: Sequence[NDArray[Any]]) -> S:
        """The summary of the whole scene, from the notes and stored values of all block rows, both from the top. They
        are read from disk when accessed; `rows` can be read repeatedly."""

    def profile(self, summary: S) -> Profile:
        """TARGET's layout."""

    def encoded(self, stored: NDArray[Any], profile: Profile) -> NDArray[Any]:
        """The values of a block row in TARGET, [band, row, column] in the layout's bands and type."""
