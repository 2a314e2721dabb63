"""An image at one of its dates."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spectralgpt.bands import Band
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.readable import Readable
from spectralgpt.raster.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class OneDate:
    """A Readable with one of the dates of another. date: its index."""

    image: Readable
    date: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return 1, *self.image.shape[1:]

    @property
    def bands(self) -> tuple[Band, ...]:
        return self.image.bands

    @property
    def grid(self) -> Grid:
        return self.image.grid

    @property
    def days(self) -> Any:
        return self.image.days[self.date : self.date + 1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.image.dtype

    @property
    def scale(self) -> Any:
        return self.image.scale

    @property
    def offset(self) -> Any:
        return self.image.offset

    @property
    def gsd(self) -> float:
        return self.image.gsd

    def read(self, window: Window | None = None) -> Pixels:
        """The pixels of a window, default all; every date is read."""
        pixels, one = self.image.read(window), slice(self.date, self.date + 1)
        valid = None if pixels.valid is None else pixels.valid[one]
        return replace(pixels, values=pixels.values[one], valid=valid, days=pixels.days[one])
