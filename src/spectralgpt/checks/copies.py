"""Bands that repeat another band."""

import numpy as np
from jaxtyping import Float

from spectralgpt.checks.flags import NAMED, Flag
from spectralgpt.checks.pixel_sample import TOO_FEW_PIXELS, PixelSample
from spectralgpt.errors import first_few

COPY, TRUNCATED_COPY, COPY_LEVELS = 1 - 1e-7, 0.98, 256
"""Correlation of a band that repeats another; of an 8-bit picture of it; most values of such a picture."""


def duplicates(sample: PixelSample) -> list[Flag]:
    """One flag on the bands that repeat another band, perhaps scaled, or as an 8-bit picture of it."""
    values = np.moveaxis(sample.values, 1, 0).reshape(len(sample.bands), -1)
    values = values[:, ~np.isnan(values).any(axis=0)].astype(np.float64)
    if values.shape[1] < TOO_FEW_PIXELS * TOO_FEW_PIXELS:
        return []
    groups = _groups(values)
    if not groups:
        return []
    which = [first_few([sample.names[band] for band in group], NAMED, " and ") for group in groups]
    return [
        Flag(
            "duplicate",
            tuple(sample.names[band] for band in sorted(band for group in groups for band in group)),
            f"found the same image in {first_few(which, 3, '; in ')}; expected different bands. Check the file's "
            "bands, or leave out all but one",
        )
    ]


def _groups(values: Float[np.ndarray, "band pixel"]) -> list[list[int]]:
    """Bands that are alike, each in the group of the first that it repeats."""
    levels = [len(np.unique(each)) for each in values]
    values = values - values.mean(axis=1, keepdims=True)
    size = np.sqrt((values**2).sum(axis=1))
    varying = np.flatnonzero(size > 0)
    values = values[varying] / size[varying, None]
    alike = values @ values.T
    first = list(range(len(size)))
    for one, other in np.argwhere(np.triu(alike > TRUNCATED_COPY, 1)):
        few, many = sorted((levels[varying[one]], levels[varying[other]]))
        if alike[one, other] > COPY or (few <= COPY_LEVELS and many > 4 * few):
            first[varying[other]] = min(first[varying[other]], first[varying[one]])
    groups = [[band for band, root in enumerate(first) if root == one] for one in range(len(first))]
    return [group for group in groups if len(group) > 1]
