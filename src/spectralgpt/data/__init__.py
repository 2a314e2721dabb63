"""Data on disk and on its way to the model: shards, loader, augmentation."""

from spectralgpt.data import split
from spectralgpt.data.augmentation import Augmentation, augmented, centred
from spectralgpt.data.layout import Layout
from spectralgpt.data.loader import Loader, Source, Step
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
    "Order",
    "Samples",
    "Shards",
    "Source",
    "Step",
    "augmented",
    "centred",
    "merge",
    "open_shards",
    "shard",
    "split",
]
