"""The one way from stored values to a cube's, for scenes, for model.cube and for training.

The bands that are used -> what is valid -> several file bands in one -> extremes of the whole image (min_max) -> in
training: the band's mean where nothing is valid, then resampling -> reflectance -> the model's units.

All of it is exact in float32 (float64 where the stored type holds more than 24 bits), and reflectance is worked out in
float64 and rounded once. So a crop that resamples nothing is what model.cube gives, to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int32, Shaped
from torch import Tensor

from spectralgpt.bands import Alignment, Band, BandSet
from spectralgpt.nn.normalization import Normalization, Scaling, ScalingKind

LARGEST_REFLECTANCE = 1e30
"""No reflectance is above: the normalization would overflow, and attention spread it to all its neighbours."""
SMALLEST_RANGE = 1e-14
"""Keeps a constant band finite (it becomes 0): the released 1e-10 of stored values, in reflectance."""
STRIP_VALUES = 1 << 17
"""Values: 1 MiB of float64."""
WHOLE = slice(None), slice(None)

Units = tuple[Float64[Tensor, "..."], Float64[Tensor, "..."]]
"""Scale and offset."""
Ends = tuple[Float32[Tensor, "batch date band"], Float32[Tensor, "batch date band"]]
"""The smallest and the largest reflectance."""


@dataclass(frozen=True, slots=True, eq=False)
class Feeding:
    """Which of a file's bands make which of a cube's.

    used: the file's bands that are read, in this order. sources: the file's bands behind each of the cube's. weights:
    of the used ones in each of the cube's, not yet divided by the weights of those that are valid; None when each of
    the cube's is one of them, in this order. runs: used, cut where they are no neighbours in the file.
    """

    bands: BandSet
    used: tuple[int, ...]
    sources: tuple[tuple[Band, ...], ...]
    weights: Float64[np.ndarray, "band used"] | None
    runs: tuple[slice, ...]

    @classmethod
    def of(cls, bands: Sequence[Band], alignment: Alignment, kept: Sequence[int] | None = None) -> "Feeding":
        """bands: the file's. kept: which of the alignment's bands the cube has; None: all."""
        every = tuple(range(len(alignment.bandset)))
        kept = every if kept is None else tuple(kept)
        all_feeding = alignment.feeding
        feeding = [all_feeding[i] for i in kept]
        if all(len(fed) == 1 for fed in feeding):
            used, weights = [fed[0] for fed in feeding], None
        else:
            # in wavelength order, so that sums have one order whatever the file's is
            used = sorted({i for fed in feeding for i in fed}, key=lambda i: (bands[i].wavelength, bands[i].name))
            weights = alignment.matrix[np.ix_(kept, used)]
        together = (list(run) for _, run in groupby(enumerate(used), key=lambda pair: pair[1] - pair[0]))
        return cls(
            bands=alignment.bandset if kept == every else alignment.bandset.subset(kept),
            used=tuple(used),
            sources=tuple(tuple(bands[i] for i in fed) for fed in feeding),
            weights=weights,
            runs=tuple(slice(run[0][1], run[-1][1] + 1) for run in together),
        )

    @property
    def named(self) -> tuple[Band, ...]:
        """The file's band where one makes the cube's, as statistics are looked up by it; else the cube's."""
        pairs = zip(self.sources, self.bands.bands, strict=True)
        return tuple(behind[0] if len(behind) == 1 else band for behind, band in pairs)


@dataclass(frozen=True, slots=True, eq=False)
class StoredImages:
    """Images as they are stored.

    valid: None means all within the extent. scale, offset: of the bands that are used. extent: rows and columns that
    are image, what lies beyond is padding; None: all. holes: whether something within the extent may not be valid; None
    means that the pipeline looks, for which the host of a GPU waits.
    """

    values: Shaped[Tensor, "batch date file row column"]
    valid: Bool[Tensor, "batch date file row column"] | None
    scale: Float64[Tensor, "#batch 1 used 1 1"]
    offset: Float64[Tensor, "#batch 1 used 1 1"]
    feeding: Feeding
    extent: Int32[Tensor, "batch 2"] | None = None
    holes: bool | None = None

    def part(self, samples: slice) -> "StoredImages":
        """Some of the images."""
        return replace(
            self,
            values=self.values[samples],
            valid=None if self.valid is None else self.valid[samples],
            scale=self.scale[samples],
            offset=self.offset[samples],
            extent=None if self.extent is None else self.extent[samples],
        )

    def to(self, device: torch.device) -> "StoredImages":
        """The images on a device; a copy from pinned memory does not wait."""
        return replace(
            self,
            values=self.values.to(device, non_blocking=True),
            valid=None if self.valid is None else self.valid.to(device, non_blocking=True),
            scale=self.scale.to(device, non_blocking=True),
            offset=self.offset.to(device, non_blocking=True),
            extent=None if self.extent is None else self.extent.to(device, non_blocking=True),
        )


