"""A backbone with a head: classification, segmentation, change detection."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spectralgpt.errors import OptionError
from spectralgpt.nn.backbone import Backbone, initialize
from spectralgpt.nn.cube import Cube
from spectralgpt.nn.heads import DenseConfig, DenseHead, Merge, Merged, PooledConfig, PooledHead
from spectralgpt.nn.sizes import ModelConfig

Combine = Literal["difference", "concatenation"]


@dataclass(frozen=True, slots=True)
class ChangeConfig(DenseConfig):
    """A dense head on two times. combine: it sees their difference, before less after (the paper's), or both."""

    classes: int = 2
    level_dropout: float = 0.0
    combine: Combine = "difference"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says, of an image or of its pixels.

    logits: before softmax, or before the sigmoid where several labels may hold at once. present: where there was
    anything to see; None: everywhere. axes: none, or height and width.
    """

    logits: Float[Tensor, "batch class *axes"]
    present: Bool[Tensor, "batch *axes"] | None
    several: bool = False

    @property
    def probabilities(self) -> Float[Tensor, "batch class *axes"]:
        """Of each class; NaN where nothing was seen."""
        of_each = self.logits.sigmoid() if self.several else self.logits.softmax(dim=1)
        return of_each if self.present is None else torch.where(self.present[:, None], of_each, torch.nan)

    @property
    def classes(self) -> Int[Tensor, "batch *axes"] | Bool[Tensor, "batch class"]:
        """The likeliest class, -1 where nothing was seen; with several labels: true for each likelier than not."""
        if self.several:
            return self.probabilities > 0.5
        likeliest = self.logits.argmax(dim=1)
        return likeliest if self.present is None else torch.where(self.present, likeliest, -1)


class Classification(Backbone):
    """The backbone with a pooled head: one label an image, or several."""

    def __init__(self, config: ModelConfig, head: PooledConfig):
        super().__init__(config)
        self.head = PooledHead(head, config.size.dim)
        initialize(self.encoder)

    def forward(self, cube: Cube) -> Float[Tensor, "batch class"]:
        """Logits."""
        ((features,), present) = self._encoded(cube, (self.config.size.depth,), normed=False)
        seen = None if present is None else present.flatten(1)
        return self.head(features.flatten(1, 4), seen, self.encoder.norm)  # type: ignore[no-any-return]

    @torch.no_grad()
    def predict(self, cube: Cube) -> Prediction:
        """Classes of the images."""
        present = None if cube.valid is None else cube.valid.flatten(1).any(dim=1)
        return Prediction(self(cube), present, self.head.config.several)


class Segmentation(Backbone):
    """The backbone with the dense head: a class for each pixel. Several dates become one map."""

    def __init__(self, config: ModelConfig, head: DenseConfig):
        super().__init__(config)
        self.block = read_block(config, head)
        self.merge = Merge(tuple(group.wavelength for group in config.bands.groups), config.size.dim)
        self.head = DenseHead(head, config.size.dim, config.patch)
        initialize(self.encoder)

    def forward(self, cube: Cube) -> Float[Tensor, "batch class height width"]:
        """Logits of every pixel; arbitrary, but finite, where no token is."""
        ((features,), present) = self._encoded(cube, (self.block,), normed=False)
        return cropped(self.head(self.merge(features, present, cube.bands)), cube)

    @torch.no_grad()
    def predict(self, cube: Cube) -> Prediction:
        """Classes of the pixels; nothing where no band of no date is valid."""
        return Prediction(self(cube), None if cube.valid is None else cube.valid.flatten(1, 2).any(dim=1))


class ChangeDetection(Backbone):
    """The backbone, on each of two times alone, with the dense head on what they have in common or not."""

    def __init__(self, config: ModelConfig, head: ChangeConfig):
        super().__init__(config)
        if head.combine not in get_args(Combine):
            raise OptionError(f"found {head.combine!r} of two times; expected one of {', '.join(get_args(Combine))}.")
        self.combine = head.combine
        self.block = read_block(config, head)
        dim = config.size.dim
        self.merge = Merge(tuple(group.wavelength for group in config.bands.groups), dim)
        self.head = DenseHead(head, dim if head.combine == "difference" else 2 * dim, config.patch)
        initialize(self.encoder)

    def forward(self, cube: Cube, after: Cube | None = None) -> Float[Tensor, "batch class height width"]:
        """Logits of every pixel; their log-softmax is the released model's output.

        cube: two dates, before and after; or, with `after`, all that is known of the time before: any dates, bands that
        may be others, on the same pixels. Raises OptionError for anything else.
        """
        before, after = both_times(cube, after)
        if before.stacks_with(after):
            # one pass for both
            stacked = self._merged(before.stacked(after))
            features = stacked.features.chunk(2)
            present = (None, None) if stacked.present is None else stacked.present.chunk(2)
            times = (Merged(features[0], present[0]), Merged(features[1], present[1]))
        else:
            times = (self._merged(before), self._merged(after))
        return cropped(self.head(self._combined(*times)), before)

    @torch.no_grad()
    def predict(self, cube: Cube, after: Cube | None = None) -> Prediction:
        """Classes of the pixels (in the released model 0 is no change, 1 change); nothing where one of the times has no
        valid band."""
        logits = self(cube, after)
        there = [each.valid.flatten(1, 2).any(dim=1) for each in both_times(cube, after) if each.valid is not None]
        return Prediction(logits, torch.stack(there).all(dim=0) if there else None)

    def _merged(self, cube: Cube) -> Merged:
        ((features,), present) = self._encoded(cube, (self.block,), normed=False)
        return self.merge(features, present, cube.bands)  # type: ignore[no-any-return]

    def _combined(self, before: Merged, after: Merged) -> Merged:
        there = [each.present for each in (before, after) if each.present is not None]
        if self.combine == "difference":
            features = before.features - after.features
        else:
            features = torch.cat([before.features, after.features], dim=1)
        present = torch.stack(there).all(dim=0) if there else None
        return Merged(features if present is None else torch.where(present[:, None], features, 0.0), present)


def read_block(config: ModelConfig, head: DenseConfig) -> int:
    """The block whose features a dense head reads, 1-based. OptionError when it is not there."""
    if head.block > config.size.depth:
        raise OptionError(f"found a head on block {head.block}; expected one of the model's {config.size.depth}.")
    return head.block or config.size.depth


def cropped(logits: Float[Tensor, "batch class rows columns"], cube: Cube) -> Float[Tensor, "batch class height width"]:
    """Without the pixels by which the image was padded to whole patches."""
    return logits[..., : cube.shape[-2], : cube.shape[-1]]


def both_times(cube: Cube, after: Cube | None) -> tuple[Cube, Cube]:
    """Before and after, from one cube of two dates or from two cubes. OptionError for anything else."""
    if after is None:
        if cube.shape[1] != 2:
            raise OptionError(f"found {cube.shape[1]} dates; expected 2, before and after. For more, give two cubes.")
        return cube.at_date(0), cube.at_date(1)
    if (cube.shape[0], *cube.shape[-2:]) != (after.shape[0], *after.shape[-2:]):
        raise OptionError(
            f"found {cube.shape[0]} images of {cube.shape[-2]} x {cube.shape[-1]} pixels before and {after.shape[0]} "
            f"of {after.shape[-2]} x {after.shape[-1]} after; expected the same places at the same size."
        )
    return cube, after
