"""The read-out: how the features of tokens become the embedding of a place and of an image.

Weights may bring a measured read-out, with numbers of its own. Without one an embedding is the last block's features,
normed and averaged over present tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spectralgpt.nn.start_values import identity

SMALLEST_DEVIATION = 1e-6
"""Added to a standard deviation before its logarithm is taken."""

MOST_DEVIATIONS = 8.0
"""Of a standardized statistic of an image: of an image unlike all that were measured, a few would drown the others."""

SHORTEST_VECTOR = 1e-12
"""Length of a vector that is not divided by it."""

Features = Sequence[Float[Tensor, "batch date group row column dim"]]
Present = Bool[Tensor, "batch date group row column"]


@dataclass(frozen=True, slots=True)
class ReadOutConfig:
    """What a measured read-out reads.

    place, image: the blocks that are read for each, in increasing order; 0 for the input of the first block. values:
    length of the vector of a place.

    Raises ValueError for blocks that do not increase, and for no values.
    """

    place: tuple[int, ...]
    image: tuple[int, ...]
    values: int

    def __post_init__(self) -> None:
        for blocks in (self.place, self.image):
            if not blocks or list(blocks) != sorted(set(blocks)) or blocks[0] < 0:
                raise ValueError(f"found the blocks {list(blocks)} for a read-out; expected increasing numbers from 0")
        if self.values < 1:
            raise ValueError(f"found {self.values} values for a read-out; expected at least 1")


class ReadOut(nn.Module):
    """A measured read-out; its numbers are part of the weights and are not trained.

    Vector of a place: the mean over its present tokens (groups, dates) after each block, concatenated, standardized and
    projected. Vector of an image: the mean and the logarithm of the standard deviation over the present tokens of each
    group after each block, averaged over groups, standardized, cut off at +-MOST_DEVIATIONS, projected to as many
    values, and divided by their length; 0 where no token is present.
    """

    place_mean: Tensor
    place_deviation: Tensor
    projection: Tensor
    scale: Tensor
    image_mean: Tensor
    image_deviation: Tensor
    image_projection: Tensor

    def __init__(self, config: ReadOutConfig, dim: int):
        super().__init__()
        self.config = config
        read, seen = len(config.place) * dim, len(config.image) * 2 * dim
        self.register_buffer("place_mean", torch.zeros(read))
        self.register_buffer("place_deviation", torch.ones(read))
        self.register_buffer("projection", identity(read, config.values))
        self.register_buffer("scale", torch.ones(config.values))
        self.register_buffer("image_mean", torch.zeros(seen))
        self.register_buffer("image_deviation", torch.ones(seen))
        self.register_buffer("image_projection", identity(seen, seen))

    def of_places(self, features: Features, present: Present) -> Float[Tensor, "batch row column value"]:
        """Vectors of the places, 0 where nothing is present. features: one per block of `config.place`."""
        count = present.sum(dim=(1, 2)).clamp(min=1)[..., None]
        means = torch.cat([each.sum(dim=(1, 2)) / count for each in features], dim=-1)
        vectors = ((means - self.place_mean) / self.place_deviation) @ self.projection
        return torch.where(present.any(dim=2).any(dim=1)[..., None], vectors, 0.0)

    def of_images(self, features: Features, present: Present) -> Float[Tensor, "batch value"]:
        """Vectors of the images, of any groups. features: one per block of `config.image`."""
        return self.of_statistics(*pooled_statistics(features, present))

    def of_statistics(
        self, statistics: Float[Tensor, "batch value"], known: Bool[Tensor, "batch value"]
    ) -> Float[Tensor, "batch value"]:
        """Vectors of images with these `pooled_statistics`."""
        standardized = ((statistics - self.image_mean) / self.image_deviation).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
        vectors = torch.where(known, standardized, 0.0) @ self.image_projection
        unit: Tensor = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=SHORTEST_VECTOR)
        return unit


def pooled_statistics(
    features: Features, present: Present
) -> tuple[Float[Tensor, "batch value"], Bool[Tensor, "batch value"]]:
    """Mean and logarithm of the standard deviation over present tokens, per block, each averaged over groups; and which
    are known: means of at least one token, deviations of groups with at least two."""
    batch, groups = len(present), present.shape[2]
    statistics, _ = image_statistics(features, present)
    # batch, block, group, mean or deviation, value
    each = statistics.reshape(batch, len(features), groups, 2, -1)
    count = present.sum(dim=(1, 3, 4))
    some = torch.stack([count > 0, count > 1], dim=-1)
    total = torch.where(some[:, None, ..., None], each, 0.0).sum(dim=2)
    of = some.sum(dim=1)
    known = (of > 0)[:, None, :, None].expand_as(total)
    return (total / of.clamp(min=1)[:, None, :, None]).flatten(1), known.flatten(1)


def image_statistics(
    features: Features, present: Present
) -> tuple[Float[Tensor, "batch value"], Bool[Tensor, "batch value"]]:
    """Mean and logarithm of the standard deviation over present tokens, per block and per group; and which of these are
    known: those of groups with at least two present tokens."""
    axes = (1, 3, 4)
    count = present.sum(dim=axes)
    parts = []
    for each in features:
        mean = each.sum(dim=axes) / count.clamp(min=1)[..., None]
        centred = torch.where(present[..., None], each - mean[:, None, :, None, None], 0.0)
        variance = centred.square().sum(dim=axes) / count.clamp(min=1)[..., None]
        parts.append(torch.cat([mean, (variance.sqrt() + SMALLEST_DEVIATION).log()], dim=-1))
    known = (count > 1)[:, None, :, None].expand(-1, len(parts), -1, parts[0].shape[-1]).flatten(1)
    return torch.stack(parts, dim=1).flatten(1), known


def default_scale(norm: nn.LayerNorm) -> Float[Tensor, " value"]:
    """The int8 scale of embeddings without a measured read-out: (4 |w| + |b|) / 127, w and b the weight and bias of the
    final norm, as normed values have a spread of about one unit before these are applied."""
    return (4 * norm.weight.detach().abs() + norm.bias.detach().abs()) / 127
