"""Masks without the labels of pixels that were not measured: nothing can be asked there, of any method."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool

from spectralgpt.data.labels.labelled import IGNORED, LabelledImage, LabelledSample, LabelledSet
from spectralgpt.raster import Readable, Window
from spectralgpt.tasks import Class, TargetKind

PIXELS_AT_ONCE = 2**20
"""Pixels of an image that are read at once to see which are valid."""


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredLabels:
    """A labelled set of masks in which a pixel is labelled only where its image has a valid band; of a pair, at both
    dates. So every method is scored on the same pixels."""

    whole: LabelledSet
    _dropped: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return self.whole.source

    @property
    def target(self) -> TargetKind:
        return self.whole.target

    @property
    def classes(self) -> tuple[Class, ...]:
        return self.whole.classes

    @property
    def samples(self) -> tuple[LabelledSample, ...]:
        return self.whole.samples

    @property
    def notes(self) -> tuple[str, ...]:
        return self.whole.notes

    def read(self, index: int) -> LabelledImage:
        """The image and mask of a sample."""
        found = self.whole.read(index)
        assert found.mask is not None, "a set of masks has them"
        labelled = found.mask != IGNORED
        kept = labelled & seen(found.image, pair=self.target == "change")
        self._dropped[index] = int(labelled.sum()), int(labelled.sum() - kept.sum())
        return found if kept.sum() == labelled.sum() else replace(found, mask=np.where(kept, found.mask, IGNORED))

    @property
    def dropped(self) -> tuple[int, int]:
        """Labelled pixels of the samples that were read, and how many of them are left out."""
        labelled, left = zip(*self._dropped.values(), strict=True) if self._dropped else ((0,), (0,))
        return sum(labelled), sum(left)


def seen(image: Readable, *, pair: bool) -> Bool[np.ndarray, "row column"]:
    """Where any band is valid at any date; of a pair, at both."""
    height, width = image.shape[2:]
    rows = max(1, PIXELS_AT_ONCE // width)
    parts = []
    for row in range(0, height, rows):
        window = Window(row, 0, min(rows, height - row), width)
        valid = image.read(window).valid
        of_date = np.ones((1, *window.shape), bool) if valid is None else valid.any(axis=1)
        parts.append(of_date.all(axis=0) if pair else of_date.any(axis=0))
    return np.concatenate(parts)
