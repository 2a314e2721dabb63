"""Labels in files, before any file is opened: what a folder, a table or a known data set says."""

from collections.abc import Callable
from dataclasses import dataclass

from spectralgpt.data.image_source import ImageSource
from spectralgpt.raster import Readable
from spectralgpt.tasks import Class, TargetKind


@dataclass(frozen=True, slots=True)
class FileSample:
    """A sample, as its files' names or a table describe it.

    name: unique in its set, like its path below the set's folder. image: its image; before, of a pair. after: of a
    pair. labels: names of its classes. mask: absolute path, empty without one. codes: of the classes in this mask,
    where masks of one set are coded differently; empty where they are the set's. The others are as in LabelledSample;
    a position that is not known here is that of the image's grid.
    """

    name: str
    image: ImageSource
    after: ImageSource | None = None
    labels: tuple[str, ...] = ()
    mask: str = ""
    codes: tuple[int, ...] = ()
    split: str = ""
    group: str = ""
    position: tuple[float, float] | None = None
    date: str = ""


@dataclass(frozen=True, slots=True)
class FileLabels:
    """A labelled data set in files.

    source: its folder or table. classes: all of them in order, empty where they are those that occur. codes: of the
    classes in masks, in the order of `classes`; empty where they are those that occur. ignore: codes of pixels that are
    not labelled. open: how an image is opened where `open_raster` cannot read its files. notes: what was left out and
    why.
    """

    source: str
    target: TargetKind
    samples: tuple[FileSample, ...]
    classes: tuple[Class, ...] = ()
    codes: tuple[int, ...] = ()
    ignore: tuple[int, ...] = ()
    open: Callable[[ImageSource], Readable] | None = None
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """What its samples are read from: images, clouds and masks."""
        images = [each for sample in self.samples for each in (sample.image, sample.after) if each is not None]
        clouds = [each.clouds for each in images if each.clouds]
        masks = [sample.mask for sample in self.samples if sample.mask]
        return (*(path for each in images for path in each.paths), *clouds, *masks)
