"""Windows for a look at an image: a few all over it, or all of it."""

from collections.abc import Iterator
from itertools import product

from spectralgpt.raster.window import Window

LOOK_SIDE, LOOKS_ALONG = 128, 6
"""Side of the windows of a cheap look at an image, pixels, and how many there are along each axis."""


def sample(height: int, width: int, along: int = LOOKS_ALONG) -> Iterator[Window]:
    """At most so many windows along each axis, evenly over an image; the whole of a small one."""
    for row, column in product(_starts(height, along), _starts(width, along)):
        yield Window(row, column, min(LOOK_SIDE, height), min(LOOK_SIDE, width))


def everything(height: int, width: int) -> Iterator[Window]:
    """Windows that cover an image, each pixel once; high enough that a strip or tile is not read often."""
    side = 4 * LOOK_SIDE
    for row, column in product(range(0, height, side), range(0, width, side)):
        yield Window(row, column, min(side, height - row), min(side, width - column))


def _starts(size: int, along: int) -> list[int]:
    room = max(size - LOOK_SIDE, 0)
    count = min(along, -(-size // LOOK_SIDE))
    return [room * i // (count - 1) for i in range(count)] if count > 1 else [0]
