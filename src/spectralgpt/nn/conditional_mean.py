"""What the visible bands say about the hidden ones at the same pixel, by a stored mixture of Gaussians of all bands.

A regression per pixel is a strong guess of a hidden band, and thousands of steps are needed to learn it from nothing. A
model with a conditional mean starts there: its decoder is shown the guess and adds what it misses. One Gaussian gives a
linear regression; with many, a pixel is first likened to the kinds of pixels that they stand for, and the decoder
answers in units of the deviation that they leave, as its own noise would spoil a guess that is nearly exact.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int32
from torch import Tensor, nn

from spectralgpt.bands import BandSet
from spectralgpt.nn.linear import Linear
from spectralgpt.nn.precision import computing_in
from spectralgpt.nn.sizes import ModelConfig
from spectralgpt.nn.start_values import identity

RIDGE = 3e-4
"""Added to the variances of visible slots: noise that no hidden one shares; in the normalization's units, squared."""

SMALLEST_VARIANCE = 1e-4
"""Of any mixture of slots: what is measured on few images may be less, or negative where bands are missing in some."""

PLACES_AT_ONCE = {"cpu": 16, "cuda": 1024}
"""Places whose estimates, one per Gaussian, are in memory together, by device. Of 64 Gaussians, 64 places take 250 MB
for a moment, and are no faster on a CPU; a GPU has fewer and larger products to do."""


@dataclass(frozen=True, slots=True)
class Gaussians:
    """Gaussians of the slots of a model, in the units of its normalization. shares: sum to 1."""

    shares: Float[Tensor, " gaussian"]
    means: Float[Tensor, "gaussian slot"]
    covariances: Float[Tensor, "gaussian slot slot"]

    def of_slots(self, numbers: Any) -> "Gaussians":
        """That of some of the slots."""
        index = _on(self.shares, numbers)
        covariances = self.covariances.index_select(1, index).index_select(2, index)
        return Gaussians(self.shares, self.means.index_select(1, index), covariances)

    @classmethod
    def of_one(cls, covariance: Float[Tensor, "slot slot"]) -> "Gaussians":
        """A single Gaussian about 0, the mean of the `standard` normalization."""
        return cls(covariance.new_ones(1), covariance.new_zeros(1, len(covariance)), covariance[None])


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the visible bands say of tokens. deviation: what it leaves open, 0 of visible slots; None of one Gaussian,
    which is not asked for it."""

    mean: Float[Tensor, "batch token value"]
    deviation: Float[Tensor, "batch token value"] | None

    def at(self, index: Int[Tensor, "batch chosen"]) -> "Estimate":
        """Those of chosen tokens."""
        index = index[..., None].expand(-1, -1, self.mean.shape[-1])
        return Estimate(self.mean.gather(1, index), None if self.deviation is None else self.deviation.gather(1, index))

    def with_answers(self, answers: Float[Tensor, "batch token value"]) -> Float[Tensor, "batch token value"]:
        """The values that the decoder's answers stand for: they are added, in units of the deviation if it is known."""
        return self.mean + (answers if self.deviation is None else answers * self.deviation)


class ConditionalMean(nn.Module):
    """The mixture of the model's slots, and the linear layer that shows the decoder its estimates.

    Of one Gaussian, the covariance alone is stored. Until it is set, it is the identity about 0, which estimates 0.
    """

    covariance: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        slots, gaussians = len(config.bands.groups) * config.slots, config.gaussians
        if gaussians == 1:
            self.register_buffer("covariance", identity(slots, slots))
        else:
            self.register_buffer("shares", torch.full((gaussians,), 1 / gaussians))
            self.register_buffer("means", torch.zeros(gaussians, slots))
            self.register_buffer("covariance", identity(gaussians, slots, slots))
        self.skip = Linear(config.token_values, config.size.decoder_dim)

    def start(self) -> None:
        """At first the decoder is shown nothing."""
        nn.init.zeros_(self.skip.weight)
        nn.init.zeros_(self.skip.bias)

    @property
    def mixture(self) -> Gaussians:
        if self.covariance.ndim == 2:
            return Gaussians.of_one(self.covariance)
        return Gaussians(self.get_buffer("shares"), self.get_buffer("means"), self.covariance)

    @torch.no_grad()
    def set_covariance(self, covariance: Float64[np.ndarray, "slot slot"]) -> None:
        """Of a model with one Gaussian: take the covariance of the slots of all groups of the model, in their order."""
        self.covariance.copy_(torch.from_numpy(covariance))

    @torch.no_grad()
    def set_mixture(self, mixture: Gaussians) -> None:
        """Of a model with as many Gaussians: take those of the slots of all groups of the model, in their order."""
        self.get_buffer("shares").copy_(mixture.shares)
        self.get_buffer("means").copy_(mixture.means)
        self.covariance.copy_(mixture.covariances)

    def forward(
        self,
        tokens: Float[Tensor, "batch token value"],
        visible: Bool[Tensor, "batch token"],
        bands: BandSet,
        days: Int32[Tensor, "batch date"],
    ) -> "Estimate":
        """The estimates (`conditional_mean`)."""
        return conditional_mean(self.mixture, tokens, visible, bands, days)


