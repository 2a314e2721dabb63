"""A rectangle of whole pixels on a grid."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Window:
    """Where a rectangle starts on a grid, and its size, in whole pixels; it may start before the grid or end beyond."""

    row: int
    column: int
    height: int
    width: int

    def __post_init__(self) -> None:
        for value in (self.row, self.column, self.height, self.width):
            if type(value) is not int and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
                raise TypeError(f"{self}: a window is made of whole numbers")
        if self.height < 1 or self.width < 1:
            raise ValueError(f"{self}: a window is at least one pixel high and wide")

    @property
    def end_row(self) -> int:
        """The first row below."""
        return self.row + self.height

    @property
    def end_column(self) -> int:
        """The first column to the right."""
        return self.column + self.width

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Slices to cut it from an array [..., row, column]. ValueError before its start, where they would wrap."""
        if self.row < 0 or self.column < 0:
            raise ValueError(f"{self} starts before the array")
        return slice(self.row, self.end_row), slice(self.column, self.end_column)

    def contains(self, other: "Window") -> bool:
        """Whether every pixel of the other is also in this window."""
        return (
            self.row <= other.row
            and self.column <= other.column
            and other.end_row <= self.end_row
            and other.end_column <= self.end_column
        )

    def intersection(self, other: "Window") -> "Window | None":
        """The pixels that are in both, None when there are none."""
        row, column = max(self.row, other.row), max(self.column, other.column)
        height = min(self.end_row, other.end_row) - row
        width = min(self.end_column, other.end_column) - column
        return Window(row, column, height, width) if height > 0 and width > 0 else None

    def shifted(self, rows: int, columns: int) -> "Window":
        """The window moved by `rows` down and `columns` to the right."""
        return Window(self.row + rows, self.column + columns, self.height, self.width)

    def seen_from(self, origin: "Window") -> "Window":
        """The same pixels, counted from the first pixel of `origin`."""
        return self.shifted(-origin.row, -origin.column)
