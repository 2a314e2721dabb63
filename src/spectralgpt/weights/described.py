"""A model with everything that gives its weights a meaning."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from spectralgpt.nn import Backbone, ModelConfig, Normalization
from spectralgpt.tasks import Class, HeadConfig, Task
from spectralgpt.weights.contents import Contents
from spectralgpt.weights.store import fingerprint


class DescribedModel(Backbone):
    """A backbone with its task, units, classes and origin.

    normalization: the units of its input. head_config: the head's settings, None without one. classes: the names and
    colours of the head's classes, empty where unknown. thresholds: as in Prediction, chosen in fine-tuning. provenance:
    where it came from (data, licence, steps, source); not part of the fingerprint.
    """

    task: ClassVar[Task]
    head_config: HeadConfig | None
    classes: tuple[Class, ...]

    def __init__(self, config: ModelConfig, normalization: Normalization, provenance: dict[str, Any] | None = None):
        super().__init__(config)
        self._describe(None, normalization, provenance, ())

    def _describe(
        self,
        head: HeadConfig | None,
        normalization: Normalization,
        provenance: dict[str, Any] | None,
        classes: Sequence[Class],
    ) -> None:
        self.head_config, self.normalization, self.provenance = head, normalization, provenance or {}
        self.classes = tuple(classes)

    @property
    def device(self) -> torch.device:
        """The device of the model, and of the cubes that it makes."""
        return self.encoder.embedding.bias.device

    def fingerprint(self) -> str:
        """The identity of these weights in 64 hex digits; the same after saving and loading."""
        return fingerprint(self._contents().arrangement(), self.state_dict())

    def _contents(self) -> Contents:
        return Contents(
            task=self.task,
            config=self.config,
            head=self.head_config,
            normalization=self.normalization,
            provenance=self.provenance,
            classes=self.classes,
            read_out=None if self.read_out is None else self.read_out.config,
            tensors={},
            source="",
            thresholds=self.thresholds,
        )
