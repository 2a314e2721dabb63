"""What a model with classes says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spectralgpt.nn.cube import Cube


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, without gradients; in its own mode again behind."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says, of an image or of its pixels.

    logits: before softmax, or before the sigmoid where several labels may hold at once. present: where there was
    anything to see; None: everywhere. axes: none, or height and width.
    """

    logits: Float[Tensor, "batch class *axes"]
    present: Bool[Tensor, "batch *axes"] | None
    several: bool = False

    @property
    def probabilities(self) -> Float[Tensor, "batch class *axes"]:
        """Of each class; NaN where nothing was seen."""
        of_each = self.logits.sigmoid() if self.several else self.logits.softmax(dim=1)
        return of_each if self.present is None else torch.where(self.present[:, None], of_each, torch.nan)

    @property
    def classes(self) -> Int[Tensor, "batch *axes"] | Bool[Tensor, "batch class"]:
        """The likeliest class, -1 where nothing was seen; with several labels: true for each likelier than not."""
        if self.several:
            return self.probabilities > 0.5
        likeliest = self.logits.argmax(dim=1)
        return likeliest if self.present is None else torch.where(self.present, likeliest, -1)


def cropped(logits: Float[Tensor, "batch class rows columns"], cube: Cube) -> Float[Tensor, "batch class height width"]:
    """Without the pixels by which the image was padded to whole patches."""
    return logits[..., : cube.shape[-2], : cube.shape[-1]]
