"""Classification: a label, or several, for an image."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor, nn

from spectralgpt.metrics import CLASS_SCORES, LABEL_SCORES, ConfusionCounts, LabelTable
from spectralgpt.nn import (
    Backbone,
    Cube,
    Key,
    LossTerm,
    Mix,
    Mixing,
    ModelConfig,
    PooledConfig,
    PooledHead,
    Prediction,
    class_count,
    class_loss,
    evaluating,
    initialize,
    label_count,
    label_loss,
    of_cubes,
    positive_weights,
)
from spectralgpt.tasks.fitting import FitTarget, Fitting, Labelled, MixedTarget
from spectralgpt.tasks.task import Prepared, TargetKind, Task


class Classification(Backbone):
    """The backbone with a pooled head: one label per image, or several."""

    def __init__(self, config: ModelConfig, head: PooledConfig):
        super().__init__(config)
        self.head = PooledHead(head, config.size.dim)
        initialize(self.encoder)

    def forward(self, cube: Cube, key: Key | None = None) -> Float[Tensor, "batch class"]:
        """Logits. key: one per sample, for dropout and drop path in training."""
        features, present = self._tokens_of_head(cube, key)
        return self.head(features, present, self.encoder.norm, key)  # type: ignore[no-any-return]

    def start_head(self) -> None:
        """Draw the last layer near zero (deviation 2e-5), as in the paper's fine-tuning."""
        nn.init.normal_(self.head.out.weight, std=2e-5)

    @of_cubes
    def predict(self, cube: Cube) -> Prediction:
        """Classes of the images; nothing is dropped out, even in training mode."""
        seen = None if cube.valid is None else cube.valid.flatten(1).any(dim=1)
        with evaluating(self):
            features, present = self._tokens_of_head(cube, None)
            # image by image: with few rows, the rounding of a matrix product depends on their number
            rows = range(len(features))
            parts = ((features[row : row + 1], None if present is None else present[row : row + 1]) for row in rows)
            logits = torch.cat([self.head(one, there, self.encoder.norm) for one, there in parts])
        return Prediction(logits, seen, self.head.config.several, self.thresholds)

    def _tokens_of_head(
        self, cube: Cube, key: Key | None
    ) -> tuple[Float[Tensor, "batch token dim"], Bool[Tensor, "batch token"] | None]:
        """The last block's features, and which tokens are present (None: all)."""
        ((features,), present) = self._encoded(cube, (self.config.size.depth,), normed=False, key=key)
        return features.flatten(1, 4), None if present is None else present.flatten(1)


@dataclass(frozen=True, slots=True)
class Classifying(Fitting):
    """Fit a classifier to images with one class each, or with `several` (any number).

    hidden, dropout: of the head. mixup, cutmix: parameters of the beta distributions of their shares, 0 for none; where
    both are set, each takes half of the steps.
    """

    task: ClassVar[str] = "classification"
    several: bool = False
    hidden: int = 0
    dropout: float | int = 0.0
    mixup: float | int = 0.0
    cutmix: float | int = 0.0

    @property
    def labels(self) -> TargetKind:
        return "classes" if self.several else "class"

    def head_config(self) -> PooledConfig:
        """The head, of one class as long as the classes are not known."""
        return PooledConfig(self.classes or 1, self.hidden, float(self.dropout), several=self.several)

    def balanced(self, counts: Int64[np.ndarray, " class"], total: int) -> Float64[np.ndarray, " class"]:
        """Weights of the classes, or of the images that have a class."""
        if self.several:
            return positive_weights(counts, np.full_like(counts, total), self.balance)
        return super(Classifying, self).balanced(counts, total)

    @property
    def mixing(self) -> Mixing:
        return Mixing(self.mixup, self.cutmix)

    def mixed(self, mix: Mix, target: FitTarget) -> MixedTarget:
        """Shares of the classes."""
        return mix.shares((target if self.several else F.one_hot(target, self.classes)).float())

    def divisors(self, work: Labelled) -> dict[str, Tensor]:
        if self.several:
            return {"labels": label_count(work.target.float())}
        return {"class": class_count(work.target, weights=self.weights_on(work.target.device))}

    def terms(self, logits: Tensor, work: Labelled) -> Mapping[str, LossTerm]:
        weights = self.weights_on(logits.device)
        if self.several:
            target = work.target.float()
            return {"labels": label_loss(logits, target, positive=weights, smoothing=self.smoothing, focus=self.focus)}
        return {"class": class_loss(logits, work.target, weights=weights, smoothing=self.smoothing, focus=self.focus)}

    def judged(self, model: nn.Module, prepared: Prepared) -> ConfusionCounts | LabelTable:
        """A row per image; one without a valid pixel has no answer."""
        assert isinstance(model, Classification)
        work: Labelled = prepared.work
        prediction = model.predict(work.cube)
        likely = prediction.probabilities.float().nan_to_num(0.0).cpu().numpy()
        target = work.target.cpu().numpy()
        if self.several:
            return LabelTable(target, likely > 0.5, likely)
        return ConfusionCounts.of_classes(target, prediction.classes.cpu().numpy(), self.classes, likely)


TASK = Task(
    name="classification",
    model=Classification,
    heads={"pooled": PooledConfig},
    class_name="Classifier",
    purpose="a label, or several, for an image",
    pipeline="image-classification",
    example="classes = model.predict(cube).classes  # of the image",
    targets={"class": CLASS_SCORES, "classes": LABEL_SCORES},
    objective=Classifying,
)
