"""Trained models on disk: the public model class, the store, the released checkpoints."""

from spectralgpt.weights.loading import load_model
from spectralgpt.weights.released import from_released, read_released, released_config, released_shapes, to_released
from spectralgpt.weights.spectralgpt import SpectralGPT
from spectralgpt.weights.store import check_weights_target, fingerprint

__all__ = [
    "SpectralGPT",
    "check_weights_target",
    "fingerprint",
    "from_released",
    "load_model",
    "read_released",
    "released_config",
    "released_shapes",
    "to_released",
]
