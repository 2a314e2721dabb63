"""The single path from stored values to those of a cube, for scenes, for model.cube and for training.

Used bands -> valid pixels -> several file bands merged into one -> extremes of the whole image (min_max) -> in
training: the band's mean where not valid, then resampling -> reflectance -> the model's units.

Stored values are exact in float32 (float64 where their type holds more than 24 bits), and reflectance is computed in
float64 and rounded once. So a crop without resampling equals the result of model.cube to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Shaped
from torch import Tensor

from spectralgpt.nn.normalization import Normalization, Scaling, ScalingKind
from spectralgpt.nn.stored_images import Feeding, StoredImages

LARGEST_REFLECTANCE = 1e30
"""Larger values are not valid: the normalization would overflow, and attention would spread that to other tokens."""
SMALLEST_RANGE = 1e-14
"""Keeps a constant band finite (it becomes 0): the released 1e-10 of stored values, in reflectance."""
STRIP_VALUES = 1 << 17
"""Values per strip of rows: 1 MiB of float64."""
WHOLE = slice(None), slice(None)

Units = tuple[Float64[Tensor, "..."], Float64[Tensor, "..."]]
"""Scale and offset."""
Ends = tuple[Float32[Tensor, "batch date band"], Float32[Tensor, "batch date band"]]
"""The smallest and the largest reflectance."""


@runtime_checkable
class Crop(Protocol):
    """The part of the images that is shown, and how. window: the rows and columns that `values` and `valid` take."""

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
    """Values in the model's units, which of them are valid (None: all), and their scaling.

    scaling: None for min_max, by the extremes of the images. crop: the part that is shown; None: the images unchanged.
    out: a buffer for the values.
    """
    taken = _taken(stored, crop, extremes=scaling is None)
    values, valid = _shown(taken, stored, crop, out)
    if scaling is not None:
        return scaling.normalize_(values), valid, scaling
    low, high = _ends(taken)
    scaling = Scaling("min_max", low, high - low + SMALLEST_RANGE)
    # resampling a constant band leaves rounding errors, which a range of almost zero would blow up
    replace(scaling, scale=scaling.scale.masked_fill(low == high, torch.inf)).normalize_(values)
    return values, valid, scaling


def reflectance(
    stored: StoredImages,
) -> tuple[Float32[Tensor, "batch date band row column"], Bool[Tensor, "batch date band row column"] | None]:
    """Reflectance of the cube's bands, and where it is valid (None: all); 0 where not."""
    return _shown(_taken(stored, None, extremes=False), stored, None, None)


