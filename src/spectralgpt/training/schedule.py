"""The length of a stage and its learning rates, as pure functions of the step."""

import math
from dataclasses import dataclass

from spectralgpt.errors import OptionError


@dataclass(frozen=True, slots=True)
class Schedule:
    """epochs or steps: the length, exactly one of them. lr: the peak of a cosine that follows `warmup`, a share of the
    length, and ends at `lr_end`. weight_decay, betas: of AdamW. clip: largest gradient norm, None for no limit.
    layer_decay: in fine-tuning, the rate of each layer relative to the one above it; None for one rate. head_factor:
    the rate of the head, which starts from nothing, in multiples of `lr`.

    Raises OptionError for values that do not make a schedule.
    """

    epochs: float | int | None = None
    steps: int | None = None
    lr: float | int = 3.2e-3
    lr_end: float | int = 0.0
    warmup: float | int = 0.1
    weight_decay: float | int = 0.05
    betas: tuple[float | int, float | int] = (0.9, 0.95)
    clip: float | int | None = None
    layer_decay: float | int | None = None
    head_factor: float | int = 1.0

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise OptionError(f"schedule: found epochs {self.epochs} and steps {self.steps}", "one of them")
        limits: tuple[tuple[str, object, bool, str], ...] = (
            ("epochs", self.epochs, self.epochs is None or self.epochs > 0, "more than 0"),
            ("steps", self.steps, self.steps is None or self.steps >= 1, "1 or more"),
            ("lr", self.lr, self.lr > 0, "more than 0"),
            ("lr_end", self.lr_end, 0 <= self.lr_end <= self.lr, "from 0 to lr"),
            ("warmup", self.warmup, 0 <= self.warmup < 1, "a share from 0 to below 1"),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0, "0 or more"),
            ("betas", self.betas, all(0 <= each < 1 for each in self.betas), "two decays from 0 to below 1"),
            ("clip", self.clip, self.clip is None or self.clip > 0, "more than 0, or none"),
            (
                "layer_decay",
                self.layer_decay,
                self.layer_decay is None or 0 < self.layer_decay <= 1,
                "above 0 and up to 1, or none",
            ),
            ("head_factor", self.head_factor, self.head_factor > 0, "more than 0"),
        )
        for name, value, fits, expected in limits:
            if not fits:
                raise OptionError(f"{name}: found {value}", expected)

    def length(self, steps_per_epoch: float | int) -> int:
        """Number of steps of the stage."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None, "a schedule has epochs or steps"
        return max(1, math.ceil(self.epochs * steps_per_epoch))

    def rate(self, step: int, length: int) -> float:
        """Learning rate of a step, which counts from 1 to `length`."""
        return cosine(step, steps=length, warmup=self.warmup * length, peak=self.lr, floor=self.lr_end)


def cosine(step: float | int, *, steps: float | int, warmup: float | int, peak: float, floor: float = 0.0) -> float:
    """Linear from 0 to `peak` over `warmup` steps, then half a cosine down to `floor` at `steps`, as in the paper.

    step, steps, warmup: steps or epochs, also fractions.
    """
    if step < warmup:
        return peak * step / warmup
    share = min(1.0, (step - warmup) / max(steps - warmup, 1e-12))
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * share))
