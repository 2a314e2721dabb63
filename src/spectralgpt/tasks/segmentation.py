"""Segmentation: a class for each pixel."""

from jaxtyping import Float
from torch import Tensor

from spectralgpt.metrics import MASK_SCORES
from spectralgpt.nn import (
    Backbone,
    Cube,
    DenseConfig,
    Key,
    MapHeadConfig,
    Merge,
    ModelConfig,
    Prediction,
    cropped,
    evaluating,
    initialize,
)
from spectralgpt.tasks.task import Task


class Segmentation(Backbone):
    """The backbone with a head on maps: a class for each pixel. Several dates become one map."""

    def __init__(self, config: ModelConfig, head: MapHeadConfig):
        super().__init__(config)
        self.blocks = head.blocks(config.size.depth)
        self.merge = Merge(tuple(group.wavelength for group in config.bands.groups), config.size.dim)
        self.head = head.make(config.size.dim, config.patch)
        initialize(self.encoder)

    def forward(self, cube: Cube, key: Key | None = None) -> Float[Tensor, "batch class height width"]:
        """Logits of every pixel; arbitrary, but finite, where there is no token. key: one per sample, for dropout and
        drop path in training."""
        features, present = self._encoded(cube, self.blocks, normed=False, key=key)
        maps = [self.merge(each, present, cube.bands) for each in features]
        return cropped(self.head(maps, key), cube)

    def predict(self, cube: Cube) -> Prediction:
        """Classes of the pixels; nothing where no band of any date is valid. Nothing is dropped out, even in training
        mode."""
        with evaluating(self):
            return Prediction(self(cube), None if cube.valid is None else cube.valid.flatten(1, 2).any(dim=1))


TASK = Task(
    name="segmentation",
    model=Segmentation,
    heads={"dense": DenseConfig},
    class_name="Segmenter",
    purpose="a class for each pixel",
    pipeline="image-segmentation",
    example="classes = model.predict(cube).classes  # one per pixel",
    targets={"mask": MASK_SCORES},
)
