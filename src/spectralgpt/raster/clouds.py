"""Cloud layers, and which of their values mean cloud."""

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np
from jaxtyping import Bool, Shaped

from spectralgpt.raster.grid import Grid


@dataclass(frozen=True, slots=True)
class CloudLayer:
    """A product's own layer of clouds and their shadows.

    name: as in `clouds`: scl, qa or fmask; mask for a user's own file. cloudy: (mask, value) pairs; a pixel is cloudy
    where stored & mask == value for one of them or, without pairs, where stored is not 0. Nodata and NaN are not.
    behind: the layer of another product of the same day; a pixel is cloudy where either shows clouds.
    """

    name: str
    path: str
    index: int
    grid: Grid
    cloudy: tuple[tuple[int, int], ...]
    behind: Optional["CloudLayer"] = None

    def every(self) -> tuple["CloudLayer", ...]:
        """This layer and those behind it."""
        return self, *(() if self.behind is None else self.behind.every())

    def before(self, last: "CloudLayer") -> "CloudLayer":
        """This layer with another behind the last of its own."""
        return replace(self, behind=last if self.behind is None else self.behind.before(last))


def layer_says_cloudy(
    values: Shaped[np.ndarray, "*shape"], cloudy: tuple[tuple[int, int], ...]
) -> Bool[np.ndarray, "*shape"]:
    """Where values & mask == value for one of the (mask, value) pairs or, without pairs, where a value is not 0.

    Classes stored as floats are whole numbers, too; NaN and infinity are not classes.
    """
    whole = values
    if values.dtype.kind == "f":
        whole = np.where(np.abs(values) < 2.0**53, values, 0)
        if cloudy:
            whole = whole.astype(np.int64)
    if not cloudy:
        return np.asarray(whole != 0)
    found = np.zeros(values.shape, bool)
    for mask, value in cloudy:
        found |= (whole.astype(np.int64) & mask) == value
    return found
