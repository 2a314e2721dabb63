"""Scores by name: each a reduction of a table of counts per image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64


@runtime_checkable
class ImageTable(Protocol):
    """A table with one row per image, of which every score is a reduction."""

    def __len__(self) -> int:
        """Number of images."""

    def take(self, images: Int64[np.ndarray, " drawn"]) -> "ImageTable":
        """The table of these images, in this order; an image may be drawn several times."""


@dataclass(frozen=True, slots=True)
class Score:
    """A score. name: as in `metrics.json`, like `macro_f1`. title: in words. of: the score of a table, in [0, 1], nan
    where it is not defined. lower_is_better: true for errors."""

    name: str
    title: str
    of: Callable[[Any], float]
    lower_is_better: bool = False


CLASS_SCORES: Sequence[Score] = ()
LABEL_SCORES: Sequence[Score] = ()
MASK_SCORES: Sequence[Score] = ()
CHANGE_SCORES: Sequence[Score] = ()
