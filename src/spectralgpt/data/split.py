"""Which samples are trained on, and which are held back: whole places, so that no neighbour was trained on."""

import numpy as np
from jaxtyping import Bool, Int64, UInt64

from spectralgpt.data.shards import Shards
from spectralgpt.draws import mixed, uniform


def is_held_back(places: UInt64[np.ndarray, " sample"], share: float | int) -> Bool[np.ndarray, " sample"]:
    """True for the samples of about this share of all places; a smaller share's samples are among a larger share's.

    No seed: all runs hold back the same places, whatever else they draw.
    """
    return np.asarray(uniform(mixed(places)) < share)


def rows(shards: Shards, layout: int, share: float | int, *, held_back: bool) -> Int64[np.ndarray, " sample"]:
    """Numbers of the samples of a layout that are held back, or of those that are trained on.

    Where samples have a split, it decides, whatever the share: `val` is held back, `train` is trained on, others are
    neither.
    """
    if shards.has_splits:
        return np.flatnonzero(np.array(shards.splits(layout), str) == ("val" if held_back else "train"))
    if share == 0:
        return np.arange(0 if held_back else shards.counts[layout])
    return np.flatnonzero(is_held_back(shards.places(layout), share) == held_back)
