"""The light head: an answer per pixel from features of several depths, at a small part of the dense head's cost."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from spectralgpt.errors import OptionError
from spectralgpt.nn.dropping import Dropout, Key, number_dropouts
from spectralgpt.nn.heads.dense import resize
from spectralgpt.nn.heads.merge import Merged

POINT = 2
"""Side in pixels of the points within a place, between which logits are interpolated."""


@dataclass(frozen=True, slots=True)
class LightConfig:
    """classes: their number. at: the encoder blocks that give the features, 1-based and increasing; none: a third, two
    thirds and all of the depth. channels: of each place, after the depths are joined. fine: channels of each point
    within a place. dropout: of the joined features, in training.

    Raises OptionError for values from which no head can be made.
    """

    classes: int
    at: tuple[int, ...] = ()
    channels: int = 256
    fine: int = 64
    dropout: float = 0.1

    def __post_init__(self) -> None:
        increasing = all(one < other for one, other in zip((0, *self.at), self.at, strict=False))
        if min(self.classes, self.channels, self.fine) < 1 or not increasing or not 0 <= self.dropout < 1:
            raise OptionError(
                (
                    f"found {self.classes} classes, blocks {list(self.at)}, {self.channels} and {self.fine} channels, "
                    f"dropout {self.dropout}"
                ),
                "at least one class and channel, increasing blocks from 1 on, a dropout from 0 to below 1",
            )

    @property
    def normed(self) -> bool:
        """True: depths differ in scale, so each token's features are normalized."""
        return True

    def blocks(self, depth: int) -> tuple[int, ...]:
        """The encoder blocks that it reads, 1-based, of `depth`. OptionError for one that does not exist."""
        if self.at and self.at[-1] > depth:
            raise OptionError(f"found a head on block {self.at[-1]}", f"blocks up to the model's {depth}")
        # depths below 3 have fewer thirds than blocks
        return self.at or tuple(sorted({max(1, depth * third // 3) for third in (1, 2, 3)}))

    def make(self, dim: int, patch: int, depth: int) -> "LightHead":
        """The head for maps of `dim` values per place, patches of `patch` pixels and an encoder of `depth` blocks."""
        return LightHead(self, dim * len(self.blocks(depth)), patch)

    def words(self, depth: int) -> str:
        """The head in words."""
        return f"1x1 convolutions on blocks {', '.join(map(str, self.blocks(depth)))}, enlarged bilinearly"


class LightHead(nn.Module):
    """Features of several depths joined by a 1x1 convolution; a second one gives each place a grid of points, a third
    each point its logits; between points they are interpolated.

    Up to the interpolation, which leaves out places without a token, a place's answer depends on its own features only:
    there are no statistics over the image, so a part of a scene is answered alike in any window.
    """

    def __init__(self, config: LightConfig, dim: int, patch: int):
        """dim: values per place of all maps together."""
        super().__init__()
        self.config, self.patch = config, patch
        self.points = max(1, patch // POINT)
        self.join = nn.Conv2d(dim, config.channels, 1)
        self.dropout = Dropout(config.dropout)
        self.spread = nn.Conv2d(config.channels, config.fine * self.points**2, 1)
        self.classify = nn.Conv2d(config.fine, config.classes, 1)
        number_dropouts(self)

    def forward(self, maps: Sequence[Merged], key: Key | None = None) -> Float[Tensor, "batch class height width"]:
        """Logits of all pixels of the places; arbitrary, but finite, where there is no token.

        maps: of the blocks that the configuration names, in order. key: one per sample, for dropout.
        """
        present = maps[0].present
        joined = self.join(torch.cat([each.features for each in maps], dim=1))
        places = self.dropout(F.gelu(joined), key)
        logits = self.classify(F.gelu(F.pixel_shuffle(self.spread(places), self.points)))
        shape = (joined.shape[-2] * self.patch, joined.shape[-1] * self.patch)
        if present is None:
            return resize(logits, shape, corners=False)
        points = present[:, None].repeat_interleave(self.points, dim=-2).repeat_interleave(self.points, dim=-1)
        return resize(logits, shape, points, corners=False)
