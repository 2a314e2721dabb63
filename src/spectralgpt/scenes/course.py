"""How a run of a scene goes, whatever it makes: from where, for how long, and what is said of it."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from spectralgpt.errors import OptionError, UnfinishedError, argument, counted
from spectralgpt.free_space import in_bytes
from spectralgpt.progress import Announce, unheard
from spectralgpt.scenes.plan import Plan

ResumedRows = Callable[[int], None]
"""Receives the number of block rows that an interrupted run had finished."""

SECONDS_PER_HOUR = 3600


def rows_unheard(rows: int) -> None:
    """Keep nothing: the default."""


@dataclass(frozen=True, slots=True)
class Course:
    """restart: what an interrupted run finished is discarded; without, the run goes on from there.

    max_hours: after it the run ends when the model has answered for a group of windows, with UnfinishedError, which the
    command line shows as a message with exit code 2: there is no TARGET, so what a script does with it must not follow.
    Finished block rows stay, and the same command goes on from them; what a cluster stops by force goes on in the same
    way. started: seconds of time.monotonic, from when it counts. announce: called with an estimate of time, memory and
    size once a group of windows was measured. until: the end of all that is made of the scene, also of its picture:
    finished block rows are kept until then, so that a run that is killed there goes on from them, too. None: the end of
    the scene's own files.
    """

    restart: bool = False
    max_hours: float | int | None = None
    announce: Announce = unheard
    started: float = field(default_factory=lambda: time.monotonic())
    until: ExitStack | None = None

    def __post_init__(self) -> None:
        # NaN is not positive either
        if self.max_hours is not None and not self.max_hours > 0:
            raise OptionError(argument("max_hours", self.max_hours), "more than 0 hours")

    @property
    def is_over(self) -> bool:
        hours = (time.monotonic() - self.started) / SECONDS_PER_HOUR
        return self.max_hours is not None and hours >= self.max_hours

    @property
    def hours_left(self) -> float:
        """Until the limit, more than 0 also after it: a limit of its own for a part of the work."""
        assert self.max_hours is not None, "without a limit, there is no end"
        return max(self.max_hours - (time.monotonic() - self.started) / SECONDS_PER_HOUR, 1e-9)

    def go_on(self, target: object, done: int, total: int) -> None:
        """Say what an interrupted run had finished. done, total: block rows."""
        if done:
            self.announce(f"{target}: going on after {done} of {total} block rows, which an interrupted run finished")

    def unfinished(self, target: object, before: int, done: int, total: int) -> UnfinishedError:
        """The error of a run that its limit ends. before, done: block rows that were and are finished."""
        limit = f"{target}: {argument('max_hours', self.max_hours)}"
        if not done:
            return UnfinishedError(
                f"{limit} ended before the first of {total} block rows", do="Nothing is kept: give more hours"
            )
        return UnfinishedError(
            f"{limit} ended with {done} of {total} block rows finished",
            do="They are kept: the same command goes on from there"
            if done > before
            else "No more than before: the same command gets no further, give more hours",
        )


USUAL_COURSE = Course()


@dataclass(frozen=True, slots=True)
class SceneEstimate:
    """What the rest of a run takes. windows: that are left. stored: bytes of all block rows."""

    plan: Plan
    windows: int
    seconds: float
    stored: int

    @property
    def text(self) -> str:
        """In one line."""
        memory = peak_memory()
        held = "" if memory is None else f", about {in_bytes(memory)} of memory"
        plan = self.plan
        return (
            f"Estimated: {in_time(self.seconds)} for the {self.windows} still to do of "
            f"{counted(plan.count, 'window')} of {plan.side_rows} x {plan.side_columns} pixels, in groups of "
            f"{plan.batch}{held}, at most {in_bytes(self.stored)} for the "
            f"result, and twice that beside it while it is made"
        )


def peak_memory() -> int | None:
    """The most memory that this process has held, bytes; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def in_time(seconds: float | int) -> str:
    """A length of time to about a tenth, like about 1.5 hours."""
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.2g} {unit}"
    return f"about {max(1, round(seconds))} s"
