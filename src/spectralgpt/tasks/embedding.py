"""Embedding: a vector for each place, or for an image, from the encoder alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor

from spectralgpt.bands import BandSet
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
    """A map of embeddings, one pixel per place: means over present groups and dates, or one vector per group or date.

    reduce: the model's patch, pixels. values: number per vector. per: all, or what each vector is of, stacked as bands.
    unit: vectors get unit length, as those of a measured read-out do, once windows are blended.
    """

    reduce: int
    values: int
    per: Stacked = "all"
    unit: bool = False

    @classmethod
    def of(cls, model: Backbone, per: Stacked = "all") -> "Embeddings":
        """The map that a model makes."""
        if per != "all":
            return cls(model.config.patch, model.config.size.dim, per)
        return cls(model.config.patch, model.embedding_values, per, unit=model.read_out is not None)

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def nodata(self) -> float:
        return math.nan

    @property
    def classes(self) -> tuple[Class, ...]:
        return ()

    def names(self, bands: BandSet, dates: Sequence[str]) -> tuple[str, ...]:
        """`e0`, or with the first band of the group, or with the date."""
        parts = {
            "all": [""],
            "group": [f"{group.bands[0].name}+ " for group in bands.groups],
            "date": [f"{date or f'date {number}'} " for number, date in enumerate(dates, 1)],
        }
        return tuple(f"{part}e{i}" for part in parts[self.per] for i in range(self.values))

    def answer(
        self, model: Backbone, cube: Cube
    ) -> tuple[Float[Tensor, "batch channel row column"], Bool[Tensor, "batch #channel row column"]]:
        """Vectors, and which places have one: for all values together, or for each value."""
        vectors = model.embed(cube, "place" if self.per == "all" else self.per)
        present = model.present(cube)
        if self.per == "all":
            return vectors.permute(0, 3, 1, 2), present.any(dim=(1, 2))[:, None]
        known = present.any(dim=1 if self.per == "group" else 2)
        return vectors.permute(0, 1, 4, 2, 3).flatten(1, 2), known.repeat_interleave(self.values, dim=1)

    def stored(
        self, values: Float64[np.ndarray, "channel row column"], valid: Bool[np.ndarray, "channel row column"]
    ) -> Float32[np.ndarray, "channel row column"]:
        """The vectors, NaN where not valid."""
        if self.unit:
            length = np.sqrt(np.square(values).sum(axis=0))
            values = values / np.where(length > 0, length, 1.0)
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
