"""What all results of `inspect` share."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the sources are: InspectedWeights, InspectedShards or InspectedImage."""

    def lines(self) -> list[str]:
        """All of it in words."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(self.lines())