@torch.no_grad()
def conditional_mean(
    mixture: Gaussians,
    tokens: Float[Tensor, "batch token value"],
    visible: Bool[Tensor, "batch token"],
    bands: BandSet,
    days: Int32[Tensor, "batch date"],
) -> Estimate:
    """The estimate of all tokens from the visible ones at the same place; a visible slot's is its own value.

    With m and C the mean and covariance of a Gaussian for the cube's slots, v the visible slots whose own band is
    there, and h the others, its estimate at a pixel is m_h + C_hv (C_vv + RIDGE)^-1 (x_v - m_v). The estimates of the
    Gaussians are averaged, weighted by the probability of each given x_v. A place without a visible token takes the
    estimate of the nearest date with one there (`nearest_dates`); the mean of the mixture if there is none. Values of
    tokens that are not visible have no influence. Groups of the cube's own bands, which the mixture does not know: 0.
    The deviation is that of the mixture given x_v, and 1 for what comes from another date or of own bands.
    mixture: of all slots of the model. tokens: filled where not valid. days: since 1970, -1 unknown.
    """
    if any(group.native is None for group in bands.groups):
        return Estimate(torch.zeros_like(tokens), None if len(mixture.shares) == 1 else torch.ones_like(tokens))
    (batch, dates), groups, slots = days.shape, len(bands.groups), bands.slots
    with computing_in("fp32", tokens.device):
        there = visible.reshape(batch, dates, groups, -1).transpose(2, 3)
        target = _on(tokens, [flag for group in bands.groups for flag in group.targets()])
        # batch, date, place, slot, pixel
        values = (
            tokens.reshape(batch, dates, groups, -1, slots, tokens.shape[-1] // slots).transpose(2, 3).flatten(3, 4)
        )
        own = mixture.of_slots(slots_of_model(bands))
        found = _estimates(own, values.flatten(0, 2), there.flatten(0, 2), target)
        mean, deviation = (each.reshape(values.shape) for each in found)
        if dates > 1:
            source = nearest_dates(there.any(dim=-1), days)
            mean = mean.gather(1, source[..., None, None].expand_as(mean))
            itself = source == torch.arange(dates, device=source.device)[:, None]
            deviation = torch.where(itself[..., None, None], deviation, 1.0)
        shape = (*values.shape[:3], groups, slots, values.shape[-1])
        mean, deviation = (each.reshape(shape).transpose(2, 3).reshape(tokens.shape) for each in (mean, deviation))
        return Estimate(mean, None if len(mixture.shares) == 1 else deviation)


@dataclass(frozen=True, slots=True)
class Regressions:
    """What each Gaussian says where the slots of a pattern are known, a matrix per pattern.

    estimate, constant: of all slots, from the values of the known ones (0 elsewhere). whitening, centre: take values to
    numbers whose squares sum to the squared Mahalanobis distance of the known slots. log_share: log of the share, less
    half the log determinant. variance: of all slots, given the known ones.
    """

    estimate: Float[Tensor, "*pattern gaussian slot known"]
    constant: Float[Tensor, "*pattern gaussian slot"]
    whitening: Float[Tensor, "*pattern gaussian slot known"]
    centre: Float[Tensor, "*pattern gaussian slot"]
    log_share: Float[Tensor, "*pattern gaussian"]
    variance: Float[Tensor, "*pattern gaussian slot"]

    def at(self, index: Int[Tensor, " place"]) -> "Regressions":
        """Those of the pattern of each place."""
        return Regressions(*(getattr(self, each.name)[index] for each in fields(self)))


def regressions(mixture: Gaussians, known: Bool[Tensor, "*pattern slot"]) -> Regressions:
    """Of each pattern of known slots; a known slot's estimate is its own value."""
    known, kind = known[..., None, :], mixture.means.dtype
    wide, means = mixture.covariances.double(), mixture.means.double()
    rows, columns = known[..., :, None], known[..., None, :]
    # those that are not known get an equation of their own, so that all patterns are of one size
    among = torch.where(rows & columns, wide, 0.0) + torch.diag_embed(torch.where(known, RIDGE, 1.0).to(wide.dtype))
    # without a check of the result, for which the host would wait
    factor: Tensor = torch.linalg.cholesky_ex(among).L
    unit = torch.eye(wide.shape[-1], dtype=wide.dtype, device=wide.device).expand_as(factor)
    whitening = torch.where(rows & columns, torch.linalg.solve_triangular(factor, unit, upper=False), 0.0)
    across = torch.where(~rows & columns, wide, 0.0) @ (whitening.mT @ whitening)
    seen = torch.where(known, means, 0.0)
    constant = torch.where(known, 0.0, means - (across @ seen[..., None])[..., 0])
    made = (
        across + torch.diag_embed(known.to(wide.dtype).expand_as(constant)),
        constant,
        whitening,
        (whitening @ seen[..., None])[..., 0],
        mixture.shares.double().log() - factor.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1),
        torch.where(known, 0.0, wide.diagonal(dim1=-2, dim2=-1) - (across * wide).sum(dim=-1)).clamp(min=0),
    )
    return Regressions(*(each.to(kind) for each in made))


