"""What a cloud layer says."""

import numpy as np
from jaxtyping import Bool, Shaped


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
