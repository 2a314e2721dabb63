"""Fine-tuning with a class per pixel: what segmentation and change detection share."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from jaxtyping import Bool
from torch import Tensor, nn

from spectralgpt.errors import check_choice
from spectralgpt.metrics import ConfusionCounts
from spectralgpt.nn import (
    Cube,
    LossTerm,
    Mix,
    Mixing,
    Prediction,
    class_count,
    class_loss,
    dice_count,
    dice_loss,
)
from spectralgpt.tasks.fitting import FitTarget, Fitting, Labelled, MixedTarget
from spectralgpt.tasks.task import Prepared

MapHead = Literal["light", "dense"]

CHANNELS = 256
"""Of the layers of both heads, where none are given."""


@dataclass(frozen=True, slots=True)
class MaskFitting(Fitting):
    """Fit a class per pixel; pixels whose target is negative are ignored.

    head: `light`, or the paper's `dense` head. channels: of all its layers; 0: those of the paper, or 256 of the light
    one. dice_weight: of the dice loss beside cross-entropy, which helps where a class is rare. cutmix: parameter of the
    beta distribution of the share that is cut out of another image, 0 for none.
    """

    partly: ClassVar[bool] = True  # the final norm, and the scores of dates where there is one

    head: MapHead = "light"
    channels: int = 0
    dice_weight: float | int = 0.0
    cutmix: float | int = 0.0

    def __post_init__(self) -> None:
        super(MaskFitting, self).__post_init__()
        check_choice("head", self.head, ("light", "dense"))

    @property
    def chooses_by_score(self) -> bool:
        """Not of two classes, for which a threshold is chosen afterwards: as long as the rare one is nowhere likelier
        than not, its score is 0 in every state."""
        return self.classes != 2

    def widths(self) -> dict[str, Any]:
        """The sizes of the head, as its configuration names them."""
        channels = self.channels or CHANNELS
        if self.head == "light":
            return {"channels": channels, "fine": max(1, channels // 4)}
        # in the proportions of the paper's head
        return {
            "channels": channels,
            "widths": (2 * channels, 2 * channels, 4 * channels, 8 * channels),
            "levels": (channels, 2 * channels, 4 * channels),
        }

    @property
    def mixing(self) -> Mixing:
        return Mixing(cutmix=self.cutmix)

    def mixed(self, mix: Mix, target: FitTarget) -> MixedTarget:
        return mix.mask(target)

    def known(self, cube: Cube, target: FitTarget) -> Bool[Tensor, "batch row column"]:
        """Where a class is given, and the model sees something."""
        return target >= 0 if cube.valid is None else (target >= 0) & self.seen(cube.valid)

    @abstractmethod
    def seen(self, valid: Bool[Tensor, "batch date band height width"]) -> Bool[Tensor, "batch height width"]:
        """Which pixels the model answers."""

    def divisors(self, work: Labelled) -> dict[str, Tensor]:
        counts = {"class": class_count(work.target, work.known, self.weights_on(work.target.device))}
        if self.dice_weight:
            counts["dice"] = dice_count(work.target, work.known, self.classes)
        return counts

    def terms(self, logits: Tensor, work: Labelled) -> Mapping[str, LossTerm]:
        found = {
            "class": class_loss(
                logits,
                work.target,
                work.known,
                weights=self.weights_on(logits.device),
                smoothing=self.smoothing,
                focus=self.focus,
            )
        }
        if self.dice_weight:
            dice = dice_loss(logits, work.target, work.known)
            found["dice"] = LossTerm(dice.total * self.dice_weight, dice.count)
        return found

    def judged(self, model: nn.Module, prepared: Prepared) -> ConfusionCounts:
        """A row per image, of its pixels; those that the model did not see have no answer."""
        work: Labelled = prepared.work
        prediction: Prediction = model.predict(work.cube)  # type: ignore[operator]
        answers = zip(work.target.cpu().numpy(), prediction.classes.cpu().numpy(), strict=True)
        return ConfusionCounts.joined([ConfusionCounts.of_mask(*each, self.classes) for each in answers])