def _estimates(
    mixture: Gaussians,
    values: Float[Tensor, "place slot pixel"],
    there: Bool[Tensor, "place group"],
    target: Bool[Tensor, " slot"],
) -> tuple[Float[Tensor, "place slot pixel"], Float[Tensor, "place slot pixel"]]:
    """The estimates of all slots at each place, and their deviations. there: groups that are visible. target: slots
    with a band."""
    (places, groups), slots = there.shape, target.shape[0] // there.shape[1]
    known = there.repeat_interleave(slots, dim=-1) & target
    seen = torch.where(known[..., None], values, 0.0)
    every, number = None, None
    # there are often far fewer patterns of groups than places
    if 2**groups < places:
        power = torch.arange(groups, device=there.device)
        patterns = (torch.arange(2**groups, device=there.device)[:, None] >> power) % 2 > 0
        every = regressions(mixture, patterns.repeat_interleave(slots, dim=-1) & target)
        number = (there.long() << power).sum(dim=-1)
    found, left = torch.empty_like(values), torch.empty_like(values)
    at_once = PLACES_AT_ONCE["cpu" if values.device.type == "cpu" else "cuda"]
    for first in range(0, places, at_once):
        part = slice(first, first + at_once)
        own = regressions(mixture, known[part]) if every is None or number is None else every.at(number[part])
        found[part], left[part] = _mixed(own, seen[part])
    known = known[..., None]
    return torch.where(known, values, found), torch.where(known, 0.0, left.sqrt())


def _mixed(
    at: Regressions, values: Float[Tensor, "place slot pixel"]
) -> tuple[Float[Tensor, "place slot pixel"], Float[Tensor, "place slot pixel"]]:
    """The estimates of all Gaussians, weighted by their probabilities, and the variance that is left."""
    of_each = _product(at.estimate, values) + at.constant[..., None]
    distance = (_product(at.whitening, values) - at.centre[..., None]).square().sum(dim=2)
    probability = (at.log_share[..., None] - distance / 2).softmax(dim=1)
    mean = (of_each * probability[:, :, None]).sum(dim=1)
    # within each Gaussian, and between their estimates
    spread = at.variance[..., None] + (of_each - mean[:, None]).square()
    return mean, (spread * probability[:, :, None]).sum(dim=1)


def _product(
    matrices: Float[Tensor, "place gaussian slot known"], values: Float[Tensor, "place known pixel"]
) -> Float[Tensor, "place gaussian slot pixel"]:
    """Of all matrices of a place with its values, as one product."""
    found = matrices.flatten(1, 2) @ values
    return found.reshape(*matrices.shape[:3], -1)


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


def _on(where: Tensor, numbers: Any) -> Tensor:
    """The numbers as a tensor on the device of another."""
    return torch.tensor(numbers).to(where.device, non_blocking=True)
