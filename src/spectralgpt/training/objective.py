"""What a run minimizes: a function of model and batch to named losses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch before the model sees it.

    counts: what each loss divides by, known now so that processes and accumulated batches can add them up first. work:
    for `totals`. samples, tokens: how many are in it, tokens those that the encoder takes and the decoder gives. flops:
    of a training step on it, forward and backward.
    """

    counts: Mapping[str, Tensor]
    work: Any
    samples: int
    tokens: int
    flops: float


@runtime_checkable
class Objective(Protocol):
    """Named losses, each a total over what it counts; the run adds up total / count, counts taken over a whole step."""

    def prepare(self, model: nn.Module, batch: Any) -> Prepared:
        """All that needs no gradient. model: the bare one."""

    def totals(self, model: nn.Module, prepared: Prepared) -> Mapping[str, Tensor]:
        """The losses' sums. model: as it is distributed; its forward is called once."""
