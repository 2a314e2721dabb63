"""Average precision: how well scores rank what is true before what is not."""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from spectralgpt.metrics.classwise import share

_MOST = 2**22
"""Numbers in an array at a time, so that many draws of many samples stay within tens of megabytes."""


def average_precision(
    scores: Float32[np.ndarray, " sample"],
    truth: Bool[np.ndarray, " sample"],
    image: Int64[np.ndarray, " sample"],
    weights: Float64[np.ndarray, "draw image"],
) -> Float64[np.ndarray, " draw"]:
    """Sum over thresholds of precision x gain in recall, one value per draw; nan where no sample drawn is true.

    Every score that occurs is a threshold, and samples of equal scores pass it together: their order does not matter.
    image: of each sample. weights: how often each image is drawn.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, image = scores[order], image[order]
    true = np.flatnonzero(truth[order])
    # only scores of true samples gain recall: the last sample, and the last true one, of each such score
    last = np.flatnonzero(np.append(ranked[true][1:] != ranked[true][:-1], True)[: len(true)])
    end = np.searchsorted(-ranked, -ranked[true][last], side="right") - 1
    result = np.empty(len(weights))
    step = max(1, _MOST // max(1, len(scores)))
    for start in range(0, len(weights), step):
        drawn = np.take(weights[start : start + step], image, axis=1)
        passed = np.cumsum(drawn, axis=1)[:, end]
        found = np.cumsum(drawn[:, true], axis=1)[:, last]
        gain = np.diff(found, axis=1, prepend=0.0)
        # before the first drawn sample nothing has passed, and nothing is gained
        area = (gain * found / np.maximum(passed, 1.0)).sum(axis=1)
        result[start : start + step] = share(area, gain.sum(axis=1))
    return result
