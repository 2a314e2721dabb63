"""What is checked before work starts: whether an image holds anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from spectralgpt.errors import RasterError
from spectralgpt.raster.raster import Raster
from spectralgpt.raster.window import Window

SIDE, SAMPLES = 128, 6
"""Windows of a cheap look at an image, pixels, and how many along each axis."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the check found: one line for the tags of a result, and the warnings in it, one by one."""

    text: str
    warnings: tuple[str, ...]


def check(raster: Raster) -> Verdict:
    """The verdict on an image. RasterError when no pixel of any date and band is valid."""
    if not has_valid(raster):
        raise RasterError(
            f"{', '.join(raster.paths[:3])}: found no valid pixel, all are nodata, NaN or masked; expected an image "
            "that holds something."
        )
    return Verdict("; ".join(("valid pixels found", *raster.warnings)), raster.warnings)


def has_valid(raster: Raster) -> bool:
    """Whether any pixel is valid: a look at windows all over the image first, everything only when they are empty."""
    for windows in (sample(raster.grid.height, raster.grid.width), everything(raster.grid.height, raster.grid.width)):
        for window in windows:
            valid = raster.read(window).valid
            if valid is None or valid.any():
                return True
    return False


def sample(height: int, width: int) -> Iterator[Window]:
    """At most 36 windows, evenly over an image; the whole of a small one."""
    for row, column in product(_starts(height), _starts(width)):
        yield Window(row, column, min(SIDE, height), min(SIDE, width))


def everything(height: int, width: int) -> Iterator[Window]:
    """Windows that cover an image, each pixel once; high enough that a strip or tile is not read often."""
    side = 4 * SIDE
    for row, column in product(range(0, height, side), range(0, width, side)):
        yield Window(row, column, min(side, height - row), min(side, width - column))


def _starts(size: int) -> list[int]:
    room = max(size - SIDE, 0)
    count = min(SAMPLES, -(-size // SIDE))
    return [room * i // (count - 1) for i in range(count)] if count > 1 else [0]
