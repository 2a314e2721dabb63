"""What the visible bands say about the hidden ones at the same pixel, by a stored covariance of all bands.

A linear regression per pixel is a strong guess of a hidden band, and thousands of steps are needed to learn it from
nothing. A model with a conditional mean starts there: its decoder is shown the guess and adds what it misses.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int32
from torch import Tensor, nn

from spectralgpt.bands import BandSet
from spectralgpt.nn.linear import Linear
from spectralgpt.nn.precision import computing_in
from spectralgpt.nn.sizes import ModelConfig

RIDGE = 1e-3
"""Added to the variances of visible slots: noise that no hidden one shares; in the normalization's units, squared."""

SMALLEST_VARIANCE = 1e-4
"""Of any mixture of slots: what is measured on few images may be less, or negative where bands are missing in some."""


class ConditionalMean(nn.Module):
    """The covariance of the model's slots, and the linear layer that shows the decoder its estimates.

    covariance: about 0, the mean of the `standard` normalization; the identity, which estimates 0, until it is set.
    """

    covariance: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.register_buffer("covariance", torch.eye(len(config.bands.groups) * config.slots))
        self.skip = Linear(config.token_values, config.size.decoder_dim)

    def start(self) -> None:
        """At first the decoder is shown nothing."""
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.skip.bias)

    @torch.no_grad()
    def set_covariance(self, covariance: Float64[np.ndarray, "slot slot"]) -> None:
        """Take a covariance of the slots of all groups of the model, in their order."""
        self.covariance.copy_(torch.from_numpy(covariance))

    def forward(
        self,
        tokens: Float[Tensor, "batch token value"],
        visible: Bool[Tensor, "batch token"],
        bands: BandSet,
        days: Int32[Tensor, "batch date"],
    ) -> Float[Tensor, "batch token value"]:
        """The estimates (`conditional_mean`)."""
        return conditional_mean(self.covariance, tokens, visible, bands, days)


@torch.no_grad()
def conditional_mean(
    covariance: Float[Tensor, "slot slot"],
    tokens: Float[Tensor, "batch token value"],
    visible: Bool[Tensor, "batch token"],
    bands: BandSet,
    days: Int32[Tensor, "batch date"],
) -> Float[Tensor, "batch token value"]:
    """The estimate of all tokens from the visible ones at the same place; a visible slot's is its own value.

    With C the covariance of the cube's slots, v the visible ones whose own band is there, and h the others, the
    estimate at a pixel is C_hv (C_vv + RIDGE)^-1 x_v. A place without a visible token takes the estimate of the nearest
    date with one there (`nearest_dates`); 0 if there is none. Values of tokens that are not visible have no influence.
    Groups of the cube's own bands, which the covariance does not know: 0.
    covariance: of all slots of the model. tokens: filled where not valid. days: since 1970, -1 unknown.
    """
    if any(group.native is None for group in bands.groups):
        return torch.zeros_like(tokens)
    (batch, dates), groups, slots = days.shape, len(bands.groups), bands.slots
    with computing_in("fp32", tokens.device):
        there = visible.reshape(batch, dates, groups, -1).transpose(2, 3)
        target = _on(tokens, [flag for group in bands.groups for flag in group.targets()])
        known = there.repeat_interleave(slots, dim=-1) & target
        # batch, date, place, slot, pixel
        values = (
            tokens.reshape(batch, dates, groups, -1, slots, tokens.shape[-1] // slots).transpose(2, 3).flatten(3, 4)
        )
        found = _regressions_at(_of_slots(covariance, bands), there, target) @ torch.where(
            known[..., None], values, 0.0
        )
        if dates > 1:
            source = nearest_dates(there.any(dim=-1), days)
            found = found.gather(1, source[..., None, None].expand_as(found))
        shape = (*found.shape[:3], groups, slots, found.shape[-1])
        return found.reshape(shape).transpose(2, 3).reshape(tokens.shape)


def regressions(
    covariance: Float[Tensor, "slot slot"], known: Bool[Tensor, "*axes slot"]
) -> Float[Tensor, "*axes slot other"]:
    """The matrices that take the values of known slots to estimates of all slots; a known one takes itself. Columns of
    slots that are not known are 0."""
    wide, rows, columns = covariance.double(), known[..., :, None], known[..., None, :]
    # those that are not known get an equation of their own, so that all patterns are of one size
    among = torch.where(rows & columns, wide, 0.0) + torch.diag_embed(torch.where(known, RIDGE, 1.0).to(wide.dtype))
    # without a check of the result, for which the host would wait
    inverse: Tensor = torch.linalg.inv_ex(among).inverse
    across = torch.where(~rows & columns, wide, 0.0) @ inverse
    return (across + torch.diag_embed(known.to(wide.dtype))).to(covariance.dtype)


def nearest_dates(
    there: Bool[Tensor, "batch date place"], days: Int32[Tensor, "batch date"]
) -> Int[Tensor, "batch date place"]:
    """For each date of a place, the date nearest to it at which something is there: itself if possible.

    Nearest in days, or in position for a sample with an unknown day; of two equally near ones the earlier.
    """
    dates = days.shape[1]
    position = torch.arange(dates, device=days.device)
    when = torch.where((days >= 0).all(dim=1, keepdim=True), days.long(), position)
    after = when[:, None, :] - when[:, :, None]
    # one number for the order of preference: distance, then the earlier, then position
    rank = (2 * after.abs() + (after > 0)) * dates + position
    # two dates of one day are equally near to either
    rank = torch.where(position[:, None] == position, -1, rank)
    nearest: Tensor = torch.where(there[:, None], rank[..., None], torch.iinfo(rank.dtype).max).argmin(dim=2)
    return nearest


def closest_covariance(covariance: Float64[np.ndarray, "slot slot"]) -> Float64[np.ndarray, "slot slot"]:
    """The symmetric matrix with all eigenvalues at least SMALLEST_VARIANCE that is nearest to it."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    made = (vectors * np.maximum(values, SMALLEST_VARIANCE)) @ vectors.T
    return np.asarray((made + made.T) / 2)


def slots_of_model(bands: BandSet) -> tuple[int, ...]:
    """The number in the model of each slot of the groups of a cube's bands, which are native."""
    return tuple(
        group.native * bands.slots + slot
        for group in bands.groups
        if group.native is not None
        for slot in range(bands.slots)
    )


def _regressions_at(
    covariance: Float[Tensor, "slot slot"],
    there: Bool[Tensor, "batch date place group"],
    target: Bool[Tensor, " slot"],
) -> Float[Tensor, "batch date place slot other"]:
    """The regressions of each place and date: there are often far fewer patterns of groups than places."""
    groups, slots = there.shape[-1], target.shape[0] // there.shape[-1]
    number = torch.arange(groups, device=there.device)
    if 2**groups >= there[..., 0].numel():
        return regressions(covariance, there.repeat_interleave(slots, dim=-1) & target)
    patterns = (torch.arange(2**groups, device=there.device)[:, None] >> number) % 2 > 0
    every = regressions(covariance, patterns.repeat_interleave(slots, dim=-1) & target)
    return every[(there.long() << number).sum(dim=-1)]


def _of_slots(covariance: Tensor, bands: BandSet) -> Tensor:
    """The part for the slots of a cube's groups."""
    index = _on(covariance, slots_of_model(bands))
    return covariance.index_select(0, index).index_select(1, index)


def _on(where: Tensor, numbers: Any) -> Tensor:
    """The numbers as a tensor on the device of another."""
    return torch.tensor(numbers).to(where.device, non_blocking=True)
