"""Windows for a look at an image: a few spread over it, or all of it."""

from collections.abc import Iterator
from itertools import product

from spectralgpt.raster.window import Window

LOOK_SIDE, LOOKS_ALONG = 128, 6
"""Side in pixels of the windows of a quick look at an image, and their number along each axis."""


def sample(height: int, width: int, along: int = LOOKS_ALONG) -> Iterator[Window]:
    """At most `along` windows along each axis, spread evenly over an image, none over another; all of a small one."""
    for (row, end_row), (column, end_column) in product(_ranges(height, along), _ranges(width, along)):
        yield Window(row, column, end_row - row, end_column - column)


def everything(height: int, width: int) -> Iterator[Window]:
    """Windows that cover an image, each pixel once; high enough that few strips or tiles are read twice."""
    side = 4 * LOOK_SIDE
    for row, column in product(range(0, height, side), range(0, width, side)):
        yield Window(row, column, min(side, height - row), min(side, width - column))


def _ranges(size: int, along: int) -> list[tuple[int, int]]:
    """First pixel and end of each window along an axis: parts of a small image, else LOOK_SIDE with gaps between."""
    count = min(along, -(-size // LOOK_SIDE))
    if size <= count * LOOK_SIDE:  # no pixel counts twice
        return [(size * i // count, size * (i + 1) // count) for i in range(count)]
    room = size - LOOK_SIDE
    starts = [room * i // (count - 1) for i in range(count)] if count > 1 else [0]
    return [(start, start + LOOK_SIDE) for start in starts]
