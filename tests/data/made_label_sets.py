"""Labelled sets in memory, of all four kinds and of several sensors, sizes and types."""

import os
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from affine import Affine
from made_rasters import PLACE, UTM
from rasterio.crs import CRS

from spectralgpt.bands import sensor
from spectralgpt.data import shard_labels
from spectralgpt.data.labels import LabelledImage, LabelledSample
from spectralgpt.errors import DataError
from spectralgpt.raster import Grid, Pixels
from spectralgpt.tasks import Class, TargetKind


def pixels(
    rows: int, columns: int, seed: int = 0, *, name: str = "s2-l2a", dtype: str = "uint16", dates: int = 1, placed=True
) -> Pixels:
    """An image with bands in another order than that of wavelength; every date, band, row and column differs."""
    bands = tuple(reversed(sensor(name).bands))
    values = np.random.default_rng(seed).integers(1, 9000, (dates, len(bands), rows, columns)).astype(dtype)
    grid = Grid(
        CRS.from_string(UTM).to_wkt() if placed else None, PLACE if placed else Affine.identity(), rows, columns
    )
    scale, offset = np.linspace(1e-4, 2e-4, len(bands)), np.linspace(-0.1, 0.0, len(bands))
    return Pixels(values, None, scale, offset, bands, grid, np.arange(dates, dtype=np.int32) + 18_000, 10.0)


def holey(image: Pixels, *where: slice) -> Pixels:
    """The image with pixels that are not valid in any band."""
    valid = np.ones(image.shape, bool)
    valid[(..., *where)] = False
    return replace(image, valid=valid)


def mask_of(rows: int, columns: int, classes: int, seed: int = 0) -> np.ndarray:
    """Every class and ignored pixels."""
    return np.random.default_rng(1000 + seed).integers(-1, classes, (rows, columns)).astype(np.int16)


@dataclass
class MadeLabels:
    """A labelled set. fails: samples that cannot be read."""

    target: TargetKind
    classes: tuple[Class, ...]
    samples: tuple[LabelledSample, ...]
    images: list[LabelledImage]
    source: str = "made"
    notes: tuple[str, ...] = ()
    fails: set[int] = field(default_factory=set)
    reads: list[int] = field(default_factory=list)

    def read(self, index: int) -> LabelledImage:
        self.reads.append(index)
        if index in self.fails:
            raise DataError(f"{self.samples[index].name}: cannot be read")
        return self.images[index]


def classes_of(count: int) -> tuple[Class, ...]:
    return tuple(Class(f"class {number}", "#1f77b4" if number % 2 else None) for number in range(count))


def made_labels(target: TargetKind, classes: int = 3, *, fails: tuple[int, ...] = ()) -> MadeLabels:
    """Six samples of three sensors and types: larger than a chip of 32 pixels, as large, and smaller."""
    dates = 2 if target == "change" else 1
    kinds = [("s2-l2a", "uint16"), ("landsat8-c2l2", "float32"), ("naip", "uint8")]
    shapes = [(67, 64), (32, 32), (20, 28), (64, 96), (32, 32), (40, 33)]
    classes = 2 if target == "change" else classes
    rng = np.random.default_rng(classes)
    samples, images = [], []
    for index, shape in enumerate(shapes):
        name, dtype = kinds[index % 3]
        labels: tuple[int, ...] = ()
        if target == "class":
            labels = (int(rng.integers(classes)),)
        elif target == "classes":
            labels = tuple(np.flatnonzero(rng.random(classes) < 0.4 * (index > 0)).tolist())
        samples.append(LabelledSample(f"folder/{index}.tif", labels))
        image = pixels(*shape, index, name=name, dtype=dtype, dates=dates, placed=index != 4)
        mask = mask_of(*shape, classes, index) if target in ("mask", "change") else None
        images.append(LabelledImage(image, mask))
    return MadeLabels(target, classes_of(classes), tuple(samples), images, fails=set(fails))


SPLITS = ("train", "train", "val", "test", "train", "")
GROUPS = ("a", "a", "b", "c", "", "d")


def killed_labels(how: str, at: int, out: Path, target: TargetKind, size: int) -> None:
    """Shard made labels and kill this process `before` or `behind` rename number `at`."""
    replaced, calls = os.replace, iter(range(1, 1000))

    def replacing(*names: os.PathLike[str]) -> None:
        last = next(calls) == at
        if last and how == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replaced(*names)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = replacing  # type: ignore[assignment]
    shard_labels(made_labels(target), out, splits=SPLITS, groups=GROUPS, chip=32, size=size)
    os.kill(os.getpid(), signal.SIGKILL)
