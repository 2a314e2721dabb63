"""What all results of `inspect` share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

STATEMENTS_SHOWN = 12
"""Statements about the image that a result was made from that are shown; JSON has all."""


@dataclass(frozen=True, slots=True)
class Inspected(ABC):
    """What the sources are: InspectedImage, InspectedMap, InspectedTable, InspectedEach, InspectedWeights or
    InspectedShards."""

    @abstractmethod
    def lines(self) -> list[str]:
        """All of it in words."""

    def __str__(self) -> str:
        return "\n".join(self.lines())


def line_per_text(word: str, texts: Sequence[str], most: int) -> list[str]:
    """One line per text; of many, as for a long series of dates, only the first."""
    left = len(texts) - most
    more = [f"{word:<10} and {left} more like these"] if left > 0 else []
    return [*(f"{word:<10} {each}" for each in texts[:most]), *more]


def date_line(dates: Sequence[str]) -> str:
    """The line about dates, ISO or empty."""
    known = [date for date in dates if date]
    word = f"date{'s' if len(dates) > 1 else ' '}"
    if len(dates) < 2:
        return f"{word}      {''.join(known) or 'unknown'}"
    when = f"{known[0]} to {known[-1]}" if len(known) > 1 else "".join(known)
    unknown = "" if len(known) == len(dates) else f"{len(dates) - len(known)} of unknown days"
    return f"{word}      {len(dates)}, {', '.join(filter(None, (when, unknown if known else 'days unknown')))}"
