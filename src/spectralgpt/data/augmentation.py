"""Stored values of a batch to a cube of one size: crops, flips, turns, missing bands; then the model's units.

What is drawn is a function of each sample's key, and drawn on the host before anything moves; so a cube is the same
however a step's batch is cut among processes, and no step waits for a device.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64, Shaped
from torch import Tensor

from spectralgpt.bands import Alignment, Band, BandSet, align
from spectralgpt.data.crops import Crops, Kernel, centred_crops
from spectralgpt.data.samples import Samples
from spectralgpt.draws import keys, uniform
from spectralgpt.nn import Cube, Normalization, Scaling, ScalingKind

AREA, ASPECT, ROW, COLUMN, TURN, FLIP_ROWS, FLIP_COLUMNS, LOSES, LOSES_GROUPS, LOST, ORDER = range(11)
"""What is drawn, as a part of the keys."""
STREAM = 0xC50B5
"""So that nothing else is drawn of the same keys."""
SMALLEST = 8
"""Pixels of a crop's side, where the image has them: the sides of a patch."""
CHUNK = 1 << 20
"""Bytes of float32 that are worked on at once on a CPU, so that they stay near it."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How a sample is drawn from its image.

    image: the cube's side, pixels. area, aspect: the crop's share of the image's pixels, and its width by its height
    (log-uniform). gsd: instead the metres of the cube's pixels (log-uniform, lowest and highest), in square crops of
    samples whose GSD is known. flips: along rows and along columns, each half of the time. turns: by quarters.
    missing_bands: how often a batch is without some of its bands. kernel, antialias: of the resampling.
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
        if self.image < 1:
            raise ValueError(f"found an image of {self.image} pixels; expected at least 1")
        for name in ("area", "aspect", "gsd"):
            value = getattr(self, name)
            if value is not None and not 0 < value[0] <= value[1] < math.inf:
                raise ValueError(f"found {name} {value}; expected a low and a high end above 0")
        if self.area[1] > 1:
            raise ValueError(f"found area {self.area}; expected shares of the image, at most 1")
        if not 0 <= self.missing_bands <= 1:
            raise ValueError(f"found missing_bands {self.missing_bands}; expected a share from 0 to 1")


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

    samples: on the CPU, where all is drawn; device: where the cube is made, default there. Values that are not valid
    take their band's mean before they are resampled; a pixel is valid if all that has a weight in it was. Raises
    BandError when the model knows none of the bands.
    """
    kept = kept_bands(_aligned(samples.bands, model_bands, own).bandset, samples.draw, augmentation.missing_bands)
    plan = _plan(samples.bands, model_bands, own, kept)
    return _cube(samples, drawn_crops(samples, augmentation), augmentation, plan, normalization, trained_side, device)


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
    """The middle image x image pixels of each sample as they are, all bands: nothing is drawn.

    Of a sample that is smaller, the largest square in its middle, resampled. samples, device, errors: as of augmented.
    """
    plan = _plan(samples.bands, model_bands, own, tuple(range(len(_aligned(samples.bands, model_bands, own).bandset))))
    crops = centred_crops(samples.extent, image)
    return _cube(samples, crops, Augmentation(image), plan, normalization, trained_side, device)


def drawn_crops(samples: Samples, augmentation: Augmentation) -> Crops:
    """Where each sample is cut out, and how it lies.

    Inside the extent. By area: the share is uniform; the aspect log-uniform among those with which such an area fits
    into the extent (in a narrow image, the nearest one that fits). Sides at least 8 pixels, where the image has them.
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
    # a turn swaps rows and columns and reverses what are then rows (1), both (2), or what are then columns (3)
    reversed_ = np.stack([turns >= 2, (turns == 1) | (turns == 2)], axis=1) ^ flips
    rectangle = torch.from_numpy(np.stack([start, length], axis=1).astype(np.int64))
    return Crops(rectangle[:, :, 0], rectangle[:, :, 1], torch.from_numpy(reversed_), torch.from_numpy(turns % 2 == 1))


def kept_bands(bands: BandSet, draw: int, missing: float | int) -> tuple[int, ...]:
    """Which of the bands a batch has: all, or in a share `missing` of draws fewer: whole groups are lost half of the
    time, else single bands; how many is uniform, and one at least is kept."""
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
    """From 0 to below 1."""
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
    least, most = area / height**2, width**2 / area  # of the aspects that fit; the image's own is always one
    narrow, wide = (np.clip(end, least, most) for end in augmentation.aspect)
    drawn = narrow * (wide / narrow) ** aspect
    return np.stack([np.sqrt(area / drawn), np.sqrt(area * drawn)], axis=1)


@dataclass(frozen=True, slots=True)
class _Plan:
    """bands: the cube's. used: the file's bands that are read. sources: the file's bands behind each of the cube's.
    weights: of the used ones in each of the cube's, rows summing to 1; None when each is one of them, in this order."""

    bands: BandSet
    used: tuple[int, ...]
    sources: tuple[tuple[Band, ...], ...]
    weights: Float32[np.ndarray, "band used"] | None


