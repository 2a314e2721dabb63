"""A batch on its way from shards to the model: stored values, before any computation."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float32, Float64, Int16, Int32, Int64, Shaped
from torch import Tensor

from spectralgpt.bands import Band

Target = Int64[Tensor, " batch"] | Bool[Tensor, "batch class"] | Int16[Tensor, "batch row column"]
"""The labels of samples: an index of a class each; whether each class is there; the index of the class of each pixel,
-1 where not labelled and in the padding."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Samples of one layout.

    reflectance = values x scale + offset. valid: None means all within the extent. extent: rows and columns of the
    image; the rest is padding. days: since 1970, -1 unknown. gsd: metres, NaN unknown. key: one per sample and step,
    from which all its random numbers are drawn (bits of a uint64). draw: the same for all samples of a step in all
    processes. number: of the sample in the mixture. target: labels, None without.
    """

    values: Shaped[Tensor, "batch date band row column"]
    valid: Bool[Tensor, "batch date band row column"] | None
    scale: Float64[Tensor, "batch band"]
    offset: Float64[Tensor, "batch band"]
    bands: tuple[Band, ...]
    days: Int32[Tensor, "batch date"]
    gsd: Float32[Tensor, " batch"]
    extent: Int32[Tensor, "batch 2"]
    key: Int64[Tensor, " batch"]
    draw: int
    number: Int64[Tensor, " batch"]
    target: Target | None = None

    def __len__(self) -> int:
        return self.values.shape[0]

    def to(self, device: torch.device | str) -> "Samples":
        """The samples on a device; a copy from pinned memory does not wait."""
        moved: dict[str, Any] = {
            field.name: value.to(device, non_blocking=True)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **moved)

    def part(self, rows: slice, dates: int | None = None) -> "Samples":
        """Some of the samples, with their first `dates` dates, None for all."""
        until = slice(dates)
        return replace(
            self,
            values=self.values[rows, until],
            valid=None if self.valid is None else self.valid[rows, until],
            days=self.days[rows, until],
            target=None if self.target is None else self.target[rows],
            **{name: getattr(self, name)[rows] for name in ("scale", "offset", "gsd", "extent", "key", "number")},
        )