def surely_finite(values: Shaped[Tensor, "..."], units: Units | None) -> bool:
    """Whether the extremes show that all reflectance is finite and below the largest. The host waits for them."""
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

    values: stored ones, or reflectance where units is None; 0 where not valid. valid: None where all are. whole:
    whether these are the whole images, or only the part that a crop needs.
    """

    values: Float[Tensor, "batch date band row column"]
    valid: Bool[Tensor, "batch date band row column"] | None
    units: Units | None
    whole: bool


def _shown(
    taken: _Taken, stored: StoredImages, crop: Crop | None, out: Float32[Tensor, "batch date band height width"] | None
) -> tuple[Float32[Tensor, "batch date band height width"], Bool[Tensor, "batch date band height width"] | None]:
    """Reflectance (0 where not valid), and where it is valid (None: everywhere)."""
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
    """Only the part that the crop needs, if that is enough: extremes and the means of bands need whole images."""
    if crop is not None and not extremes and not stored.holes:
        taken = _read(stored, crop.window, whole=False)
        if taken is not None:
            return taken
    taken = _read(stored, WHOLE, whole=True)
    assert taken is not None, "whole images are read with their holes"
    return taken


def _read(stored: StoredImages, window: tuple[slice, slice], *, whole: bool) -> _Taken | None:
    """A window of the images; None where it is not the whole and may hold pixels that are not valid."""
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
        values.copy_(values.float())  # rounded, as each band's reflectance is without merging
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
    """The type in which the stored values are exact; float64 also for sums of several bands."""
    dtype = stored.values.dtype
    fits = dtype.itemsize <= 2 or dtype == torch.float32
    return torch.float32 if fits and stored.feeding.weights is None else torch.float64


def _selected(
    values: Shaped[Tensor, "batch date file row column"], feeding: Feeding, dtype: torch.dtype
) -> Shaped[Tensor, "batch date used row column"]:
    """The bands that are used, in another type.

    Line by line in memory, so that a crop is one matrix product per axis; band by band where bands are merged, so that
    merging is one matrix product.
    """
    batch, dates, _, height, width = values.shape
    count = len(feeding.used)
    if feeding.weights is None:
        lines = torch.empty((batch, height, dates, count, width), dtype=dtype, device=values.device)
        selected = lines.permute(0, 2, 3, 1, 4)
    else:
        selected = torch.empty((batch, dates, count, height, width), dtype=dtype, device=values.device)
    first = 0
    # copies of neighbouring bands, not one index: for uint16, CUDA supports little more than copies to other types
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
    """Reflectance in place of stored values: a product and a sum, each rounded, so the same on every device."""
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
    """Rows that are converted at once: on a CPU few enough for their float64 values to stay in its cache."""
    height = values.shape[-2]
    count = max(1, STRIP_VALUES * height // values.numel()) if values.device.type == "cpu" else height
    return [slice(start, start + count) for start in range(0, height, count)]


def _merged(
    values: Float64[Tensor, "batch date used row column"],
    valid: Bool[Tensor, "batch date used row column"] | None,
    weights: Float64[np.ndarray, "band used"],
) -> tuple[Float32[Tensor, "batch date band row column"], Bool[Tensor, "batch date band row column"] | None]:
    """Weighted means over valid reflectances, summed in float64 and rounded; 0 where none is valid."""
    each = torch.from_numpy(weights).to(values.device, non_blocking=True)

    def summed(bands: Tensor) -> Float64[Tensor, "batch date band row column"]:
        return (each @ bands.flatten(-2)).view(*bands.shape[:2], -1, *bands.shape[3:])

    if valid is None:
        return summed(values).div_(each.sum(dim=1)[:, None, None]).float(), None
    weight = summed(_numbers(valid, torch.float64))
    some = weight > 0
    return summed(values).div_(torch.where(some, weight, 1.0)).float(), some


def _ends(taken: _Taken) -> Ends:
    """The extremes of each band, date and image over valid values; 0 and 1 where nothing is valid."""
    lowest = highest = taken.values
    if taken.valid is not None:
        lowest, highest = (taken.values.masked_fill(~taken.valid, end) for end in (torch.inf, -torch.inf))
    ends = torch.stack([lowest.amin(dim=(-2, -1)), highest.amax(dim=(-2, -1))])
    if taken.units is not None:
        ends = _exact(ends[..., None, None].to(torch.float64, copy=True), taken.units)[..., 0, 0].float()
    # a negative scale swaps them
    low, high = torch.minimum(*ends), torch.maximum(*ends)
    if taken.valid is None:
        return low, high
    some = taken.valid.any(dim=-1).any(dim=-1)
    return torch.where(some, low, 0.0), torch.where(some, high, 1.0)


def _filled(taken: _Taken) -> Float[Tensor, "batch date band row column"]:
    """The values, with the band's mean where not valid, so that resampling meets no edge there."""
    if taken.valid is None:
        return taken.values
    valid = _numbers(taken.valid, taken.values.dtype)
    mean = taken.values.sum(dim=(-2, -1), keepdim=True) / valid.sum(dim=(-2, -1), keepdim=True).clamp(min=1)
    return torch.addcmul(taken.values, 1 - valid, mean)


# -- validity as numbers: bytes are read many times faster than booleans ----------------------------------------------


def _all(valid: Bool[Tensor, "..."]) -> bool:
    return bool(valid.view(torch.uint8).amin())


def _both(one: Bool[Tensor, "..."] | None, other: Bool[Tensor, "..."]) -> Bool[Tensor, "..."]:
    return other if one is None else one & other


def _numbers(valid: Bool[Tensor, "..."], dtype: torch.dtype) -> Shaped[Tensor, "..."]:
    """1 where valid, else 0."""
    return valid.view(torch.uint8).to(dtype)


def _zeroed(values: Float[Tensor, "..."], valid: Bool[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The values, set to 0 in place where not valid: a product of their bits, as 0 times NaN is not 0."""
    bits = torch.int32 if values.dtype == torch.float32 else torch.int64
    values.view(bits).mul_(_numbers(valid, bits))
    return values
