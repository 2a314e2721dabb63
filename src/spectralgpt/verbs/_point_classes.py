"""What the demo says of its class map; apart from it, so that help needs no NumPy."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PointClasses:
    """A class map. points: number of labelled points. right: how many of them a probe of all others gets right."""

    points: int
    right: int
