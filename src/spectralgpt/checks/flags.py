"""A suspicion about an image, in the words that the user reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spectralgpt.errors import first_few

NAMED = 6
"""Most bands that a message names."""

FlagKind = Literal[
    "conflict",
    "units",
    "scale",
    "offset",
    "level",
    "order",
    "shift",
    "fill",
    "constant",
    "duplicate",
    "saturated",
    "absent",
]
"""units: values so far from reflectance that the image is refused; scale: values that are perhaps no reflectance."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A suspicion. bands: those that it concerns, empty for the whole image. text: found, expected, what to do."""

    kind: FlagKind
    bands: tuple[str, ...]
    text: str


def listed(names: Sequence[str]) -> str:
    """The first six names, and how many more there are."""
    return first_few(names, NAMED)