@runtime_checkable
class Crop(Protocol):
    """What is shown of the images, and how. window: the rows and columns that the two others need, and are given."""

    @property
    def window(self) -> tuple[slice, slice]: ...
    def values(
        self, images: Float[Tensor, "batch date band row column"]
    ) -> Float[Tensor, "batch date band height width"]: ...
    def valid(
        self, images: Bool[Tensor, "batch date band row column"]
    ) -> Bool[Tensor, "batch date band height width"]: ...


def fixed_scaling(
    kind: ScalingKind, normalization: Normalization, feeding: Feeding, shape: tuple[int, int], device: torch.device
) -> Scaling | None:
    """The scaling by statistics, for images of this shape (batch, dates); None for min_max, which has none."""
    if kind == "min_max":
        return None
    fixed = torch.from_numpy(normalization.fixed(kind, feeding.bands.bands, feeding.sources)).float()
    centre, scale = fixed.to(device, non_blocking=True)[:, None, None].expand(2, *shape, len(feeding.bands))
    return Scaling(kind, centre, scale, kind == "two_sigma" and normalization.eight_bit)


def normalized(
    stored: StoredImages,
    scaling: Scaling | None,
    crop: Crop | None = None,
    out: Float32[Tensor, "batch date band height width"] | None = None,
) -> tuple[
    Float32[Tensor, "batch date band height width"], Bool[Tensor, "batch date band height width"] | None, Scaling
]:
    """Values in the model's units, what of them is valid (None: all), and their scaling.

    scaling: None for min_max, by the extremes of the images. crop: what of the images is shown; None: all, as it is.
    out: where the values are written.
    """
    taken = _taken(stored, crop, extremes=scaling is None)
    values, valid = _shown(taken, stored, crop, out)
    if scaling is not None:
        return scaling.normalize_(values), valid, scaling
    low, high = _ends(taken)
    scaling = Scaling("min_max", low, high - low + SMALLEST_RANGE)
    # of a constant band resampling leaves what it rounds, and a range of next to nothing would blow that up
    replace(scaling, scale=scaling.scale.masked_fill(low == high, torch.inf)).normalize_(values)
    return values, valid, scaling


def reflectance(
    stored: StoredImages,
) -> tuple[Float32[Tensor, "batch date band row column"], Bool[Tensor, "batch date band row column"] | None]:
    """Reflectance of the cube's bands, and where it is valid (None: all); 0 where not."""
    return _shown(_taken(stored, None, extremes=False), stored, None, None)


def surely_finite(values: Shaped[Tensor, "..."], units: Units | None) -> bool:
    """Whether the extremes of the values tell that all reflectance is finite and below LARGEST. The host looks."""
    if not values.is_floating_point():
        return True
    # aminmax takes twice as long
    most = max(abs(float(values.amin())), abs(float(values.amax())))
    if units is not None:
        most = most * float(units[0].abs().max()) + float(units[1].abs().max())
    return most < LARGEST_REFLECTANCE / 2


