"""The public models: SpectralGPT, Classifier, Segmenter, ChangeDetector; and a class for each other task."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import torch
from jaxtyping import Bool
from torch import Tensor

from spectralgpt.nn import (
    Cube,
    Hide,
    MaskedAutoencoder,
    ModelConfig,
    Normalization,
    Reconstruction,
    Scaling,
    of_cubes,
)
from spectralgpt.tasks import ChangeDetection, Class, Classification, HeadConfig, Segmentation, Task, find
from spectralgpt.weights.contents import checked_classes
from spectralgpt.weights.described import DescribedModel
from spectralgpt.weights.pretrained import PretrainedModel

WithHead = TypeVar("WithHead", bound="Headed")
Headless = TypeVar("Headless", bound="HeadlessModel")


class HeadlessModel(PretrainedModel):
    """What models without a head share."""

    @classmethod
    def from_encoder(cls: type[Headless], model: PretrainedModel) -> Headless:
        """A copy of a model's encoder, with its bands, units, positions and read-out; the task's own layers are new."""
        new = cls(model.config, model.normalization, {**model.provenance, "encoder": model.fingerprint()})
        new.encoder, new.read_out = copy.deepcopy(model.encoder), copy.deepcopy(model.read_out)
        return new.train(model.training).to(model.encoder.embedding.bias)


class SpectralGPT(HeadlessModel, MaskedAutoencoder):
    """The masked autoencoder, which rebuilds what is hidden and gives features and embeddings."""

    task = find("pretraining")

    @of_cubes
    @torch.no_grad()
    def reconstruct(
        self, cube: Cube, hide: str | float | Hide | Bool[Tensor, "batch date group row column"] = 0.75, seed: int = 0
    ) -> Reconstruction:
        """Images rebuilt from what is left visible (MaskedAutoencoder.reconstruct).

        A cube that was scaled by its own extremes is first scaled by fixed statistics: extremes reveal what is hidden.
        """
        if cube.scaling.kind == "min_max":
            bands = cube.bands.bands
            fixed = torch.from_numpy(self.normalization.fixed("two_sigma", bands, [[band] for band in bands])).float()
            centre, scale = (each.to(cube.values.device).expand(cube.shape[:3]) for each in fixed)
            scaling = Scaling("two_sigma", centre, scale, self.normalization.eight_bit)
            cube = replace(cube, values=scaling.normalize(cube.scaling.reflectance(cube.values)), scaling=scaling)
        return super().reconstruct(cube, hide, seed)


class Headed(PretrainedModel):
    """What models with a head share."""

    def __init__(
        self,
        config: ModelConfig,
        head: HeadConfig,
        normalization: Normalization,
        provenance: dict[str, Any] | None = None,
        classes: Sequence[Class] = (),
    ):
        """Raises OptionError for a head that is not one of the task's, ValueError for classes that do not fit it."""
        self.task.head_type(head)
        # the constructor of the task's model, which is the other base class
        super(DescribedModel, self).__init__(config, head)  # type: ignore[call-arg]
        self._describe(head, normalization, provenance, checked_classes(tuple(classes), head))

    @classmethod
    def from_encoder(
        cls: type[WithHead], model: PretrainedModel, head: HeadConfig, classes: Sequence[Class] = ()
    ) -> WithHead:
        """A new head on a copy of a model's encoder, in training mode: bands, units and positions are the model's.

        classes: names and colours of the head's. A measured read-out is not copied, as training changes the features
        that it was measured on. Raises OptionError for a head that is not one of the task's.
        """
        # its own fingerprint last: the model may itself have been made from another model's encoder
        provenance = {**model.provenance, "encoder": model.fingerprint()}
        new = cls(model.config, head, model.normalization, provenance, classes)
        new.encoder = copy.deepcopy(model.encoder)
        new.start_head()
        # encoder and head in one mode, on one device, in one type
        return new.train().to(model.encoder.embedding.bias)


class Classifier(Headed, Classification):
    """A label, or several, for an image."""

    task = find("classification")


class Segmenter(Headed, Segmentation):
    """A class for each pixel."""

    task = find("segmentation")


class ChangeDetector(Headed, ChangeDetection):
    """What changed at each pixel between two times."""

    task = find("change")


@cache
def class_of(name: str) -> type[PretrainedModel]:
    """The class of a task's models: the public one, or a class made for a task that has none."""
    for public in (SpectralGPT, Classifier, Segmenter, ChangeDetector):
        if public.task.name == name:
            return public
    task: Task = find(name)
    base = Headed if task.heads else HeadlessModel
    made: type[PretrainedModel] = type(
        task.class_name, (base, task.model), {"task": task, "__doc__": f"{task.purpose}."}
    )
    return made


def new_weights(
    task: str,
    config: ModelConfig,
    head: HeadConfig | None,
    normalization: Normalization,
    provenance: dict[str, Any] | None = None,
) -> PretrainedModel:
    """A new model for a task, its weights drawn by PyTorch. OptionError for a head that is not one of the task's."""
    kind = class_of(task)
    if issubclass(kind, Headed):
        assert head is not None, f"{task} has heads"
        return kind(config, head, normalization, provenance)
    kind.task.head_type(head)
    return kind(config, normalization, provenance)


def on_encoder(model: PretrainedModel, task: str, head: HeadConfig | None) -> PretrainedModel:
    """A new model for a task on a copy of a model's encoder. OptionError for a head that is not one of the task's."""
    kind = class_of(task)
    if issubclass(kind, Headed):
        assert head is not None, f"{task} has heads"
        return kind.from_encoder(model, head)
    assert issubclass(kind, HeadlessModel), "a model has a head or none"
    kind.task.head_type(head)
    return kind.from_encoder(model)
