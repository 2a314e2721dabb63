"""Block rows on disk: written from left to right as their pieces become final, read one at a time."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, overload

import numpy as np
from jaxtyping import Shaped
from numpy.typing import NDArray

from spectralgpt.free_space import refusals
from spectralgpt.scenes.space import KEPT_ROWS

BYTES_AT_ONCE = 2**22
"""Bytes of a block row that are collected before writing: a file in C order takes one write per band and row."""


class RowFile:
    """A block row that is being written; a file under its own name is whole.

        with RowFile(path, (bands, height, width), dtype) as row:
            row.write(stored)  # the next columns
            row.finish()

    Until `finish` it is NAME.new, which is removed when the block ends without it. The file is what `np.save` would
    write. Memory does not depend on the width. TargetError when the disk refuses.
    """

    def __init__(self, path: Path, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype
        self._path, self._beside = path, path.with_name(path.name + ".new")
        self._file: IO[bytes] | None = None
        self._first_byte = 0
        self._written = 0
        self._waiting: list[NDArray[Any]] = []

    def __enter__(self) -> "RowFile":
        with self._refusals():
            self._file = open(self._beside, "wb")
        return self

    def write(self, stored: Shaped[np.ndarray, "band row column"]) -> None:
        """Keep the next columns. ValueError when bands, rows or type are not the file's, or for too many columns."""
        expected = (*self.shape[:2], stored.shape[2])
        if stored.shape != expected or stored.dtype != self.dtype:
            raise ValueError(f"found {stored.dtype} {stored.shape}; expected {self.dtype} {expected}")
        self._waiting.append(stored)
        waiting = sum(each.shape[2] for each in self._waiting)
        if self._written + waiting > self.shape[2]:
            raise ValueError(f"found {self._written + waiting} columns; expected {self.shape[2]}")
        if self._written + waiting == self.shape[2] or sum(each.nbytes for each in self._waiting) >= BYTES_AT_ONCE:
            self._flush()

    def finish(self) -> None:
        """Give the file its name. ValueError when columns are missing."""
        assert self._file is not None, "a row file is finished inside its with block, once"
        if self._written != self.shape[2]:
            raise ValueError(f"found {self._written} columns written; expected {self.shape[2]}")
        with self._refusals():
            self._file.close()
            os.replace(self._beside, self._path)
        self._file = None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            with suppress(OSError):  # the file is removed in any case
                self._file.close()
            self._file = None
            with self._refusals():
                self._beside.unlink(missing_ok=True)

    def _refusals(self) -> AbstractContextManager[None]:
        bands, rows, width = self.shape
        needed = bands * rows * width * self.dtype.itemsize
        return refusals(self._path.parent, needed=needed, do=KEPT_ROWS)

    def _flush(self) -> None:
        assert self._file is not None, "a row file is written inside its with block"
        bands, rows, width = self.shape
        lines = np.concatenate(self._waiting, axis=2, dtype=self.dtype)
        lines = np.ascontiguousarray(lines).reshape(bands * rows, -1)
        with self._refusals():
            if self._written == 0:
                header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False}
                np.lib.format.write_array_header_1_0(self._file, header | {"shape": self.shape})
                self._first_byte = self._file.tell()
            if lines.shape[1] == width:
                self._file.write(lines.data)
            else:
                for index, line in enumerate(lines):
                    self._file.seek(self._first_byte + (index * width + self._written) * self.dtype.itemsize)
                    self._file.write(line.data)
        self._written += lines.shape[1]
        self._waiting = []


class StoredRows(Sequence[NDArray[Any]]):
    """Block rows on disk from the top, [band, row, column] each; each access reads one into memory."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> "StoredRows": ...
    def __getitem__(self, index: int | slice) -> "NDArray[Any] | StoredRows":
        if isinstance(index, slice):
            return StoredRows(self._paths[index])
        stored: NDArray[Any] = np.load(self._paths[index], allow_pickle=False)
        return stored
