"""What a labelled data set is, wherever its images and labels come from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int16

from spectralgpt.raster import Readable
from spectralgpt.tasks import Class, TargetKind

IGNORED = -1
"""The index, in a mask, of pixels that are not labelled or are to be ignored."""


@dataclass(frozen=True, slots=True)
class LabelledSample:
    """What is known of a sample before its image is read.

    name: unique in its set, like its path below the set's folder. labels: indices of its classes; one for a target
    `class`, any number for `classes`, none for masks. split: train, val or test, empty where the set does not say.
    group: samples of one group are never in two parts, empty where unknown. position: longitude and latitude of the
    centre, None where unknown. extent: metres from the centre to a corner on the ground, nan where unknown. date: ISO,
    empty where unknown.
    """

    name: str
    labels: tuple[int, ...] = ()
    split: str = ""
    group: str = ""
    position: tuple[float, float] | None = None
    extent: float = float("nan")
    date: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """A sample's image and mask.

    image: for a target `change` it has two dates, before and after, on one grid. mask: indices of classes, IGNORED
    where not labelled; None for targets without masks.
    """

    image: Readable
    mask: Int16[np.ndarray, "row column"] | None = None


def in_other_classes(image: LabelledImage, index: Sequence[int]) -> LabelledImage:
    """The image with its mask in other classes. index: of each class among them."""
    if image.mask is None or tuple(index) == tuple(range(len(index))):
        return image
    table = np.array([*index, IGNORED], np.int16)  # the last is read by IGNORED, which is -1
    return replace(image, mask=table[image.mask])


@runtime_checkable
class LabelledSet(Protocol):
    """A labelled data set, checked: every sample can be read. Each sample is read when it is needed."""

    @property
    def source(self) -> str:
        """Where it comes from, in words for messages: a path."""

    @property
    def target(self) -> TargetKind:
        """What its labels are."""

    @property
    def classes(self) -> tuple[Class, ...]:
        """Its classes; labels and masks hold indices of them. A target `change` has two: no change, change."""

    @property
    def samples(self) -> tuple[LabelledSample, ...]: ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know: warnings of the input check, what was left out and why."""

    def read(self, index: int) -> LabelledImage:
        """The image and mask of a sample. InputError, naming the file, when it cannot be read. Thread-safe."""
