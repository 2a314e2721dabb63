"""What `run_scene` asks for: a maker says what a window, a block row and TARGET are."""

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
"""What a maker knows of the whole scene at its end."""

Notes = dict[str, Any]
"""What a result needs of a part of a scene besides its stored values: sums in float64, counts, samples; as JSON."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece(Generic[P]):
    """A part of a block row that is final.

    window: where it lies, on the output grid. values: blended, 0 where not valid. pixels: what `read` gave of its group
    of windows; index: the one of them that it lies in. It starts at that window's first row and column (Plan).
    """

    window: Window
    values: Float64[np.ndarray, "channel row column"]
    valid: Bool[np.ndarray, "channel row column"]
    pixels: P
    index: int


@runtime_checkable
class Maker(Protocol[P, S]):
    """Makes a TARGET of a scene. Its methods are functions: no result depends on what was called before.

    Pixels are read once, and each piece of a block row is stored and noted once, when it is final. All that is known at
    the end comes from what lies on the disk then, so a scene that was interrupted ends as any other.
    """

    @property
    def grid(self) -> Grid:
        """TARGET's grid: the plan's output."""

    @property
    def bands(self) -> int:
        """Bands that `stored` has."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that `stored` has."""

    def read(self, windows: Sequence[Window]) -> P:
        """The pixels of a group of windows of the padded grid, which may go beyond the scene.

        Needs no model, and keeps nothing: it may run in another thread, ahead of `compute`.
        """

    def compute(
        self, pixels: P
    ) -> tuple[Float[np.ndarray, "window channel row column"], Bool[np.ndarray, "window #channel row column"]]:
        """The model's answer: values that are blended, side / reduce rows and columns each, and what of them is valid,
        per channel or for all channels at once. Values that are not valid do not count."""

    def stored(self, piece: Piece[P]) -> Shaped[np.ndarray, "band row column"]:
        """What is kept of a piece."""

    def notes(self, piece: Piece[P], stored: Shaped[np.ndarray, "band row column"]) -> Notes:
        """What else is kept of it: in all at most 1 MB per block row. `stored` is what the method of that name gave."""

    def joined(self, notes: Iterable[Notes]) -> Notes:
        """The notes of a part of the scene, from those of its parts: pieces from left to right, rows from the top."""

    def merged(self, notes: Iterable[Notes], rows: Sequence[NDArray[Any]]) -> S:
        """What is known of the whole scene: from the notes of all block rows and what is stored of them, both from the
        top, read from the disk when they are asked for. `rows` can be read again and again."""

    def profile(self, summary: S) -> Profile:
        """TARGET's layout."""

    def encoded(self, stored: NDArray[Any], profile: Profile) -> NDArray[Any]:
        """What TARGET holds of a block row, [band, row, column] of the layout's bands and type."""
