"""Progress of long work, and what is said during it: functions that rooms call and the command line shows."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""stage: a few words; done and total: counts of the same thing, total 0 when unknown."""


Announce = Callable[[str], None]
"""Receives what is worth reading while work goes on, like what the labels are before anything is computed of them."""


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing: the default of every function that reports progress."""


def unheard(text: str) -> None:
    """Say nothing: the default of every function that announces something."""
