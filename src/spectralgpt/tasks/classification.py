"""Classification: a label, or several, for an image."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spectralgpt.metrics import CLASS_SCORES, LABEL_SCORES
from spectralgpt.nn import (
    Backbone,
    Cube,
    Key,
    ModelConfig,
    PooledConfig,
    PooledHead,
    Prediction,
    evaluating,
    initialize,
    of_cubes,
)
from spectralgpt.tasks.task import Task


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
        return Prediction(logits, seen, self.head.config.several)

    def _tokens_of_head(
        self, cube: Cube, key: Key | None
    ) -> tuple[Float[Tensor, "batch token dim"], Bool[Tensor, "batch token"] | None]:
        """The last block's features, and which tokens are present (None: all)."""
        ((features,), present) = self._encoded(cube, (self.config.size.depth,), normed=False, key=key)
        return features.flatten(1, 4), None if present is None else present.flatten(1)


TASK = Task(
    name="classification",
    model=Classification,
    heads={"pooled": PooledConfig},
    class_name="Classifier",
    purpose="a label, or several, for an image",
    pipeline="image-classification",
    example="classes = model.predict(cube).classes  # of the image",
    targets={"class": CLASS_SCORES, "classes": LABEL_SCORES},
)
