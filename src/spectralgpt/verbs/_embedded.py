"""What all results of `embed` share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddedImages(ABC):
    """What was written: Embedded, a map of one place, or EmbeddedTable, a row per image."""

    @abstractmethod
    def __str__(self) -> str:
        """It in words."""
