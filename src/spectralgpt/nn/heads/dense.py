"""The paper's dense head: one answer per pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spectralgpt.errors import OptionError
from spectralgpt.nn.dropping import Dropout, Key, number_dropouts
from spectralgpt.nn.heads.merge import Merged

POOLED_SIDES = (1, 2, 3, 6)
LEVEL_GROUPS, HEAD_GROUPS = 32, 16
"""Groups of the group norms: in the levels, and in all layers after them."""


@dataclass(frozen=True, slots=True)
class DenseConfig:
    """classes: their number. widths: of the four levels after their first convolution, finest first. levels: widths of
    the three finer levels after enlarging (the coarsest keeps its width). channels: of all layers after the levels.
    block: the encoder block that gives the features, 1-based, 0 for the last. dropout: after each 1x1 layer of the
    head, in training; level_dropout: after each level.

    Raises OptionError for values from which no head can be made.
    """

    classes: int
    widths: tuple[int, int, int, int] = (512, 512, 1024, 2048)
    levels: tuple[int, int, int] = (256, 512, 1024)
    channels: int = 256
    block: int = 0
    dropout: float = 0.5
    level_dropout: float = 0.5

    def __post_init__(self) -> None:
        wrong = [width for width in self.widths if width < 1 or width % LEVEL_GROUPS]
        wrong += [width for width in (self.channels,) if width < 1 or width % HEAD_GROUPS]
        wrong += [width for width in self.levels if width < 1]
        if wrong or self.classes < 1 or not 0 <= self.dropout < 1 or not 0 <= self.level_dropout < 1 or self.block < 0:
            raise OptionError(
                (
                    f"found {self.classes} classes, widths {self.widths}, levels {self.levels}, {self.channels} "
                    f"channels, block {self.block}, dropout {self.dropout} and {self.level_dropout}"
                ),
                (
                    f"at least one class, widths in multiples of {LEVEL_GROUPS}, channels of {HEAD_GROUPS}, a block "
                    "from 1 on (0: the last), dropouts from 0 to below 1"
                ),
            )

    def blocks(self, depth: int) -> tuple[int, ...]:
        """The encoder blocks that it reads, 1-based, of `depth`. OptionError for one that does not exist."""
        if self.block > depth:
            raise OptionError(f"found a head on block {self.block}", f"one of the model's {depth}")
        return (self.block or depth,)

    @property
    def normed(self) -> bool:
        """False: the released models read features as the blocks give them."""
        return False

    def make(self, dim: int, patch: int, depth: int) -> "DenseHead":
        """The head for maps of `dim` values per place and patches of `patch` pixels; it is the same for any depth."""
        return DenseHead(self, dim, patch)

    def words(self, depth: int) -> str:
        """The head in words."""
        return f"four levels of features, pyramid pooling and fusion, on block {self.block or depth}"


class DenseHead(nn.Module):
    """Four levels from one map of features, pyramid pooling of the coarsest, fusion from coarse to fine, logits at full
    resolution (the segmentation and change detection models of Hong et al., IEEE TPAMI 2024).

    Places without a token take no part in the norms' statistics, in pooling or in enlarging, so their values change no
    other pixel. Without such places this is the released head to the digit.
    """

    def __init__(self, config: DenseConfig, dim: int, patch: int):
        super().__init__()
        if patch % 4:
            raise OptionError(f"found patches of {patch} pixels", "a multiple of 4 for the dense head's levels")
        self.config = config
        channels, coarsest = config.channels, config.widths[3]
        self.levels = nn.ModuleList(
            Level(dim, width, out, factor, config.level_dropout)
            for width, out, factor in zip(
                config.widths, (*config.levels, None), (patch, patch // 2, patch // 4, 1), strict=True
            )
        )
        self.pooled = nn.ModuleList(nn.Conv2d(coarsest, channels, 1) for _ in POOLED_SIDES)
        # released change detection has no dropout here; released segmentation has that of its levels
        self.pool_fusion = ConvolutionLayer(len(POOLED_SIDES) * channels + coarsest, channels, config.level_dropout)
        self.top = nn.Conv2d(channels, channels, 1)
        self.laterals = nn.ModuleList(
            ConvolutionLayer(width, channels, config.dropout) for width in reversed(config.levels)
        )
        self.fusions = nn.ModuleList(ConvolutionLayer(channels, channels, config.dropout) for _ in config.levels)
        self.fuse_all = ConvolutionLayer((1 + len(config.levels)) * channels, channels, config.dropout)
        self.classify = nn.Conv2d(channels, config.classes, 3, padding=1)
        number_dropouts(self)

    def forward(self, maps: Sequence[Merged], key: Key | None = None) -> Float[Tensor, "batch class height width"]:
        """Logits of all pixels of the places; arbitrary, but finite, where there is no token.

        maps: of the blocks that the configuration names, here one. key: one per sample, for dropout.
        """
        (merged,) = maps
        where = None if merged.present is None else merged.present[:, None]
        finest, fine, middle, coarse = (level(merged.features, where, key) for level in self.levels)
        x = self._pyramid_pooling(coarse, where, key)
        fused = [(x, where)]
        for number, (level, lateral, fusion) in enumerate(
            zip((middle, fine, finest), self.laterals, self.fusions, strict=True)
        ):
            there, shape = _enlarged(where, level), (level.shape[-2], level.shape[-1])
            x = resize(x, shape, fused[-1][1])
            x = fusion((self.top(x) if number == 0 else x) + lateral(level, there, key), there, key)
            fused.append((x, there))
        *coarser, (last, place) = fused
        shape = (finest.shape[-2], finest.shape[-1])
        x = torch.cat([*(resize(each, shape, there) for each, there in coarser), last], dim=1)
        x = self.fuse_all(x, place, key)
        return self.classify(x if place is None else torch.where(place, x, 0.0))  # type: ignore[no-any-return]

    def _pyramid_pooling(
        self,
        coarse: Float[Tensor, "batch width row column"],
        where: Bool[Tensor, "batch 1 row column"] | None,
        key: Key | None,
    ) -> Float[Tensor, "batch channel row column"]:
        shape = (coarse.shape[-2], coarse.shape[-1])
        seen = coarse if where is None else coarse.masked_fill(~where, -torch.inf)
        parts = []
        for side, conv in zip(POOLED_SIDES, self.pooled, strict=True):
            pooled = F.adaptive_max_pool2d(seen, side)
            known = None if where is None else (pooled != -torch.inf).any(dim=1, keepdim=True)
            if known is not None:
                pooled = torch.where(known, pooled, 0.0)
            parts.append(resize(conv(pooled), shape, known))
        return self.pool_fusion(torch.cat([*parts, coarse], dim=1), where, key)  # type: ignore[no-any-return]


class ConvolutionLayer(nn.Module):
    """Convolution 1x1, group norm, GELU, dropout."""

    def __init__(self, into: int, out: int, dropout: float):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 1)
        self.norm = nn.GroupNorm(HEAD_GROUPS, out, eps=1e-5)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch into height width"],
        where: Bool[Tensor, "batch 1 height width"] | None,
        key: Key | None = None,
    ) -> Float[Tensor, "batch out height width"]:
        return self.dropout(F.gelu(group_norm(self.conv(x), self.norm, where)), key)  # type: ignore[no-any-return]


class Level(nn.Module):
    """Convolution 1x1, group norm, GELU, a transposed convolution that enlarges `factor` times (not where out is None),
    dropout."""

    def __init__(self, into: int, width: int, out: int | None, factor: int, dropout: float):
        super().__init__()
        self.conv = nn.Conv2d(into, width, 1)
        self.norm = nn.GroupNorm(LEVEL_GROUPS, width, eps=1e-5)
        self.enlarge = None if out is None else nn.ConvTranspose2d(width, out, factor, stride=factor)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        x: Float[Tensor, "batch into row column"],
        where: Bool[Tensor, "batch 1 row column"] | None,
        key: Key | None = None,
    ) -> Float[Tensor, "batch out height width"]:
        x = F.gelu(group_norm(self.conv(x), self.norm, where))
        return self.dropout(x if self.enlarge is None else self.enlarge(x), key)  # type: ignore[no-any-return]


def group_norm(
    x: Float[Tensor, "batch channel height width"],
    norm: nn.GroupNorm,
    where: Bool[Tensor, "batch 1 height width"] | None,
) -> Float[Tensor, "batch channel height width"]:
    """The group norm with statistics over the pixels `where` only; elsewhere the result is 0 before scale and shift."""
    if where is None:
        # not norm(x): that refuses one value per group, which an image of one place may have
        return torch.group_norm(x, norm.num_groups, norm.weight, norm.bias, norm.eps)
    # under autocast x is bfloat16, in which the mean of many values has two digits
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    split = x.reshape(x.shape[0], norm.num_groups, -1, *x.shape[-2:])
    inside, axes = where[:, None], (2, 3, 4)
    count = (inside.sum(dim=axes, keepdim=True) * split.shape[2]).clamp(min=1)
    mean = torch.where(inside, split, 0.0).sum(dim=axes, keepdim=True) / count
    centred = torch.where(inside, split - mean, 0.0)
    variance = centred.square().sum(dim=axes, keepdim=True) / count
    normed = (centred / (variance + norm.eps).sqrt()).flatten(1, 2)
    scaled: Tensor = normed * norm.weight[:, None, None] + norm.bias[:, None, None]
    return scaled


def resize(
    x: Float[Tensor, "batch channel height width"],
    shape: tuple[int, int],
    where: Bool[Tensor, "batch 1 height width"] | None = None,
    corners: bool = True,
) -> Float[Tensor, "batch channel rows columns"]:
    """Bilinear; a mean over the pixels `where` only, 0 with none of them nearby. corners: the centres of the corner
    pixels stay in place, as in the released models; otherwise the edges of the image do, so that pixels keep their
    positions on the ground."""
    if where is None:
        return F.interpolate(x, shape, mode="bilinear", align_corners=corners)
    weight = F.interpolate(where.to(x.dtype), shape, mode="bilinear", align_corners=corners)
    total = F.interpolate(torch.where(where, x, 0.0), shape, mode="bilinear", align_corners=corners)
    return total / torch.where(weight > 0, weight, 1.0)


def _enlarged(
    where: Bool[Tensor, "batch 1 row column"] | None, like: Float[Tensor, "batch channel height width"]
) -> Bool[Tensor, "batch 1 height width"] | None:
    """`where` repeated for the pixels of another level."""
    if where is None:
        return None
    factor = like.shape[-1] // where.shape[-1]
    return where.repeat_interleave(factor, dim=-2).repeat_interleave(factor, dim=-1)
