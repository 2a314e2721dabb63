"""Embedding: a vector for each place, or for an image; an encoder alone does it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from spectralgpt.bands import Alignment
from spectralgpt.nn import Backbone, Cube, ModelConfig, initialize
from spectralgpt.tasks.task import Class, Task

Stacked = Literal["all", "group", "date"]


class Embedding(Backbone):
    """The encoder, which gives features and embeddings."""

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        initialize(self)


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A map of embeddings, one pixel per place: means over present groups and dates, or those kept apart and stacked.

    names: of the values. reduce: the patch, pixels. per: all, or what is kept apart.
    """

    names: tuple[str, ...]
    reduce: int
    per: Stacked = "all"
    dtype: str = "float32"
    nodata: float = math.nan
    classes: tuple[Class, ...] = ()

    @classmethod
    def of(cls, model: Backbone, alignment: Alignment, dates: Sequence[str], per: Stacked = "all") -> "Embeddings":
        """What the map of a scene holds: `e0`, or with the first band of the group, or with the date."""
        values = range(model.embedding_values if per == "all" else model.config.size.dim)
        parts = {
            "all": [""],
            "group": [f"{group.bands[0].name}+ " for group in alignment.bandset.groups],
            "date": [f"{date or f'date {number}'} " for number, date in enumerate(dates, 1)],
        }
        return cls(tuple(f"{part}e{i}" for part in parts[per] for i in values), model.config.patch, per)

    def answer(
        self, model: Backbone, cube: Cube
    ) -> tuple[Float[Tensor, "batch channel row column"], Bool[Tensor, "batch channels row column"]]:
        """Vectors, and at which places there is anything: a channel for all of them, or one for each."""
        vectors = model.embed(cube, "place" if self.per == "all" else self.per)
        present = model.present(cube)
        if self.per == "all":
            return vectors.permute(0, 3, 1, 2).float(), present.any(dim=2).any(dim=1)[:, None]
        known = present.any(dim=1 if self.per == "group" else 2)
        values = vectors.permute(0, 1, 4, 2, 3).flatten(1, 2).float()
        return values, known.repeat_interleave(vectors.shape[-1], dim=1)

    def stored(
        self, values: Float[np.ndarray, "channel row column"], valid: Bool[np.ndarray, "channels row column"]
    ) -> NDArray[Any]:
        """float32, NaN where nothing is."""
        return np.where(valid, values, np.nan).astype(np.float32)


TASK = Task(
    name="embedding",
    model=Embedding,
    heads={},
    class_name="Embedder",
    purpose="gives features and embeddings; an encoder alone",
    pipeline="image-feature-extraction",
    example='embedding = model.embed(cube, "place")  # a vector for each patch',
    answers=Embeddings.of,
)
