"""The two losses of masked pretraining (Hong et al., SpectralGPT, IEEE TPAMI 2024), over measured values only.

Each comes as a sum and a count, so that gradient accumulation and several processes can divide by the whole count.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor


@dataclass(frozen=True, slots=True)
class LossTerm:
    """A mean as its sum and count, a number or a sum of weights; `mean` is 0, with gradient 0, where nothing counts."""

    total: Float[Tensor, ""]
    count: Real[Tensor, ""]

    @property
    def mean(self) -> Float[Tensor, ""]:
        """total / count."""
        # not clamp(min=1): a sum of weights may be below 1
        return self.total / torch.where(self.count > 0, self.count, 1)


def token_loss(
    predicted: Float[Tensor, "batch token value"],
    target: Float[Tensor, "batch token value"],
    valid: Bool[Tensor, "batch token value"] | None,
    hidden: Bool[Tensor, "batch token"],
) -> LossTerm:
    """Squared error over the valid values of hidden tokens; its mean is the paper's token loss."""
    scored = hidden[..., None].expand_as(predicted) if valid is None else valid & hidden[..., None]
    # where, not a product: 0 * NaN under an invalid pixel is NaN. No boolean index: its size is read back from the GPU.
    error = torch.where(scored, predicted - target, 0.0).square()
    return LossTerm(error.sum(), token_count(predicted.shape[-1], valid, hidden))


def token_count(
    values: int, valid: Bool[Tensor, "batch token value"] | None, hidden: Bool[Tensor, "batch token"]
) -> Int[Tensor, ""]:
    """The token loss's divisor: the number of valid values in hidden tokens. values: number per token."""
    return hidden.sum() * values if valid is None else (valid & hidden[..., None]).sum()


def spectral_loss(
    predicted: Float[Tensor, "batch date group place value"],
    target: Float[Tensor, "batch date group place value"],
    valid: Bool[Tensor, "batch date group place value"] | None,
    native_groups: int,
) -> LossTerm:
    """Squared error of the sums over groups, at all places and dates, hidden or not (the paper's spectral loss).

    A value counts where all groups have a valid target. Times (native_groups / groups)^2, so that band sets with other
    numbers of groups weigh the same; native_groups: the model's own number.
    """
    weight = (native_groups / predicted.shape[2]) ** 2
    count = spectral_count(tuple(predicted.shape), valid, predicted.device)
    if valid is None:
        return LossTerm((predicted - target).sum(dim=2).square().sum() * weight, count)
    difference = torch.where(valid, predicted - target, 0.0).sum(dim=2)
    error = torch.where(valid.all(dim=2), difference, 0.0).square()
    return LossTerm(error.sum() * weight, count)


def spectral_count(
    shape: tuple[int, ...], valid: Bool[Tensor, "batch date group place value"] | None, device: torch.device
) -> Int[Tensor, ""]:
    """The spectral loss's divisor: the number of values that are valid in all groups of their place.

    shape: batch, date, group, place, value.
    """
    if valid is None:
        batch, dates, _, places, values = shape
        return torch.full((), batch * dates * places * values, device=device)
    return valid.all(dim=2).sum()


def normalized_target(
    target: Float[Tensor, "batch token value"], valid: Bool[Tensor, "batch token value"] | None
) -> Float[Tensor, "batch token value"]:
    """Each token's values, less their mean, by their standard deviation.

    Both over valid values; the variance is unbiased, its divisor at least 1.
    """
    if valid is None:
        valid = torch.ones_like(target, dtype=torch.bool)
    target = torch.where(valid, target, 0.0)
    count = valid.sum(dim=-1, keepdim=True)
    mean = target.sum(dim=-1, keepdim=True) / count.clamp(min=1)
    centred = torch.where(valid, target - mean, 0.0)
    variance = centred.square().sum(dim=-1, keepdim=True) / (count - 1).clamp(min=1)
    return centred / (variance + 1e-6).sqrt()
