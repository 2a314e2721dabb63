"""Segmentation: a class for each pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Shaped
from torch import Tensor

from spectralgpt.bands import BandSet
from spectralgpt.metrics import MASK_SCORES
from spectralgpt.nn import (
    Backbone,
    Cube,
    DenseConfig,
    Key,
    LightConfig,
    MapHeadConfig,
    Merge,
    ModelConfig,
    Prediction,
    cropped,
    evaluating,
    initialize,
    of_cubes,
)
from spectralgpt.tasks.mask_fitting import MaskFitting
from spectralgpt.tasks.task import Class, TargetKind, Task


class Segmentation(Backbone):
    """The backbone with a head on maps: a class for each pixel. Several dates become one map."""

    def __init__(self, config: ModelConfig, head: MapHeadConfig):
        super().__init__(config)
        self.blocks = head.blocks(config.size.depth)
        self.merge = Merge(tuple(group.wavelength for group in config.bands.groups), config.size.dim, head.normed)
        self.head = head.make(config.size.dim, config.patch, config.size.depth)
        initialize(self.encoder)

    def forward(self, cube: Cube, key: Key | None = None) -> Float[Tensor, "batch class height width"]:
        """Logits of every pixel; arbitrary, but finite, where there is no token. key: one per sample, for dropout and
        drop path in training."""
        features, present = self._encoded(cube, self.blocks, normed=False, key=key)
        maps = [self.merge(each, present, cube.bands) for each in features]
        return cropped(self.head(maps, key), cube)

    @of_cubes
    def predict(self, cube: Cube) -> Prediction:
        """Classes of the pixels; nothing where no band of any date is valid. Nothing is dropped out, even in training
        mode."""
        with evaluating(self):
            present = None if cube.valid is None else cube.valid.flatten(1, 2).any(dim=1)
            return Prediction(self(cube), present, thresholds=self.thresholds)


@dataclass(frozen=True, slots=True)
class ClassMap:
    """A map of classes, of a model with a head on pixels: the most likely class of each pixel (ties: the first).

    What is blended where windows overlap are logits. classes: names and colours, `class 0`, ... where unknown.
    thresholds: of the model, as in Prediction.
    """

    classes: tuple[Class, ...]
    thresholds: tuple[float, ...] = ()

    @classmethod
    def of(cls, model: Any) -> "ClassMap":
        """The map that a model with a head makes."""
        classes = model.classes or tuple(Class(f"class {index}") for index in range(model.head_config.classes))
        return cls(classes, model.thresholds)

    @property
    def reduce(self) -> int:
        return 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8; uint16 for more classes than it holds beside nodata."""
        return np.dtype(np.uint8 if len(self.classes) <= np.iinfo(np.uint8).max else np.uint16)

    @property
    def nodata(self) -> int:
        return int(np.iinfo(self.dtype).max)

    def names(self, bands: BandSet, dates: Sequence[str]) -> tuple[str, ...]:
        return ("class",)

    def answer(
        self, model: Any, cube: Cube
    ) -> tuple[Float[Tensor, "batch class row column"], Bool[Tensor, "batch 1 row column"]]:
        """Logits, and which pixels the model saw."""
        prediction: Prediction = model.predict(cube)
        present = prediction.present
        if present is None:
            present = torch.ones_like(prediction.logits[:, 0], dtype=torch.bool)
        # a window on the padded grid has whole patches, so no pixel was cropped
        return prediction.logits, present[:, None]

    def stored(
        self, values: Float64[np.ndarray, "class row column"], valid: Bool[np.ndarray, "class row column"]
    ) -> Shaped[np.ndarray, "1 row column"]:
        """The most likely class, or the second of two from its threshold on; nodata where not valid."""
        if self.thresholds:
            found = 1 / (1 + np.exp(values[0] - values[1])) >= self.thresholds[0]
        else:
            found = values.argmax(axis=0)
        return np.where(valid[:1], found[None], self.nodata).astype(self.dtype)


@dataclass(frozen=True, slots=True)
class Segmenting(MaskFitting):
    """Fit a class per pixel of an image."""

    task: ClassVar[str] = "segmentation"

    @property
    def labels(self) -> TargetKind:
        return "mask"

    def head_config(self) -> DenseConfig | LightConfig:
        """The head, of one class as long as the classes are not known."""
        kind = LightConfig if self.head == "light" else DenseConfig
        return kind(self.classes or 1, **self.widths())

    def seen(self, valid: Bool[Tensor, "batch date band height width"]) -> Bool[Tensor, "batch height width"]:
        """Those with any valid value."""
        return valid.flatten(1, 2).any(dim=1)


TASK = Task(
    name="segmentation",
    model=Segmentation,
    heads={"dense": DenseConfig, "light": LightConfig},
    class_name="Segmenter",
    purpose="a class for each pixel",
    pipeline="image-segmentation",
    example="classes = model.predict(cube).classes  # one per pixel",
    answers=ClassMap.of,
    targets={"mask": MASK_SCORES},
    objective=Segmenting,
)
