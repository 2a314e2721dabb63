"""Trained models on disk: the public model classes, the store, the hub, the released checkpoints."""

from typing import TYPE_CHECKING

from spectralgpt.weights.card import Description, describe
from spectralgpt.weights.checkpoint_file import read_released
from spectralgpt.weights.loading import load_model, open_weights
from spectralgpt.weights.models import (
    ChangeDetector,
    Classifier,
    Segmenter,
    SpectralGPT,
    class_of,
    new_weights,
    on_encoder,
)
from spectralgpt.weights.named import PackagedWeights, packaged
from spectralgpt.weights.pretrained import PretrainedModel
from spectralgpt.weights.released import Released, describe_released, from_released, to_released
from spectralgpt.weights.store import check_weights_target, fingerprint
from spectralgpt.weights.trained_domain import TrainedDomain
from spectralgpt.weights.trained_images import TrainedImages

__all__ = [
    "ChangeDetector",
    "Classifier",
    "Description",
    "PackagedWeights",
    "PretrainedModel",
    "Released",
    "Segmenter",
    "SpectralGPT",
    "TrainedDomain",
    "TrainedImages",
    "check_weights_target",
    "class_of",
    "describe",
    "describe_released",
    "fingerprint",
    "from_released",
    "load_model",
    "new_weights",
    "on_encoder",
    "open_weights",
    "packaged",
    "read_released",
    "to_released",
]

if not TYPE_CHECKING:  # type checkers see the new names only
    from spectralgpt.renames import former_names

    __getattr__ = former_names(__name__, {"Pretrained": "weights.PretrainedModel"})
