"""Small models, images in memory and labelled sets of them."""

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from made_rasters import land

from spectralgpt import as_pixels
from spectralgpt.bands import BandSet, sensor
from spectralgpt.data.labels import LabelledImage, LabelledSample
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size
from spectralgpt.raster import Pixels
from spectralgpt.tasks import Class
from spectralgpt.weights import SpectralGPT

made_pixels = partial(as_pixels, trust_input=True)
"""Values that are made up: they are not checked."""

CONFIG = ModelConfig(Size(48, 3, 4, 32, 1, 4), BandSet.native(sensor("spectralgpt-12").bands))
UNITS = Normalization("standard", tuple(BandStatistics(band, 2.0, 1.0) for band in sensor("s2-l1c").bands))


def made_image(rows: int, columns: int, seed: int = 0, *, hole: tuple[slice, slice] | None = None) -> Pixels:
    """A Level-1C image of 13 bands in memory. hole: rows and columns that are not valid in any band."""
    values = land(rows, columns, seed)
    pixels = made_pixels(values[None], bands="s2-l1c", dates=["2020-05-01"], gsd=10)
    if hole is None:
        return pixels
    valid = np.ones(pixels.shape, bool)
    valid[..., hole[0], hole[1]] = False
    return replace(pixels, valid=valid)


def with_bands(image: Pixels, some: slice) -> Pixels:
    """Some bands of an image."""
    valid = None if image.valid is None else image.valid[:, some]
    units = {"scale": image.scale[some], "offset": image.offset[some]}
    return replace(image, values=image.values[:, some], valid=valid, bands=image.bands[some], **units)


def pair(before: Pixels, after: Pixels) -> Pixels:
    """Two dates of one place."""
    valid = np.concatenate(
        [np.ones(each.shape, bool) if each.valid is None else each.valid for each in (before, after)]
    )
    return replace(
        before,
        values=np.concatenate([before.values, after.values]),
        valid=None if valid.all() else valid,
        days=np.concatenate([before.days, after.days + 30]),
    )


@dataclass
class MemorySet:
    """A labelled set of images in memory; `reads` counts how often each is read."""

    images: list[LabelledImage]
    target: str = "class"
    source: str = "made"
    classes: tuple[Class, ...] = (Class("a"), Class("b"))
    notes: tuple[str, ...] = ()
    reads: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, images: list[Pixels], **how) -> "MemorySet":
        return cls([LabelledImage(image) for image in images], **how)

    @property
    def samples(self) -> tuple[LabelledSample, ...]:
        return tuple(LabelledSample(f"image {index}") for index in range(len(self.images)))

    def read(self, index: int) -> LabelledImage:
        self.reads.append(index)
        return self.images[index]


def small_model(seed: int = 0) -> SpectralGPT:
    """Three blocks, on the bands of the released weights."""
    torch.manual_seed(seed)
    return SpectralGPT(CONFIG, UNITS).eval()
