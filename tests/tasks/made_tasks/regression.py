"""A made-up task: regression of one number per place, the mean of its values over bands and dates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor, nn

from spectralgpt.bands import BandSet
from spectralgpt.nn import Backbone, Cube, Dropout, Key, ModelConfig, initialize
from spectralgpt.tasks.task import Batch, Class, Objective, Prepared, Task


@dataclass(frozen=True, slots=True)
class LinearConfig:
    """A linear layer on each place's features. bias: with one. dropout: before it, in training."""

    bias: bool = True
    dropout: float = 0.2

    def words(self, depth: int) -> str:
        return f"linear, on the places' features after block {depth}"


class Regression(Backbone):
    """The encoder with a linear layer on places."""

    def __init__(self, config: ModelConfig, head: LinearConfig):
        super().__init__(config)
        self.dropout = Dropout(head.dropout)
        self.head = nn.Linear(config.size.dim, 1, bias=head.bias)
        initialize(self.encoder)

    def forward(self, cube: Cube, key: Key | None = None) -> Float[Tensor, "batch row column"]:
        ((features,), _) = self._encoded(cube, (self.config.size.depth,), key=key)
        count = self.present(cube).sum(dim=(1, 2)).clamp(min=1)[..., None]
        return self.head(self.dropout(features.sum(dim=(1, 2)) / count, key))[..., 0]


@dataclass(frozen=True, slots=True)
class Brightness(Objective):
    """Squared error of each place's mean over bands and dates."""

    task: ClassVar[str] = "regression"
    head: LinearConfig = LinearConfig()
    drop_path: float = 0.3

    @torch.no_grad()
    def prepare(self, model: nn.Module, batch: Batch) -> Prepared:
        patch, values = model.config.patch, batch.cube.filled()
        model.set_drop_path(self.drop_path)
        wanted = nn.functional.avg_pool2d(values.mean(dim=(1, 2)), patch, ceil_mode=True)
        there = model.present(batch.cube).any(dim=2).any(dim=1)
        return Prepared({"square": there.sum()}, (batch, wanted, there), len(wanted), there[0].numel(), 1.0)

    def totals(self, model: nn.Module, prepared: Prepared) -> Mapping[str, Tensor]:
        batch, wanted, there = prepared.work
        predicted = model(batch.cube, batch.key)
        return {"square": torch.where(there, predicted - wanted, 0.0).square().sum()}


@dataclass(frozen=True, slots=True)
class Numbers:
    """A map of the numbers, one pixel per place."""

    reduce: int

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32)

    @property
    def nodata(self) -> float:
        return float("nan")

    @property
    def classes(self) -> tuple[Class, ...]:
        return ()

    def names(self, bands: BandSet, dates: Sequence[str]) -> tuple[str, ...]:
        return ("brightness",)

    def answer(
        self, model: Any, cube: Cube
    ) -> tuple[Float[Tensor, "batch channel row column"], Bool[Tensor, "batch #channel row column"]]:
        return model(cube)[:, None], model.present(cube).any(dim=2).any(dim=1)[:, None]

    def stored(
        self, values: Float64[np.ndarray, "channel row column"], valid: Bool[np.ndarray, "channel row column"]
    ) -> Float32[np.ndarray, "channel row column"]:
        return np.where(valid, values, np.nan).astype(np.float32)


TASK = Task(
    name="regression",
    model=Regression,
    heads={"linear": LinearConfig},
    class_name="Regressor",
    purpose="a number for each place",
    pipeline="image-feature-extraction",
    example="numbers = model(cube)  # of each place",
    objective=Brightness,
    answers=lambda model: Numbers(model.config.patch),
)
