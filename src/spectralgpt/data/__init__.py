"""Data on disk and on its way to the model: shards, loader, augmentation."""

from typing import TYPE_CHECKING

from spectralgpt.data import split
from spectralgpt.data.augmentation import Augmentation, augmented, augmented_mask, centred, centred_mask
from spectralgpt.data.labelled_sharding import shard_labels
from spectralgpt.data.layout import Layout
from spectralgpt.data.loader import Loader, MixtureEntry, Step
from spectralgpt.data.manifest import Manifest
from spectralgpt.data.order import Order
from spectralgpt.data.samples import Samples
from spectralgpt.data.sharding import shard
from spectralgpt.data.shards import Shards, open_shards
from spectralgpt.data.statistics import BandTotals, merge

__all__ = [
    "Augmentation",
    "BandTotals",
    "Layout",
    "Loader",
    "Manifest",
    "MixtureEntry",
    "Order",
    "Samples",
    "Shards",
    "Step",
    "augmented",
    "augmented_mask",
    "centred",
    "centred_mask",
    "merge",
    "open_shards",
    "shard",
    "shard_labels",
    "split",
]

if not TYPE_CHECKING:  # type checkers see the new names only
    from spectralgpt.renames import former_names

    __getattr__ = former_names(__name__, {"Source": "data.MixtureEntry"})