# -- the steps --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """Images in the cube's bands.

    values: stored ones, or reflectance where units is None; 0 where not valid. valid: None where all is. whole: whether
    these are the images, or no more of them than a crop needs.
    """

    values: Float[Tensor, "batch date band row column"]
    valid: Bool[Tensor, "batch date band row column"] | None
    units: Units | None
    whole: bool


def _shown(
    taken: _Taken, stored: StoredImages, crop: Crop | None, out: Float32[Tensor, "batch date band height width"] | None
) -> tuple[Float32[Tensor, "batch date band height width"], Bool[Tensor, "batch date band height width"] | None]:
    """Reflectance (0 where not valid), and what of it is valid (None: all)."""
    valid = None if stored.holes is False else taken.valid
    if crop is None:
        shown = _rounded(taken.values, taken.units, out)
    else:
        window = crop.window if taken.whole else WHOLE
        shown = _rounded(crop.values(_filled(taken)[..., *window]), taken.units, out)
        valid = None if valid is None else crop.valid(valid[..., *window])
    if valid is None or (stored.holes is None and _all(valid)):
        return shown, None
    return _zeroed(shown, valid), valid.contiguous()


def _taken(stored: StoredImages, crop: Crop | None, extremes: bool) -> _Taken:
    """Of the images only what the crop needs, where that is enough: not for extremes, nor for the means of bands."""
    if crop is not None and not extremes and not stored.holes:
        taken = _read(stored, crop.window, whole=False)
        if taken is not None:
            return taken
    taken = _read(stored, WHOLE, whole=True)
    assert taken is not None, "whole images are read with their holes"
    return taken


def _read(stored: StoredImages, window: tuple[slice, slice], *, whole: bool) -> _Taken | None:
    """A window of the images; None for one that is not whole when something in it may not be valid."""
    feeding, look = stored.feeding, stored.holes is None
    valid = None
    if stored.valid is not None and stored.holes is not False:
        valid = _selected(stored.valid[..., *window], feeding, torch.bool)
        valid = None if look and _all(valid) else valid
    if whole and stored.extent is not None:
        valid = _both(valid, _inside(stored))
    if valid is not None and not whole:
        return None
    values = _selected(stored.values[..., *window], feeding, _working(stored))
    units: Units | None = (stored.scale, stored.offset)
    if feeding.weights is not None:
        values, units = _exact(values, (stored.scale, stored.offset)), None
        values.copy_(values.float())  # each band's reflectance as it is by itself
    if valid is not None:
        values = _zeroed(values, valid)
    doubtful = stored.values.is_floating_point() and stored.holes is not False
    if doubtful and not (look and surely_finite(values, units)):
        if not whole:
            return None
        below = _rounded(values, units).abs() < LARGEST_REFLECTANCE
        values, valid = _zeroed(values, below), _both(valid, below)
    if feeding.weights is not None:
        values, valid = _merged(values, valid, feeding.weights)
    return _Taken(values, valid, units, whole)


def _working(stored: StoredImages) -> torch.dtype:
    """In which the stored values are exact; float64 also for sums of several bands."""
    dtype = stored.values.dtype
    fits = dtype.itemsize <= 2 or dtype == torch.float32
    return torch.float32 if fits and stored.feeding.weights is None else torch.float64


def _selected(
    values: Shaped[Tensor, "batch date file row column"], feeding: Feeding, dtype: torch.dtype
) -> Shaped[Tensor, "batch date used row column"]:
    """The bands that are used, in another type.

    Line by line in memory, so that a crop is one matrix product per axis; or band by band where bands are merged, so
    that this is one.
    """
    batch, dates, _, height, width = values.shape
    count = len(feeding.used)
    if feeding.weights is None:
        lines = torch.empty((batch, height, dates, count, width), dtype=dtype, device=values.device)
        selected = lines.permute(0, 2, 3, 1, 4)
    else:
        selected = torch.empty((batch, dates, count, height, width), dtype=dtype, device=values.device)
    first = 0
    # copies of neighbouring bands and not one index: of uint16, CUDA knows little more than copies to other types
    for run in feeding.runs:
        after = first + run.stop - run.start
        selected[:, :, first:after].copy_(values[:, :, run])
        first = after
    return selected


def _inside(stored: StoredImages) -> Bool[Tensor, "batch date used row column"]:
    """Which pixels are not padding."""
    assert stored.extent is not None
    rows, columns = (
        torch.arange(size, device=stored.extent.device) < ends[:, None]
        for size, ends in zip(stored.values.shape[-2:], stored.extent.unbind(1), strict=True)
    )
    both = rows[:, :, None] & columns[:, None, :]
    return both[:, None, None].expand(-1, stored.values.shape[1], len(stored.feeding.used), -1, -1)


def _exact(values: Float64[Tensor, "..."], units: Units) -> Float64[Tensor, "..."]:
    """Reflectance in the place of stored values: a product and a sum, each rounded, so everywhere the same."""
    scale, offset = units
    return values.mul_(scale).add_(offset)


def _rounded(
    values: Float[Tensor, "batch date band row column"],
    units: Units | None,
    out: Float32[Tensor, "batch date band row column"] | None = None,
) -> Float32[Tensor, "batch date band row column"]:
    """Reflectance, band by band in memory."""
    if out is None:
        out = torch.empty(values.shape, device=values.device)
    if units is None:
        return out.copy_(values)
    for rows in _strips(values):
        out[..., rows, :] = _exact(values[..., rows, :].to(torch.float64, copy=True), units)
    return out


def _strips(values: Float[Tensor, "batch date band row column"]) -> Sequence[slice]:
    """Rows that are worked on at once: on a CPU so few that their float64 stays near it."""
    height = values.shape[-2]
    count = max(1, STRIP_VALUES * height // values.numel()) if values.device.type == "cpu" else height
    return [slice(start, start + count) for start in range(0, height, count)]


def _merged(
    values: Float64[Tensor, "batch date used row column"],
    valid: Bool[Tensor, "batch date used row column"] | None,
    weights: Float64[np.ndarray, "band used"],
) -> tuple[Float32[Tensor, "batch date band row column"], Bool[Tensor, "batch date band row column"] | None]:
    """Weighted means over valid reflectances, summed in float64 and rounded; 0 where there is none."""
    each = torch.from_numpy(weights).to(values.device, non_blocking=True)

    def summed(bands: Tensor) -> Float64[Tensor, "batch date band row column"]:
        return (each @ bands.flatten(-2)).view(*bands.shape[:2], -1, *bands.shape[3:])

    if valid is None:
        return summed(values).div_(each.sum(dim=1)[:, None, None]).float(), None
    weight = summed(_numbers(valid, torch.float64))
    some = weight > 0
    return summed(values).div_(torch.where(some, weight, 1.0)).float(), some


def _ends(taken: _Taken) -> Ends:
    """Of each band, date and image, over what is valid; 0 and 1 where nothing is."""
    lowest = highest = taken.values
    if taken.valid is not None:
        lowest, highest = (taken.values.masked_fill(~taken.valid, end) for end in (torch.inf, -torch.inf))
    ends = torch.stack([lowest.amin(dim=(-2, -1)), highest.amax(dim=(-2, -1))])
    if taken.units is not None:
        ends = _exact(ends[..., None, None].to(torch.float64, copy=True), taken.units)[..., 0, 0].float()
    # a negative scale turns them around
    low, high = torch.minimum(*ends), torch.maximum(*ends)
    if taken.valid is None:
        return low, high
    some = taken.valid.any(dim=-1).any(dim=-1)
    return torch.where(some, low, 0.0), torch.where(some, high, 1.0)


def _filled(taken: _Taken) -> Float[Tensor, "batch date band row column"]:
    """With the band's mean where not valid, so that no edge is resampled."""
    if taken.valid is None:
        return taken.values
    valid = _numbers(taken.valid, taken.values.dtype)
    mean = taken.values.sum(dim=(-2, -1), keepdim=True) / valid.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
    return torch.addcmul(taken.values, 1 - valid, mean)


# -- what is valid, as numbers: bytes are read many times faster than booleans ----------------------------------------


def _all(valid: Bool[Tensor, "..."]) -> bool:
    return bool(valid.view(torch.uint8).amin())


def _both(one: Bool[Tensor, "..."] | None, other: Bool[Tensor, "..."]) -> Bool[Tensor, "..."]:
    return other if one is None else one & other


def _numbers(valid: Bool[Tensor, "..."], dtype: torch.dtype) -> Shaped[Tensor, "..."]:
    """1 where valid, else 0."""
    return valid.view(torch.uint8).to(dtype)


def _zeroed(values: Float[Tensor, "..."], valid: Bool[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The values, in their place, 0 where not valid: a product of their bits, as 0 times NaN is not 0."""
    bits = torch.int32 if values.dtype == torch.float32 else torch.int64
    values.view(bits).mul_(_numbers(valid, bits))
    return values
