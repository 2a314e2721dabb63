"""Answers of windows blended into block rows, which are kept in the journal as they become final."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Generic

from numpy.typing import NDArray

from spectralgpt.allocation import give_freed_memory_back
from spectralgpt.raster import Window
from spectralgpt.scenes.blend import Blender
from spectralgpt.scenes.finite import check_finite_answers
from spectralgpt.scenes.journal import Journal
from spectralgpt.scenes.maker import Maker, Notes, P, Piece, S
from spectralgpt.scenes.plan import Plan
from spectralgpt.scenes.rows import RowFile

WINDOWS_UNTIL_GIVEN_BACK = 100
"""Windows after which freed memory is given back: what the next ones take again costs them time."""


class BlockRows(Generic[P, S]):
    """Keeps the block rows of a scene from `done` on, as a context that closes the one that is not finished.

        with BlockRows(plan, maker, journal, first, done) as rows:
            rows.take(row, group, pixels, values, valid)  # the next group, from row of windows `first` on

    Of the rows of windows before `done` only the sums are used, where they reach into later block rows.
    """

    def __init__(self, plan: Plan, maker: Maker[P, S], journal: Journal, first: int, done: int) -> None:
        self._plan, self._maker, self._journal, self._done = plan, maker, journal, done
        self._blender = Blender(plan, first)
        self._open = ExitStack()
        self._file: RowFile | None = None
        self._notes: list[Notes] = []
        self._since = 0

    def __enter__(self) -> "BlockRows[P, S]":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def take(self, row: int, group: Sequence[Window], pixels: P, values: NDArray[Any], valid: NDArray[Any]) -> None:
        """Blend the windows of a group in row of windows `row`, and keep the pieces that they end."""
        pieces = self._pieces(len(group), pixels, values, valid)
        self._since += len(group)
        if row < self._done:
            for _ in pieces:
                pass
            return
        file = self._begun(row)
        for piece in pieces:
            stored = self._maker.stored(piece)
            _check_stored(stored, piece, self._maker)
            file.write(stored)
            self._notes.append(self._maker.notes(piece, stored))
        # joined after each group: the notes of all pieces of a wide scene would take memory
        self._notes = [self._maker.joined(self._notes)]
        if group[-1].column == self._plan.columns[-1]:
            self._journal.finish(row, file, self._notes[0])
            self._open.close()
            self._file, self._notes = None, []
            if self._since >= WINDOWS_UNTIL_GIVEN_BACK:
                give_freed_memory_back()
                self._since = 0

    def _begun(self, row: int) -> RowFile:
        """The file of a block row, made with its first group."""
        if self._file is None:
            start, stop = self._plan.block_rows[row]
            shape = self._maker.bands, stop - start, self._plan.output_shape[1]
            self._file = self._open.enter_context(self._journal.row(row, shape, self._maker.dtype))
        return self._file

    def _pieces(self, count: int, pixels: P, values: NDArray[Any], valid: NDArray[Any]) -> Iterator[Piece[P]]:
        """The pieces that a group of `count` windows ends."""
        if len(values) != count or len(valid) != count:
            raise ValueError(f"compute returned {len(values)} values and {len(valid)} valid; expected {count} each")
        check_finite_answers(values, valid)
        for index in range(count):
            window, blended, known = self._blender.add(values[index], valid[index])
            yield Piece(window, blended, known, pixels, index)


def _check_stored(stored: NDArray[Any], piece: Piece[P], maker: Maker[P, S]) -> None:
    """Raises ValueError where a piece has not the maker's bands, type or size: at the first piece, not at the end."""
    if stored.shape[1:] != piece.window.shape:
        raise ValueError(
            f"stored returned an array of shape {stored.shape}; expected (band, {piece.window.height}, "
            f"{piece.window.width})"
        )
    if len(stored) != maker.bands or stored.dtype != maker.dtype:
        raise ValueError(
            f"stored returned {len(stored)} bands of {stored.dtype}; expected {maker.bands} of {maker.dtype}"
        )
