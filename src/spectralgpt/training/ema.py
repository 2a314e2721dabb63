"""The exponential moving average of the parameters (EMA): smoother weights than those of the last step."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from spectralgpt.nn import bare


class Average:
    """Averaged parameters by name: average <- decay x average + (1 - decay) x parameter, once per step.

    weights: the averages, which DCP saves and loads in place; they start as the parameters.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, Tensor] = {
            name: parameter.detach().clone() for name, parameter in bare(model).named_parameters()
        }

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Add the parameters after a step, in one pass over all of them."""
        parameters = [parameter.detach() for parameter in bare(model).parameters()]
        torch._foreach_lerp_(list(self.weights.values()), parameters, 1 - self.decay)

    @contextmanager
    def swapped(self, model: nn.Module) -> Iterator[None]:
        """While entered, the model has the averaged parameters; afterwards its own again."""
        parameters: list[Tensor] = list(bare(model).parameters())
        own = [parameter.detach().clone() for parameter in parameters]
        _copy(parameters, self.weights.values())
        try:
            yield
        finally:
            _copy(parameters, own)


@torch.no_grad()
def _copy(parameters: Iterable[Tensor], values: Iterable[Tensor]) -> None:
    # one by one: _foreach_copy_ does not support parameters that are distributed over processes
    for parameter, value in zip(parameters, values, strict=True):
        parameter.copy_(value)
