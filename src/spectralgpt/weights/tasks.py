"""The public models with a head: Classifier, Segmenter, ChangeDetector."""

import copy
from typing import Any, TypeVar

from torch import nn

from spectralgpt.nn import (
    ChangeDetection,
    Classification,
    DenseHead,
    ModelConfig,
    Normalization,
    PooledHead,
    Segmentation,
)
from spectralgpt.weights.pretrained import Pretrained
from spectralgpt.weights.released import HeadConfig

Task = TypeVar("Task", bound="_TaskModel")


class _TaskModel(Pretrained):
    """What models with a head share."""

    def __init__(
        self,
        config: ModelConfig,
        head: HeadConfig,
        normalization: Normalization,
        provenance: dict[str, Any] | None = None,
    ):
        # of the model of `nn` beside which this stands
        super().__init__(config, head)  # type: ignore[call-arg]
        self.normalization = normalization
        self.provenance = provenance or {}

    @property
    def head_config(self) -> HeadConfig:
        """What its head is."""
        assert isinstance(self.head, PooledHead | DenseHead)
        return self.head.config

    @classmethod
    def from_encoder(cls: type[Task], model: Pretrained, head: HeadConfig) -> Task:
        """A new head on a copy of a model's encoder, in training mode: bands, units and positions are the model's."""
        config = model.config
        # its own fingerprint last: the model may have been made from another's encoder
        provenance = {**model.provenance, "encoder": model.fingerprint()}
        new = cls._made(config, head, model.normalization, provenance)
        new.encoder = copy.deepcopy(model.encoder)
        # encoder and head in one mode, on one device, in one type
        return new.train().to(model.encoder.embedding.bias)


class Classifier(_TaskModel, Classification):
    """A label, or several, for an image."""

    kind = "classification"

    @classmethod
    def from_encoder(cls, model: Pretrained, head: HeadConfig) -> "Classifier":
        """A new head on a copy of a model's encoder, in training mode: bands, units and positions are the model's.

        The last layer starts near zero (deviation 2e-5), as in the paper's fine-tuning.
        """
        new = super().from_encoder(model, head)
        nn.init.normal_(new.head.out.weight, std=2e-5)
        return new


class Segmenter(_TaskModel, Segmentation):
    """A class for each pixel."""

    kind = "segmentation"


class ChangeDetector(_TaskModel, ChangeDetection):
    """What changed at each pixel between two times."""

    kind = "change"
