"""Progress of long work: a function of (stage, done, total) that rooms call and the command line shows."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""stage: a few words; done and total: counts of the same thing, total 0 when unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """Show nothing: the default of every function that reports progress."""