@lru_cache(maxsize=64)
def _aligned(bands: tuple[Band, ...], model_bands: BandSet, own: bool) -> Alignment:
    return align(bands, model_bands, own)


@lru_cache(maxsize=256)
def _plan(bands: tuple[Band, ...], model_bands: BandSet, own: bool, kept: tuple[int, ...]) -> _Plan:
    alignment = _aligned(bands, model_bands, own)
    bandset = alignment.bandset if len(kept) == len(alignment.bandset) else alignment.bandset.subset(kept)
    feeding = [alignment.feeding[i] for i in kept]
    sources = tuple(tuple(bands[i] for i in fed) for fed in feeding)
    if all(len(fed) == 1 for fed in feeding):
        return _Plan(bandset, tuple(fed[0] for fed in feeding), sources, None)
    # in wavelength order, so that sums have one order whatever the file's is
    used = sorted({i for fed in feeding for i in fed}, key=lambda i: (bands[i].wavelength, bands[i].name))
    weights = alignment.matrix[np.ix_(kept, used)]
    return _Plan(bandset, tuple(used), sources, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


@torch.no_grad()
def _cube(
    samples: Samples,
    crops: Crops,
    augmentation: Augmentation,
    plan: _Plan,
    normalization: Normalization,
    trained_side: int,
    device: torch.device | str | None,
) -> Cube:
    image, (batch, dates, _, _, side) = augmentation.image, samples.values.shape
    device = samples.values.device if device is None else torch.device(device)
    kind = normalization.kind_for(side, trained_side, False)
    # what looks into tensors, and indices by lists, come first: they are still on the host
    padded = bool((samples.extent < side).any())
    gsd = (samples.gsd.double() * crops.area().sqrt() / image).float()
    scale, offset = (each[:, None, plan.used, None, None].float() for each in (samples.scale, samples.offset))
    gsd, scale, offset = (each.to(device, non_blocking=True) for each in (gsd, scale, offset))
    weights = None if plan.weights is None else torch.from_numpy(plan.weights).to(device, non_blocking=True)
    scaling = _scaling(kind, normalization, plan, (batch, dates), device)
    # extremes are of the whole image, and NaN of the padding would come through a product with 0
    always = kind == "min_max" or (padded and samples.values.is_floating_point())
    everything = slice(0, side), slice(0, side)

    samples = samples.to(device)
    resampling = crops.resampling(side, image, augmentation.kernel, augmentation.antialias, device)
    values = torch.empty((batch, dates, len(plan.bands), image, image), device=device)
    valid = None
    with torch.autocast(device.type, enabled=False):
        for part in _parts(batch, 4 * dates * len(plan.used) * side * side, device):
            window = crops.window(part)
            holes = _may_have_holes(samples, part, window)
            whole = holes or always
            lines, measured = _lines(samples, part, everything if whole else window, plan.used, whole, padded)
            units = scale[part], offset[part]
            if weights is not None:
                lines, measured = _merged(lines, measured, *units, weights)
                units = torch.ones_like(units[0][:, :, :1]), torch.zeros_like(units[1][:, :, :1])
            if kind == "min_max":
                scaling.centre[part], scaling.scale[part] = _extremes(lines, measured, *units)
            if measured is not None:
                lines = _filled(lines, measured)
            if whole:
                lines = lines[:, window[0], ..., window[1]]
            resampled = resampling.of(part, window)
            reflectance = torch.addcmul(units[1], resampled(lines), units[0], out=values[part])
            own = replace(scaling, centre=scaling.centre[part], scale=scaling.scale[part])
            values[part] = own.normalize(reflectance)
            if holes and measured is not None:
                valid = torch.ones_like(values, dtype=torch.bool) if valid is None else valid
                missed = ~measured[:, window[0], ..., window[1]]
                valid[part] = resampled.taps()(missed.float()) < 0.5  # none of its taps
    return Cube(values, valid, plan.bands, samples.days, gsd, scaling)


def _may_have_holes(samples: Samples, part: slice, window: tuple[slice, slice]) -> bool:
    """Whether something under the crops may not be valid: mostly nothing is, but only on a CPU can one look."""
    if samples.valid is None:
        return False
    return samples.valid.device.type != "cpu" or not bool(samples.valid[part, ..., *window].all())


def _scaling(
    kind: ScalingKind, normalization: Normalization, plan: _Plan, shape: tuple[int, int], device: torch.device
) -> Scaling:
    """By statistics; of min_max the tensors that take the extremes."""
    centre, scale = torch.empty((2, *shape, len(plan.bands)), device=device)
    if kind != "min_max":
        fixed = torch.from_numpy(normalization.fixed(kind, plan.bands.bands, plan.sources)).float()
        fixed = fixed.to(device, non_blocking=True)
        centre, scale = fixed[0].expand_as(centre), fixed[1].expand_as(scale)
    return Scaling(kind, centre, scale, kind == "two_sigma" and normalization.eight_bit)


def _parts(batch: int, size: int, device: torch.device) -> Sequence[slice]:
    """Slices of the batch; size: bytes of one sample as float32."""
    count = max(1, CHUNK // size) if device.type == "cpu" else batch
    return [slice(start, start + count) for start in range(0, batch, count)]


def _lines(
    samples: Samples, part: slice, window: tuple[slice, slice], used: tuple[int, ...], looked: bool, padded: bool
) -> tuple[Float32[Tensor, "batch row date band column"], Bool[Tensor, "batch row date band column"] | None]:
    """Stored values of some bands line by line, and what of them is valid; 0 where not, None where all is.

    looked: whether to look at what is valid at all. padded: whether there is padding, which is not.
    """
    lines = _by_line(samples.values[part, ..., *window], used, torch.float32)
    if not looked:
        return lines, None
    measured = None if samples.valid is None else _by_line(samples.valid[part, ..., *window], used, torch.bool)
    if padded:
        rows, columns = (
            torch.arange(size, device=lines.device) < ends[part, None]
            for size, ends in zip((lines.shape[1], lines.shape[4]), samples.extent.unbind(1), strict=True)
        )
        inside = rows[:, :, None, None, None] & columns[:, None, None, None, :]
        measured = inside.expand_as(lines) if measured is None else measured & inside
    if measured is None:
        return lines, None
    # where, not a product: what is not valid may be NaN
    return torch.where(measured, lines, 0.0), measured


def _by_line(
    values: Shaped[Tensor, "batch date file row column"], used: tuple[int, ...], dtype: torch.dtype
) -> Shaped[Tensor, "batch row date band column"]:
    batch, dates, _, height, width = values.shape
    lines = torch.empty((batch, height, dates, len(used), width), dtype=dtype, device=values.device)
    into, first = lines.permute(0, 2, 3, 1, 4), 0
    # copies of neighbouring bands and not one index: of uint16, CUDA knows little more than copies to other types
    for _, run in groupby(enumerate(used), key=lambda pair: pair[1] - pair[0]):
        bands = [band for _, band in run]
        into[:, :, first : first + len(bands)].copy_(values[:, :, bands[0] : bands[-1] + 1])
        first += len(bands)
    return lines


def _merged(
    lines: Float32[Tensor, "batch row date used column"],
    measured: Bool[Tensor, "batch row date used column"] | None,
    scale: Float32[Tensor, "batch 1 used 1 1"],
    offset: Float32[Tensor, "batch 1 used 1 1"],
    weights: Float32[Tensor, "band used"],
) -> tuple[Float32[Tensor, "batch row date band column"], Bool[Tensor, "batch row date band column"] | None]:
    """Reflectance: weighted means over valid values."""
    reflectance = torch.addcmul(offset.transpose(2, 3), lines, scale.transpose(2, 3))
    if measured is None:
        return weights @ reflectance, None
    weight = weights @ measured.float()
    total = weights @ torch.where(measured, reflectance, 0.0)
    return total / torch.where(weight > 0, weight, 1.0), weight > 0


def _extremes(
    lines: Float32[Tensor, "batch row date band column"],
    measured: Bool[Tensor, "batch row date band column"] | None,
    scale: Float32[Tensor, "batch 1 #band 1 1"],
    offset: Float32[Tensor, "batch 1 #band 1 1"],
) -> tuple[Float32[Tensor, "batch date band"], Float32[Tensor, "batch date band"]]:
    """Centre and scale of min_max, in reflectance: of the whole image, before it is cropped."""
    low = lines if measured is None else lines.masked_fill(~measured, torch.inf)
    high = lines if measured is None else lines.masked_fill(~measured, -torch.inf)
    ends = torch.stack([low.amin(dim=(1, 4)), high.amax(dim=(1, 4))])
    ends = torch.where(ends[0] <= ends[1], ends, 0.0) * scale[..., 0, 0] + offset[..., 0, 0]
    low, high = ends.amin(dim=0), ends.amax(dim=0)
    # a constant band becomes 0; resampled, it is constant but for rounding, which must not be divided by nothing
    constant = high - low <= 1e-6 * torch.maximum(high.abs(), low.abs())
    return low, torch.where(constant, 1.0, high - low)


def _filled(
    lines: Float32[Tensor, "batch row date band column"], measured: Bool[Tensor, "batch row date band column"]
) -> Float32[Tensor, "batch row date band column"]:
    """With the band's mean where not measured, so that no edge is resampled; values there are 0."""
    mean = lines.sum(dim=(1, 4), keepdim=True) / measured.sum(dim=(1, 4), keepdim=True).clamp(min=1)
    return torch.where(measured, lines, mean)
