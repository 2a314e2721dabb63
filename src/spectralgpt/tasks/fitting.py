"""Fine-tuning: what the objectives of all models with a head share."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64, Shaped
from torch import Tensor, nn

from spectralgpt.errors import OptionError
from spectralgpt.nn import (
    Backbone,
    Cube,
    Erasing,
    Key,
    LossTerm,
    Mix,
    Mixing,
    ModelConfig,
    class_weights,
    encoder_flops,
)
from spectralgpt.tasks.task import Batch, Objective, Prepared

FitTarget = Shaped[Tensor, "batch *axes"]
MixedTarget = Shaped[Tensor, "batch *mixed"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A batch with its targets. known: where there is a target, None for everywhere."""

    cube: Cube
    target: FitTarget
    known: Bool[Tensor, "batch *axes"] | None
    key: Key


@dataclass(frozen=True, slots=True)
class Fitting(Objective):
    """Fit a head, and the encoder below it, to labels.

    classes: their number; 0: as many as the labels have. balance: power of the inverse frequency by which classes are
    weighted, 0 for equal weights, 1 so that all weigh the same together; weights: of the classes, computed from it when
    the labels are known. smoothing: of the targets. focus: of the focal loss, 0 for plain cross-entropy. erasing: share
    of the images in which a rectangle is made invalid. drop_path: largest rate, of the last block. freeze: leave the
    encoder as it is; only the head is trained. judge_every: epochs between two judgements of held-back samples, by
    which the best state is chosen.

    Raises OptionError for values out of range.
    """

    chooses: ClassVar[bool] = True

    classes: int = 0
    balance: float | int = 0.0
    weights: tuple[float | int, ...] = ()
    smoothing: float | int = 0.0
    focus: float | int = 0.0
    erasing: float | int = 0.0
    drop_path: float | int = 0.0
    freeze: bool = False
    judge_every: float | int = 1.0

    def __post_init__(self) -> None:
        limits: tuple[tuple[str, bool, str], ...] = (
            ("classes", self.classes >= 0, "0 or more"),
            ("balance", self.balance >= 0, "0 or more"),
            ("weights", not self.weights or len(self.weights) == self.classes, "one per class, or none"),
            ("smoothing", 0 <= self.smoothing < 1, "from 0 to below 1"),
            ("focus", self.focus >= 0, "0 or more"),
            ("erasing", 0 <= self.erasing <= 1, "a share from 0 to 1"),
            ("drop_path", 0 <= self.drop_path < 1, "a rate from 0 to below 1"),
            ("judge_every", self.judge_every > 0, "a number of epochs above 0"),
        )
        for name, fits, expected in limits:
            if not fits:
                raise OptionError(f"{name}: found {getattr(self, name)}", expected)

    # -- what each task says -----------------------------------------------------------------------------------------

    def known(self, cube: Cube, target: FitTarget) -> Bool[Tensor, "batch *axes"] | None:
        """Where there is a target that the model can answer; None: everywhere."""
        return None

    @property
    def mixing(self) -> Mixing:
        """How batches are mixed; not at all, unless a task says otherwise."""
        return Mixing()

    @property
    def pairs(self) -> bool:
        return bool(self.mixing.mixup or self.mixing.cutmix)

    def mixed(self, mix: Mix, target: FitTarget) -> MixedTarget:
        """The targets of a mixed batch."""
        return target

    @abstractmethod
    def terms(self, logits: Tensor, work: Labelled) -> Mapping[str, LossTerm]:
        """The losses, by name."""

    @abstractmethod
    def divisors(self, work: Labelled) -> dict[str, Tensor]:
        """The counts of the losses, by name."""

    def model_config(self, config: ModelConfig) -> ModelConfig:
        """Without what only pretraining needs."""
        return replace(config, descriptors=False, conditional_mean=False, gaussians=1)

    # -- what the loop asks ------------------------------------------------------------------------------------------

    def steps_between_judgements(self, steps_per_epoch: int) -> int:
        """As `judge_every` says, at least one."""
        return max(1, round(self.judge_every * steps_per_epoch))

    def of_labels(self, counts: Int64[np.ndarray, " class"], total: int) -> "Fitting":
        """With the classes of the labels, and their weights. OptionError where another number of classes was set."""
        if self.classes not in (0, len(counts)):
            raise OptionError(f"classes: found {self.classes}", f"the {len(counts)} of the labels, or 0 for these")
        made = replace(self, classes=len(counts))
        if self.balance == 0 or self.weights:
            return made
        return replace(made, weights=tuple(made.balanced(counts, total).tolist()))

    def balanced(self, counts: Int64[np.ndarray, " class"], total: int) -> Float64[np.ndarray, " class"]:
        """Weights of the classes by their frequency, as for `of_labels`."""
        return class_weights(counts, self.balance)

    def weights_on(self, device: torch.device) -> Float[Tensor, " class"] | None:
        """The weights of the classes; None where they are equal."""
        return torch.tensor(self.weights, dtype=torch.float32, device=device) if self.weights else None

    def ready(self, model: nn.Module) -> None:
        """Set drop path, and whether the encoder is trained; a frozen one is also in evaluation mode, so that its
        features are always the same."""
        assert isinstance(model, Backbone)
        model.set_drop_path(0.0 if self.freeze else float(self.drop_path))
        # also to true: an earlier stage may have frozen it
        model.encoder.requires_grad_(not self.freeze)
        if self.freeze:
            model.encoder.eval()

    @torch.no_grad()
    def prepare(self, model: nn.Module, batch: Batch) -> Prepared:
        """The targets, and the number of those that count."""
        assert isinstance(model, Backbone)
        assert batch.target is not None, "samples to fit to have labels"
        cube, target = self.varied(batch) if model.training else (batch.cube, batch.target)
        work = Labelled(cube, target, self.known(cube, target), batch.key)
        grid = model.grid_of(cube)
        tokens = grid.dates * grid.groups * grid.places
        return Prepared(
            counts=self.divisors(work),
            work=work,
            samples=cube.shape[0],
            tokens=cube.shape[0] * tokens,
            flops=(1 if self.freeze else 3) * cube.shape[0] * encoder_flops(model.config, tokens),
        )

    def varied(self, batch: Batch) -> tuple[Cube, MixedTarget]:
        """A batch as it is trained on: with parts erased, and images mixed."""
        assert batch.target is not None, "samples to fit to have labels"
        cube, target = batch.cube, batch.target
        if self.erasing:
            cube = Erasing(self.erasing).cube(cube, batch.key)
        height, width = cube.shape[-2:]
        mix = self.mixing.drawn(batch.draw, height, width)
        return (cube, target) if mix is None else (mix.cube(cube), self.mixed(mix, target))

    def totals(self, model: nn.Module, prepared: Prepared) -> Mapping[str, Tensor]:
        """Sums of the losses."""
        work: Labelled = prepared.work
        logits = model(work.cube, key=work.key)
        return {name: term.total for name, term in self.terms(logits, work).items()}

    def validating(self) -> "Fitting":
        """Without what makes training harder."""
        return replace(self, smoothing=0.0, erasing=0.0)
