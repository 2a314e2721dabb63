"""How long a run will take, measured before it in a folder that is then removed; the run itself is not touched."""

import statistics
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.errors import counted

if TYPE_CHECKING:
    from spectralgpt.training import Recipe

MEASURED_STEPS = 4
"""Steps that are measured, after a first one that warms up."""
FORWARD_SHARE = 1 / 3
"""Time of an image that is judged, relative to one that is trained on."""


@dataclass(frozen=True, slots=True)
class TimeEstimate:
    """steps: of the whole run, each of `step` seconds; judgements: of held-back images, each of `judgement` seconds."""

    steps: int
    step: float
    judgements: int
    judgement: float

    @property
    def seconds(self) -> float:
        return self.steps * self.step + self.judgements * self.judgement

    def text(self, runs: int = 1) -> str:
        """In words. runs: number of runs like this one."""
        several = f"{runs} runs, each of " if runs > 1 else ""
        judged = f" and {counted(self.judgements, 'judgement')} of the part val" if self.judgements else ""
        return (
            f"Estimated time: {in_words(runs * self.seconds)} ({several}{counted(self.steps, 'step')} of "
            f"{self.step:.2g} s{judged}), not counting the report"
        )


class _MeasuredError(Exception):
    """Ends the measured run."""


def estimated_time(recipe: "Recipe", shards: Path, device: str) -> TimeEstimate | None:
    """The time of a run on these shards, from a few steps of one micro-batch; None where too few steps were made.

    An interrupt raises KeyboardInterrupt: the measured run takes it for its own, and the real one would go on.
    """
    from spectralgpt.interruption import Interruption
    from spectralgpt.training import run_training

    machine = replace(recipe.machine, log_every=1, save_every=10**9, picture_every=10**9, tensorboard=False, wandb=None)
    short = tuple(
        stage.but(steps=2 * MEASURED_STEPS, epochs=None, batch=min(stage.data.batch, machine.micro))
        for stage in recipe.stages
    )
    times: list[float] = []

    def measured(what: str, done: int, total: int) -> None:
        if not what.startswith("stage "):
            return  # another part of the run, like the hashes of its images
        times.append(time.perf_counter())
        if len(times) > MEASURED_STEPS:
            raise _MeasuredError

    with Interruption() as interruption, suppress(_MeasuredError), tempfile.TemporaryDirectory() as folder:
        run = replace(recipe, stages=short, machine=machine)
        run_training(run, shards, Path(folder) / "run", device=device, measured=True, progress=measured)
    if interruption.asked:
        raise KeyboardInterrupt
    if len(times) < 2:
        return None
    step = statistics.median(after - before for before, after in pairwise(times))
    return _scaled(recipe, shards, step / short[0].data.batch)


def _scaled(recipe: "Recipe", shards: Path, image: float) -> TimeEstimate:
    """The estimate for a run where an image takes so many seconds in training."""
    from spectralgpt.data import Order, open_shards, split

    opened = open_shards(shards)
    train, val = (
        [len(split.rows(opened, layout, 0.0, held_back=held)) for layout in range(len(opened.layouts))]
        for held in (False, True)
    )
    steps, judgements, seconds = 0, 0, 0.0
    for stage in recipe.stages:
        epoch = Order([train], None, stage.data.batch, 0).steps_per_epoch
        length = stage.schedule.length(epoch)
        # batches of images of rare sizes are smaller than the recipe's
        steps, seconds = steps + length, seconds + length / epoch * sum(train) * image
        every = stage.task.steps_between_judgements(epoch)
        judgements += -(-length // every) if any(val) else 0
    return TimeEstimate(steps, seconds / steps, judgements, sum(val) * image * FORWARD_SHARE)


def in_words(seconds: float) -> str:
    """A length of time to about a tenth."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.2g} {unit}"
    return f"about {max(1, round(seconds))} s"
