"""A labelled data set in files, checked; images and masks are read when they are needed."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int16

from spectralgpt.data.labels.codes import on_grid, read_mask
from spectralgpt.data.labels.labelled import LabelledImage, LabelledSample
from spectralgpt.data.labels.opened_sample import Reopened
from spectralgpt.errors import InputError
from spectralgpt.raster import Grid, Raster
from spectralgpt.raster.handles import Handles
from spectralgpt.tasks import Class, TargetKind

READ_AT_ONCE = 2**24
"""Values up to which an image is read whole, in one go, so that no file stays open; larger ones are read by windows."""


@dataclass(frozen=True, slots=True, eq=False)
class FileSet:
    """A LabelledSet of files. images: opened lazily, one per sample. natives: the grids of their files, which masks lie
    on. masks: paths, empty for targets without masks. codes: of the classes in each mask, in their order. Picklable.
    """

    source: str
    target: TargetKind
    classes: tuple[Class, ...]
    samples: tuple[LabelledSample, ...]
    notes: tuple[str, ...]
    images: tuple[Raster | Reopened, ...]
    natives: tuple[Grid, ...]
    masks: tuple[str, ...] = ()
    codes: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> LabelledImage:
        """The image and mask of a sample. InputError, naming the file, when it cannot be read. Thread-safe."""
        held = self.images[index]
        image = held if isinstance(held, Raster) else held.readable()
        mask = self._mask(index, image.grid) if self.masks else None
        if not isinstance(image, Raster):
            return LabelledImage(image, mask)
        # files of its own: they are closed with it, and not while another thread reads the same sample
        alone = replace(image, _handles=Handles())
        if int(np.prod(image.shape)) > READ_AT_ONCE:
            return LabelledImage(alone, mask)
        with alone:
            return LabelledImage(alone.read(), mask)

    def _mask(self, index: int, grid: Grid) -> Int16[np.ndarray, "row column"]:
        stored = read_mask(self.masks[index])
        native = self.natives[index]
        if stored.grid.shape != native.shape:
            raise InputError(
                f"{self.masks[index]}: found {stored.grid.shape} pixels", f"{native.shape}, as when it was opened"
            )
        return on_grid(stored.indices(self.codes[index]), native, grid)
