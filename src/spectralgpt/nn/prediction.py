"""The answer of a model with classes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spectralgpt.nn.cube import Cube


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode, without gradients; the mode of each of its parts is restored at the end."""
    # not model.train(): a part may be frozen
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


@dataclass(frozen=True, slots=True)
class Prediction:
    """A model's answer for images, or for their pixels.

    logits: before softmax, or before the sigmoid where `several` labels may apply at once. present: where the model saw
    any valid pixel; None: everywhere. axes: none, or height and width. thresholds: from which probability on a class is
    answered: one per class where `several`, else one for the second of two classes; none: 1/2, and the likeliest class.
    """

    logits: Float[Tensor, "batch class *axes"]
    present: Bool[Tensor, "batch *axes"] | None
    several: bool = False
    thresholds: tuple[float, ...] = ()

    @property
    def probabilities(self) -> Float[Tensor, "batch class *axes"]:
        """Of each class; NaN where nothing was seen."""
        of_each = self.logits.sigmoid() if self.several else self.logits.softmax(dim=1)
        return of_each if self.present is None else torch.where(self.present[:, None], of_each, torch.nan)

    @property
    def classes(self) -> Int[Tensor, "batch *axes"] | Bool[Tensor, "batch class"]:
        """The most likely class, or the second of two from its threshold on; -1 where nothing was seen, and where the
        answer is not finite. With several labels: true for each that is likely, or that reaches its threshold."""
        # in double precision, as evaluation compares them
        of_each, least = self.probabilities, self.logits.new_tensor(self.thresholds, dtype=torch.float64)
        if self.several:
            return of_each.double() >= least if self.thresholds else of_each > 0.5
        if self.thresholds:
            most_likely = (of_each[:, 1].double() >= least).long()
        else:
            most_likely = self.logits.argmax(dim=1)
        # argmax calls NaN the largest: the first class that has it would be the answer
        return torch.where(of_each.isfinite().all(dim=1), most_likely, -1)


def cropped(logits: Float[Tensor, "batch class rows columns"], cube: Cube) -> Float[Tensor, "batch class height width"]:
    """The logits without those of the pixels that padded the image to whole patches."""
    return logits[..., : cube.shape[-2], : cube.shape[-1]]
