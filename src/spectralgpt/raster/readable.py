"""What a Raster and Pixels in memory have in common: an image that is read by windows."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from spectralgpt.bands import Band
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.window import Window


@runtime_checkable
class Readable(Protocol):
    """An image that is read by windows: a Raster, or Pixels in memory. scale, offset: one number per band."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """date, band, row, column."""

    @property
    def bands(self) -> tuple[Band, ...]: ...

    @property
    def grid(self) -> Grid: ...

    @property
    def days(self) -> Any:
        """Days since 1970-01-01 in UTC, -1 unknown: one per date."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values that `read` returns."""

    @property
    def scale(self) -> Any: ...

    @property
    def offset(self) -> Any: ...

    @property
    def gsd(self) -> float:
        """Metres on the ground, nan where unknown."""

    def read(self, window: Window | None = None) -> Pixels:
        """The pixels of a window, default all."""
