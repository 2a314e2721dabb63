"""From stored values of a batch to a cube of one size: crops, flips, turns, missing bands; then the model's units.

All draws are functions of each sample's key, made on the host before anything moves; so a cube is the same however the
batch of a step is divided among processes, and no step waits for a device.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float64, Int16, Int64
from torch import Tensor

from spectralgpt.bands import Alignment, Band, BandSet, align
from spectralgpt.data.crops import Crops, CropWindow, Kernel, Resampling, centred_crops
from spectralgpt.data.samples import Samples
from spectralgpt.draws import keys, uniform
from spectralgpt.errors import OptionError, check_choice
from spectralgpt.nn import Cube, Normalization, Scaling, computing_in
from spectralgpt.nn.pipeline import fixed_scaling, normalized, surely_finite
from spectralgpt.nn.stored_images import Feeding, StoredImages

AREA, ASPECT, ROW, COLUMN, TURN, FLIP_ROWS, FLIP_COLUMNS, LOSES, LOSES_GROUPS, LOST, ORDER = range(11)
"""What is drawn: a part of the keys."""
STREAM = 0xC50B5
"""Separates these draws from others with the same keys."""
SMALLEST = 8
"""Least side of a crop in pixels, where the image has them: the side of a patch."""
CHUNK = 1 << 20
"""Bytes of float32 processed at a time on a CPU, so that they stay in its cache."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How a sample is drawn from its image.

    image: the cube's side in pixels, at least 8. area, aspect: the crop's share of the image's pixels, and its width
    divided by its height (log-uniform). gsd: instead, the size of the cube's pixels in metres (log-uniform, lowest and
    highest), in square crops of samples with a known GSD. flips: along rows and along columns, each half of the time.
    turns: by quarters. missing_bands: share of batches without some of their bands. kernel, antialias: of the
    resampling. OptionError for values that cannot be drawn.
    """

    image: int
    area: tuple[float | int, float | int] = (0.2, 1.0)
    aspect: tuple[float | int, float | int] = (3 / 4, 4 / 3)
    gsd: tuple[float | int, float | int] | None = None
    flips: bool = True
    turns: bool = True
    missing_bands: float | int = 0.0
    kernel: Kernel = "bicubic"
    antialias: bool = True

    def __post_init__(self) -> None:
        limits: tuple[tuple[str, bool, str], ...] = (
            ("image", self.image >= SMALLEST, f"{SMALLEST} or more pixels"),
            ("area", _ordered(self.area) and self.area[1] <= 1, "two shares above 0 and up to 1, the smaller first"),
            ("aspect", _ordered(self.aspect), "two ratios above 0, the smaller first"),
            (
                "gsd",
                self.gsd is None or _ordered(self.gsd),
                "two numbers of metres above 0, the smaller first, or none",
            ),
            ("missing_bands", 0 <= self.missing_bands <= 1, "a share from 0 to 1"),
        )
        for name, fits, expected in limits:
            if not fits:
                raise OptionError(f"augmentation.{name}: found {getattr(self, name)}", f"{expected}")
        check_choice("kernel", self.kernel, get_args(Kernel))


def _ordered(ends: tuple[float | int, float | int]) -> bool:
    return 0 < ends[0] <= ends[1] < math.inf


def augmented(
    samples: Samples,
    augmentation: Augmentation,
    model_bands: BandSet,
    normalization: Normalization,
    *,
    own: bool = False,
    trained_side: int,
    device: torch.device | str | None = None,
) -> Cube:
    """A drawn cube of each sample.

    samples: on the CPU, where everything is drawn; device: where the cube is made, default the samples'. Values that
    are not valid take their band's mean before resampling; a pixel is valid if all pixels with a weight in it are.
    BandError when the model supports none of the bands.
    """
    kept = kept_bands(_aligned(samples.bands, model_bands, own).bandset, samples.draw, augmentation.missing_bands)
    crops = drawn_crops(samples, augmentation)
    resampling = crops.resampling(
        samples.values.shape[-1],
        augmentation.image,
        augmentation.kernel,
        augmentation.antialias,
        samples.values.device if device is None else torch.device(device),
    )
    feeding = _feeding(samples.bands, model_bands, own, kept)
    return _cube(samples, crops, resampling, feeding, normalization, trained_side)


def centred(
    samples: Samples,
    image: int,
    model_bands: BandSet,
    normalization: Normalization,
    *,
    own: bool = False,
    trained_side: int,
    device: torch.device | str | None = None,
) -> Cube:
    """The middle image x image pixels of each sample, unchanged, in all bands: nothing is drawn.

    Of a smaller sample, the largest square in its middle, resampled. samples, device, errors: as for augmented.
    """
    crops = centred_crops(samples.extent, image)
    device = samples.values.device if device is None else torch.device(device)
    resampling = crops.resampling(samples.values.shape[-1], image, "bicubic", True, device)
    return _cube(samples, crops, resampling, _feeding(samples.bands, model_bands, own), normalization, trained_side)


def augmented_mask(
    samples: Samples, augmentation: Augmentation, *, device: torch.device | str | None = None
) -> Int16[Tensor, "batch height width"]:
    """The masks of the cubes that `augmented` makes of these samples: the same crops, flips and turns.

    Never interpolated: each pixel is the one of the sample's mask under its centre; -1 where not labelled. device: as
    for augmented. ValueError for samples without masks.
    """
    return _mask(samples, drawn_crops(samples, augmentation), augmentation.image, device)


def centred_mask(
    samples: Samples, image: int, *, device: torch.device | str | None = None
) -> Int16[Tensor, "batch height width"]:
    """The masks of the cubes that `centred` makes of these samples, as for augmented_mask."""
    return _mask(samples, centred_crops(samples.extent, image), image, device)


def _mask(
    samples: Samples, crops: Crops, image: int, device: torch.device | str | None
) -> Int16[Tensor, "batch height width"]:
    if samples.target is None or samples.target.ndim != 3:
        raise ValueError("found samples without masks")
    return crops.nearest(samples.target, image, samples.target.device if device is None else torch.device(device))


def drawn_crops(samples: Samples, augmentation: Augmentation) -> Crops:
    """Where each sample is cut out, inside its extent, and how the crop is turned.

    By area: the share is uniform; the aspect is log-uniform among those with which that area fits into the extent (in a
    narrow image, the nearest one that fits). Sides are at least 8 pixels, where the image has them.
    """
    draw = partial(_drawn, key=samples.key.numpy())
    extent = samples.extent.numpy().astype(np.float64)
    shared = draw(AREA)
    sides = _sides_by_area(extent, augmentation, shared, draw(ASPECT))
    if augmentation.gsd is not None:
        low, high = augmentation.gsd
        gsd = samples.gsd.numpy().astype(np.float64)
        side = augmentation.image * low * (high / low) ** shared / gsd
        square = np.minimum(side, extent.min(axis=1))[:, None]
        sides = np.where(np.isfinite(gsd)[:, None], square, sides)
    length = np.clip(np.round(sides), np.minimum(SMALLEST, extent), extent)
    place = np.stack([draw(ROW), draw(COLUMN)], axis=1)
    start = np.floor(place * (extent - length + 1))
    turns = np.floor(4 * draw(TURN)).astype(np.int64) * augmentation.turns
    flips = np.stack([draw(FLIP_ROWS), draw(FLIP_COLUMNS)], axis=1) < 0.5 * augmentation.flips
    # a turn swaps rows and columns and reverses the new rows (1), both (2), or the new columns (3)
    reversed_ = np.stack([turns >= 2, (turns == 1) | (turns == 2)], axis=1) ^ flips
    rectangle = torch.from_numpy(np.stack([start, length], axis=1).astype(np.int64))
    return Crops(rectangle[:, :, 0], rectangle[:, :, 1], torch.from_numpy(reversed_), torch.from_numpy(turns % 2 == 1))


def kept_bands(bands: BandSet, draw: int, missing: float | int) -> tuple[int, ...]:
    """Which of the bands a batch keeps: all or, in a share `missing` of draws, fewer. Half of the time it loses whole
    groups, else single bands; their number is uniform, and at least one is kept."""
    key = np.array([draw], np.int64)
    every = tuple(range(len(bands)))
    if not _drawn(LOSES, key)[0] < missing:
        return every
    groups = np.array(bands.group_of_band)
    by_group = len(bands.groups) > 1 and _drawn(LOSES_GROUPS, key)[0] < 0.5
    unit = groups if by_group else np.arange(len(bands))
    count = int(unit[-1]) + 1
    if count == 1:
        return every
    lost = 1 + int(_drawn(LOST, key)[0] * (count - 1))
    gone = np.argsort(keys(STREAM + ORDER, key, np.arange(count)))[:lost]
    return tuple(i for i in every if unit[i] not in gone)


def _drawn(what: int, key: Int64[np.ndarray, " batch"]) -> Float64[np.ndarray, " batch"]:
    """Uniform, from 0 to below 1."""
    return uniform(keys(STREAM + what, key))


def _sides_by_area(
    extent: Float64[np.ndarray, "batch 2"],
    augmentation: Augmentation,
    shared: Float64[np.ndarray, " batch"],
    aspect: Float64[np.ndarray, " batch"],
) -> Float64[np.ndarray, "batch 2"]:
    height, width = extent.T
    low, high = augmentation.area
    area = height * width * (low + (high - low) * shared)
    least, most = area / height**2, width**2 / area  # limits of the aspects that fit; the image's own always does
    narrow, wide = (np.clip(end, least, most) for end in augmentation.aspect)
    drawn = narrow * (wide / narrow) ** aspect
    return np.stack([np.sqrt(area / drawn), np.sqrt(area * drawn)], axis=1)


@lru_cache(maxsize=64)
def _aligned(bands: tuple[Band, ...], model_bands: BandSet, own: bool) -> Alignment:
    return align(bands, model_bands, own)


@lru_cache(maxsize=256)
def _feeding(bands: tuple[Band, ...], model_bands: BandSet, own: bool, kept: tuple[int, ...] | None = None) -> Feeding:
    return Feeding.of(bands, _aligned(bands, model_bands, own), kept)


@torch.no_grad()
def _cube(
    samples: Samples,
    crops: Crops,
    resampling: Resampling,
    feeding: Feeding,
    normalization: Normalization,
    trained_side: int,
) -> Cube:
    (batch, dates, _, _, side), image = samples.values.shape, resampling.side
    device = resampling.rows.device
    # reading of tensors, and indexing by lists, come first, while they are still on the host
    gsd = (samples.gsd.double() * crops.area().sqrt() / image).float().to(device, non_blocking=True)
    stored = _stored(samples, feeding, device).to(device)
    kind = normalization.kind_for(side, trained_side, False)
    scaling = fixed_scaling(kind, normalization, feeding, (batch, dates), device)
    shape = batch, dates, len(feeding.bands)
    values = torch.empty((*shape, image, image), device=device)
    made = scaling or Scaling("min_max", *torch.empty((2, *shape), device=device))
    valid = None
    with computing_in("fp32", device):
        for part in _parts(batch, 4 * dates * len(feeding.used) * side * side, device):
            window = crops.window(part)
            units = None if scaling is None else replace(made, centre=made.centre[part], scale=made.scale[part])
            shown = CropWindow(window, resampling.of(part, window))
            _, seen, own = normalized(stored.part(part), units, shown, out=values[part])
            if scaling is None:
                made.centre[part], made.scale[part] = own.centre, own.scale
            if seen is not None:
                valid = torch.ones_like(values, dtype=torch.bool) if valid is None else valid
                valid[part] = seen
    return Cube(values, valid, feeding.bands, samples.days.to(device, non_blocking=True), gsd, made)


def _stored(samples: Samples, feeding: Feeding, device: torch.device) -> StoredImages:
    """The samples on the host; for another device, also whether some values may not be valid."""
    used = list(feeding.used)
    scale, offset = (each[:, None, used, None, None] for each in (samples.scale, samples.offset))
    extent = samples.extent if bool((samples.extent < samples.values.shape[-1]).any()) else None
    holes = None
    if device.type != "cpu":
        holes = samples.valid is not None or not surely_finite(samples.values, (samples.scale, samples.offset))
    return StoredImages(samples.values, samples.valid, scale, offset, feeding, extent, holes)


def _parts(batch: int, size: int, device: torch.device) -> Sequence[slice]:
    """Slices of the batch; size: bytes of one sample as float32."""
    count = max(1, CHUNK // size) if device.type == "cpu" else batch
    return [slice(start, start + count) for start in range(0, batch, count)]
