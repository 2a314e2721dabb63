"""How often each class occurs in the labels of a shards folder."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int64

from spectralgpt.data.samples import Target
from spectralgpt.data.shards import Shards

CLASS_ROWS = 256
"""Samples that are counted together."""


def class_counts(shards: Shards) -> Mapping[str, Int64[np.ndarray, " class"]]:
    """For each part that has samples (train, val, test, or empty), how often each class occurs: samples or, for masks,
    labelled pixels. DataError, naming the file, for a damaged shard."""
    classes = len(shards.manifest.classes)
    found: dict[str, Int64[np.ndarray, " class"]] = {}
    for layout in range(len(shards.layouts)):
        splits = iter(shards.splits(layout))
        for target in shards.targets(layout):
            for start in range(0, len(target), CLASS_ROWS):
                for counts in counts_per_sample(target[start : start + CLASS_ROWS], classes):
                    split = next(splits)
                    found[split] = found.get(split, np.zeros(classes, np.int64)) + counts
    return found


def counts_per_sample(target: Target, classes: int) -> Int64[np.ndarray, "batch class"]:
    """How often each class occurs in each sample: 0 or 1 in images, numbers of labelled pixels in masks."""
    if target.dtype == torch.bool:
        return np.asarray(target.long().numpy())
    indices = target.flatten(1) if target.ndim == 3 else target[:, None]
    # one more class in front takes the pixels that are not labelled
    places = indices.long() + 1 + (classes + 1) * torch.arange(len(indices))[:, None]
    counted = torch.bincount(places.flatten(), minlength=(classes + 1) * len(indices))
    return np.asarray(counted.view(len(indices), classes + 1)[:, 1:].numpy())
