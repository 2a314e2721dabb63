"""A share of the training samples, for curves over the number of labels."""

import numpy as np
from jaxtyping import Bool, Int64

from spectralgpt.draws import keys

FRACTION_DRAW = 4
"""What the keys are for."""


def fraction_of(
    samples: Int64[np.ndarray, " train"], truth: Bool[np.ndarray, "sample class"], share: float | int, seed: int = 0
) -> Int64[np.ndarray, " drawn"]:
    """A share of the samples, at least one, sorted; of every class at least one where the share allows.

    truth: the classes of all samples. Samples are ranked within the rarest of their classes, so that each class keeps
    its share; a smaller share's samples are among a larger share's. seed: of the draw.
    """
    own = truth[samples]
    key = keys(seed, FRACTION_DRAW, samples)
    sizes = np.where(own, own.sum(axis=0), len(samples) + 1)
    rarest = np.where(own.any(axis=1), sizes.argmin(axis=1), truth.shape[1])
    rank = np.zeros(len(samples))
    for number in np.unique(rarest):
        of_class = np.flatnonzero(rarest == number)
        order = of_class[np.argsort(key[of_class], kind="stable")]
        rank[order] = np.arange(len(order)) / len(order)
    count = max(1, round(share * len(samples)))
    chosen = np.lexsort((key, rank))[:count]
    return np.sort(samples[chosen])
