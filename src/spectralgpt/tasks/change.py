"""Change detection: what changed at each pixel between two times."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spectralgpt.errors import OptionError
from spectralgpt.metrics import CHANGE_SCORES
from spectralgpt.nn import (
    Backbone,
    Cube,
    DenseConfig,
    Key,
    LightConfig,
    Merge,
    Merged,
    ModelConfig,
    Prediction,
    cropped,
    evaluating,
    initialize,
    of_cubes,
    other_key,
)
from spectralgpt.tasks.mask_fitting import MaskFitting
from spectralgpt.tasks.segmentation import ClassMap
from spectralgpt.tasks.task import TargetKind, Task

Combine = Literal["difference", "distance", "concatenation"]
"""What a head sees of two times: their difference, before minus after, as in the paper; its absolute value, so that the
order of the times does not matter; or both times."""


@dataclass(frozen=True, slots=True)
class ChangeConfig(DenseConfig):
    """A dense head on two times. combine: what it sees of them."""

    classes: int = 2
    level_dropout: float = 0.0
    combine: Combine = "difference"

    def words(self, depth: int) -> str:
        """The head in words."""
        # not super(): with slots, the dataclass is another class than the one that the compiler saw
        return f"{DenseConfig.words(self, depth)}, of the {self.combine} of both times"


@dataclass(frozen=True, slots=True)
class LightChange(LightConfig):
    """A light head on two times. combine: what it sees of their normalized features."""

    classes: int = 2
    combine: Combine = "difference"

    def words(self, depth: int) -> str:
        """The head in words."""
        return f"{LightConfig.words(self, depth)}, of the {self.combine} of both times"


class ChangeDetection(Backbone):
    """The backbone on each of two times separately, with a dense or light head on both maps of features combined."""

    def __init__(self, config: ModelConfig, head: ChangeConfig | LightChange):
        super().__init__(config)
        if head.combine not in get_args(Combine):
            raise OptionError(f"combine: found {head.combine!r}", f"one of: {', '.join(get_args(Combine))}")
        self.combine = head.combine
        self.blocks = head.blocks(config.size.depth)
        dim = config.size.dim
        self.merge = Merge(tuple(group.wavelength for group in config.bands.groups), dim, head.normed)
        self.head = head.make(2 * dim if head.combine == "concatenation" else dim, config.patch, config.size.depth)
        initialize(self.encoder)

    def forward(
        self, cube: Cube, after: Cube | None = None, key: Key | None = None
    ) -> Float[Tensor, "batch class height width"]:
        """Logits of every pixel; their log-softmax is the released model's output.

        cube: two dates, before and after; or, with `after`, the time before. Then each cube may have any dates and
        bands, on the same pixels. key: one per sample, for dropout and drop path in training. Raises OptionError for
        anything else.
        """
        before, after = both_times(cube, after)
        if before.stacks_with(after):
            # one pass for both
            keys = None if key is None else torch.cat([key, other_key(key)])
            times = [_halves(stacked) for stacked in self._merged(before.stacked(after), keys)]
        else:
            other = None if key is None else other_key(key)
            times = list(zip(self._merged(before, key), self._merged(after, other), strict=True))
        return cropped(self.head([self._combined(*each) for each in times], key), before)

    @of_cubes
    def predict(self, cube: Cube, after: Cube | None = None) -> Prediction:
        """Classes of the pixels (in the released model 0 is no change, 1 change); nothing where one of the times has no
        valid band. Nothing is dropped out, even in training mode."""
        with evaluating(self):
            logits = self(cube, after)
        there = [each.valid.flatten(1, 2).any(dim=1) for each in both_times(cube, after) if each.valid is not None]
        return Prediction(logits, torch.stack(there).all(dim=0) if there else None, thresholds=self.thresholds)

    def _merged(self, cube: Cube, key: Key | None) -> list[Merged]:
        features, present = self._encoded(cube, self.blocks, normed=False, key=key)
        return [self.merge(each, present, cube.bands) for each in features]

    def _combined(self, before: Merged, after: Merged) -> Merged:
        there = [each.present for each in (before, after) if each.present is not None]
        if self.combine == "concatenation":
            features = torch.cat([before.features, after.features], dim=1)
        else:
            difference = before.features - after.features
            features = difference if self.combine == "difference" else difference.abs()
        present = torch.stack(there).all(dim=0) if there else None
        return Merged(features if present is None else torch.where(present[:, None], features, 0.0), present)


def both_times(cube: Cube, after: Cube | None) -> tuple[Cube, Cube]:
    """Before and after, from one cube of two dates or from two cubes. OptionError for anything else."""
    if after is None:
        if cube.shape[1] != 2:
            raise OptionError(f"found {cube.shape[1]} dates", "2, before and after", "For more dates, give two cubes")
        return cube.at_date(0), cube.at_date(1)
    if (cube.shape[0], *cube.shape[-2:]) != (after.shape[0], *after.shape[-2:]):
        raise OptionError(
            (
                f"found {cube.shape[0]} images of {cube.shape[-2]} x {cube.shape[-1]} pixels before and "
                f"{after.shape[0]} of {after.shape[-2]} x {after.shape[-1]} after"
            ),
            "the same places at the same size",
        )
    return cube, after


def _halves(stacked: Merged) -> tuple[Merged, Merged]:
    """The maps of both times, from a batch with the first time in its first half."""
    before, after = stacked.features.chunk(2)
    present = (None, None) if stacked.present is None else stacked.present.chunk(2)
    return Merged(before, present[0]), Merged(after, present[1])


@dataclass(frozen=True, slots=True)
class DetectingChange(MaskFitting):
    """Fit whether each pixel changed between two dates. combine: as of the head."""

    task: ClassVar[str] = "change"
    combine: Combine = "difference"

    @property
    def labels(self) -> TargetKind:
        return "change"

    def head_config(self) -> ChangeConfig | LightChange:
        """The head; two classes as long as the classes are not known."""
        kind = LightChange if self.head == "light" else ChangeConfig
        return kind(classes=self.classes or 2, combine=self.combine, **self.widths())

    def seen(self, valid: Bool[Tensor, "batch date band height width"]) -> Bool[Tensor, "batch height width"]:
        """Those with a valid value at each time."""
        return valid.any(dim=2).all(dim=1)


TASK = Task(
    name="change",
    model=ChangeDetection,
    heads={"dense": ChangeConfig, "light": LightChange},
    class_name="ChangeDetector",
    purpose="what changed at each pixel between two times",
    pipeline="image-segmentation",  # the hub has no name for change detection
    tags=("change-detection",),
    example="classes = model.predict(cube).classes  # one per pixel",
    sources=("before.tif@2020-05-01", "after.tif@2021-05-01"),
    answers=ClassMap.of,
    targets={"change": CHANGE_SCORES},
    objective=DetectingChange,
)
