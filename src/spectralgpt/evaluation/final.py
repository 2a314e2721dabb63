"""The read-out that is kept after an evaluation: chosen in the same way, and fitted to all that may be fitted to."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32

from spectralgpt.evaluation.aims import aim_of
from spectralgpt.evaluation.choice import Chosen, best_of, choose
from spectralgpt.evaluation.dense import pixel_pairs
from spectralgpt.evaluation.method import Method, Targets
from spectralgpt.evaluation.pixels import BUDGET, DenseFeatures, sample_pixels
from spectralgpt.evaluation.places import Places
from spectralgpt.evaluation.rounds import Round
from spectralgpt.evaluation.splits import Parts, inner_folds


def final_round(split: Places | Parts, truth: Bool[np.ndarray, "sample class"], places: Places, seed: int = 0) -> Round:
    """The round of the read-out that is kept: it reports nothing. Cross-validated samples all train; of a given split
    the training part does, and the validation part, if any, chooses."""
    train = split.train if isinstance(split, Parts) else np.arange(len(truth))
    if isinstance(split, Parts) and len(split.val):
        inner = [(train, split.val)]
    else:
        inner = inner_folds(places.ids, truth, train, seed=seed)
    return Round(0, 0, seed, train, inner, np.empty(0, np.int64))


def choose_among(
    methods: Sequence[Method],
    features: Float32[np.ndarray, "sample value"],
    targets: Targets,
    each: Round,
    kind: str,
) -> Chosen:
    """The best of the methods by the samples that choose, fitted to the round's training samples."""
    aim = aim_of(kind, targets.classes)
    found = [choose(method, features, targets, each.inner, aim, each.seed, samples=each.train) for method in methods]
    return found[best_of(found)]


def choose_among_pixels(
    methods: Sequence[Method],
    dense: DenseFeatures,
    each: Round,
    kind: str,
    classes: int,
    *,
    budget: int = BUDGET,
    contents: Sequence[str] = (),
) -> Chosen:
    """The same for pixels, drawn from the round's images. contents: a hash per image, as for `sample_pixels`."""
    images = np.unique(np.concatenate([each.train, *(judge for _, judge in each.inner)]))
    drawn = sample_pixels(dense, images, classes, each.seed, budget=budget, contents=contents)
    train, inner = pixel_pairs(drawn, each)
    aim = aim_of(kind, classes)
    found = [choose(method, drawn.features, drawn.targets, inner, aim, each.seed, samples=train) for method in methods]
    return found[best_of(found)]
