"""How a run of a scene goes, whatever it makes."""

from collections.abc import Callable
from dataclasses import dataclass

ResumedRows = Callable[[int], None]
"""Receives the number of block rows that an interrupted run had finished."""


def untold(rows: int) -> None:
    """Keep nothing: the default."""


@dataclass(frozen=True, slots=True)
class Course:
    """restart: what an interrupted run finished is discarded; without, the run goes on from there."""

    restart: bool = False


USUAL = Course()
