"""Dropout and drop path. With a key per sample they are functions of it, so that training has no random state."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from spectralgpt.nn.noise import DROP_PATH, DROPOUT, kept_of, noise_of

Key = Int64[Tensor, " batch"]


def drop_path_rates(depth: int, rate: float) -> list[float]:
    """Rate of each block: linear from 0 at the first to `rate` at the last."""
    return [rate * block / max(1, depth - 1) for block in range(depth)]


def drop_path(
    branch: Float[Tensor, "batch token dim"], rate: float, key: Key | None = None, layer: int = 0
) -> Float[Tensor, "batch token dim"]:
    """The branch, 0 in a share `rate` of the samples and divided by 1 - rate in the others.

    key: one per sample; without it PyTorch's generator draws. layer: each layer has draws of its own.
    """
    if key is None:
        noise = torch.rand(branch.shape[0], 1, device=branch.device)
    else:
        noise = noise_of(key, DROP_PATH + layer, 1)
    return torch.where(noise[..., None] >= rate, branch / (1 - rate), 0.0)


class Dropout(nn.Module):
    """In training, a share `rate` of all values set to 0; the others divided by 1 - rate.

    layer: a number of its own for each Dropout of a model.
    """

    def __init__(self, rate: float, layer: int = 0):
        super().__init__()
        self.rate, self.layer = rate, layer

    def forward(self, x: Float[Tensor, "batch *axes"], key: Key | None = None) -> Float[Tensor, "batch *axes"]:
        """key: one per sample; without it PyTorch's generator draws."""
        if not (self.training and self.rate):
            return x
        if key is None:
            return F.dropout(x, self.rate)
        return x * (kept_of(key, DROPOUT + self.layer, tuple(x.shape), self.rate) / (1 - self.rate)).to(x.dtype)


def number_dropouts(model: nn.Module) -> None:
    """Give each Dropout of a head its number, in the order of the modules."""
    for number, module in enumerate(each for each in model.modules() if isinstance(each, Dropout)):
        module.layer = number
