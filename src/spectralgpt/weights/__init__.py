"""Trained models on disk: the public model class, the store, the released checkpoints."""

from spectralgpt.weights.released import from_released, read_released, released_config, released_shapes, to_released
from spectralgpt.weights.spectralgpt import SpectralGPT
from spectralgpt.weights.store import fingerprint

__all__ = [
    "SpectralGPT",
    "fingerprint",
    "from_released",
    "read_released",
    "released_config",
    "released_shapes",
    "to_released",
]
