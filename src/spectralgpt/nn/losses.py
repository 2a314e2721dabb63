"""The two losses of masked pretraining (Hong et al., SpectralGPT, IEEE TPAMI 2024), over what was measured only.

Each comes as a sum and a count, so that gradient accumulation and several processes can divide by the whole count.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True)
class LossTerm:
    """A mean as its parts; `mean` is 0, with gradient 0, where nothing counts."""

    total: Float[Tensor, ""]
    count: Int[Tensor, ""]

    @property
    def mean(self) -> Float[Tensor, ""]:
        """total / count."""
        return self.total / self.count.clamp(min=1)


def token_loss(
    predicted: Float[Tensor, "batch token value"],
    target: Float[Tensor, "batch token value"],
    valid: Bool[Tensor, "batch token value"] | None,
    hidden: Bool[Tensor, "batch token"],
) -> LossTerm:
    """Square error over the valid values of hidden tokens, the mean of which is the paper's token loss."""
    scored = hidden[..., None].expand_as(predicted) if valid is None else valid & hidden[..., None]
    # where, not a product: 0 * NaN under an invalid pixel is NaN. No boolean index: its size is read back from the GPU.
    error = torch.where(scored, predicted - target, 0.0).square()
    return LossTerm(error.sum(), scored.sum())


def spectral_loss(
    predicted: Float[Tensor, "batch date group place value"],
    target: Float[Tensor, "batch date group place value"],
    valid: Bool[Tensor, "batch date group place value"] | None,
    native_groups: int,
) -> LossTerm:
    """Square error of the sums over groups, at all places and dates, hidden or not (the paper's spectral loss).

    A value counts where all groups have a valid target. Times (native_groups / groups)^2, so that band sets with other
    numbers of groups weigh alike; native_groups: the model's own number.
    """
    groups = predicted.shape[2]
    weight = (native_groups / groups) ** 2
    if valid is None:
        error = (predicted - target).sum(dim=2).square()
        return LossTerm(error.sum() * weight, torch.tensor(error.numel(), device=error.device))
    scored = valid.all(dim=2)
    difference = torch.where(valid, predicted - target, 0.0).sum(dim=2)
    error = torch.where(scored, difference, 0.0).square()
    return LossTerm(error.sum() * weight, scored.sum())


def normalized_target(
    target: Float[Tensor, "batch token value"], valid: Bool[Tensor, "batch token value"] | None
) -> Float[Tensor, "batch token value"]:
    """Each token's values with their own mean and variance taken out.

    Over valid values; the variance is unbiased, its divisor at least 1.
    """
    if valid is None:
        valid = torch.ones_like(target, dtype=torch.bool)
    target = torch.where(valid, target, 0.0)
    count = valid.sum(dim=-1, keepdim=True)
    mean = target.sum(dim=-1, keepdim=True) / count.clamp(min=1)
    centred = torch.where(valid, target - mean, 0.0)
    variance = centred.square().sum(dim=-1, keepdim=True) / (count - 1).clamp(min=1)
    return centred / (variance + 1e-6).sqrt()
