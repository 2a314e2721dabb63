"""What a cloud layer says."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Shaped

from spectralgpt.raster.grid import Grid


@dataclass(frozen=True, slots=True)
class CloudLayer:
    """A product's own layer of clouds and their shadows.

    name: what --clouds calls it: scl, qa or fmask, mask for a user's own file. cloudy: (mask, value) pairs; a pixel is
    cloudy where stored & mask == value for one of them; without any, where stored is not 0. Nodata and NaN are not.
    """

    name: str
    path: str
    index: int
    grid: Grid
    cloudy: tuple[tuple[int, int], ...]


def layer_says_cloudy(
    values: Shaped[np.ndarray, "*shape"], cloudy: tuple[tuple[int, int], ...]
) -> Bool[np.ndarray, "*shape"]:
    """Where values & mask == value for one of the (mask, value) pairs; without any, where a value is not 0.

    Classes in floats are whole numbers all the same; NaN and infinity are no class.
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
