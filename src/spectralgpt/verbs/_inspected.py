"""What all results of `inspect` share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inspected(ABC):
    """What the sources are: InspectedImage, InspectedMap, InspectedWeights or InspectedShards."""

    @abstractmethod
    def lines(self) -> list[str]:
        """All of it in words."""

    def __str__(self) -> str:
        return "\n".join(self.lines())
