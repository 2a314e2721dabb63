"""Classification: a label, or several, for an image."""

from jaxtyping import Float
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
        ((features,), present) = self._encoded(cube, (self.config.size.depth,), normed=False, key=key)
        seen = None if present is None else present.flatten(1)
        return self.head(features.flatten(1, 4), seen, self.encoder.norm, key)  # type: ignore[no-any-return]

    def start_head(self) -> None:
        """Draw the last layer near zero (deviation 2e-5), as in the paper's fine-tuning."""
        nn.init.normal_(self.head.out.weight, std=2e-5)

    def predict(self, cube: Cube) -> Prediction:
        """Classes of the images; nothing is dropped out, even in training mode."""
        present = None if cube.valid is None else cube.valid.flatten(1).any(dim=1)
        with evaluating(self):
            return Prediction(self(cube), present, self.head.config.several)


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
