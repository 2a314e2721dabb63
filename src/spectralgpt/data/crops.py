"""The part of an image that a sample shows, its orientation, and the matrices that crop it."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float32, Float64, Int, Int16, Int32, Int64
from torch import Tensor

Kernel = Literal["bicubic", "bilinear"]

NOTHING = 1e-7
"""A smaller weight is a rounded 0: it must not make a pixel depend on the validity of its neighbour."""


@dataclass(frozen=True, slots=True)
class Crops:
    """One rectangle per sample.

    rows, columns: first pixel and number of pixels. reversed: whether the crop's rows, and its columns, run backwards.
    turned: whether rows and columns are swapped after that.
    """

    rows: Int64[Tensor, "batch 2"]
    columns: Int64[Tensor, "batch 2"]
    reversed: Bool[Tensor, "batch 2"]
    turned: Bool[Tensor, " batch"]

    def area(self) -> Float64[Tensor, " batch"]:
        """Number of pixels of the image."""
        return self.rows[:, 1].double() * self.columns[:, 1].double()

    def window(self, part: slice) -> tuple[slice, slice]:
        """The rows and columns that contain all crops of a part of the batch."""
        return _around(self.rows[part]), _around(self.columns[part])

    def resampling(
        self, source: int, target: int, kernel: Kernel, antialias: bool, device: torch.device
    ) -> "Resampling":
        """From source x source to target x target pixels."""
        # both axes at once: the cost is the number of operations
        start, length = torch.cat([self.rows, self.columns]).to(device, non_blocking=True).unbind(1)
        backwards = torch.cat(self.reversed.unbind(1)).to(device, non_blocking=True)
        to_rows, to_columns = crop_matrix(start, length, source, target, kernel, antialias, backwards).chunk(2)
        return Resampling(to_rows, to_columns, self.turned)

    def nearest(
        self, masks: Int16[Tensor, "batch row column"], target: int, device: torch.device
    ) -> Int16[Tensor, "batch target target"]:
        """The crops of masks: at each of target x target pixels, the pixel of the mask under its centre; of two that
        meet there, the later one of the image before it is reversed."""
        twice = 2 * torch.arange(target) + 1  # whole numbers, so that no rounding decides
        rows, columns = (
            start[:, None] + twice * length[:, None] // (2 * target)
            for start, length in (self.rows.unbind(1), self.columns.unbind(1))
        )
        rows, columns = (
            torch.where(backwards[:, None], each.flip(1), each)
            for each, backwards in zip((rows, columns), self.reversed.unbind(1), strict=True)
        )
        rows, columns = rows[:, :, None], columns[:, None, :]
        turned = self.turned[:, None, None]
        index = masks.shape[2] * torch.where(turned, rows.mT, rows) + torch.where(turned, columns.mT, columns)
        found = masks.to(device, non_blocking=True).flatten(1).gather(1, index.flatten(1).to(device, non_blocking=True))
        return found.view(-1, target, target)


@dataclass(frozen=True, slots=True)
class Resampling:
    """Crops as two matrix products per batch.

    rows, columns: weights of the image's rows and columns in the crop's. turned: on the host, where reading is free.
    """

    rows: Float32[Tensor, "batch height row"]
    columns: Float32[Tensor, "batch width column"]
    turned: Bool[Tensor, " batch"]

    @property
    def side(self) -> int:
        """Pixels of the crops."""
        return self.rows.shape[1]

    def of(self, part: slice, window: tuple[slice, slice]) -> "Resampling":
        """The same for a part of the batch, from a window of the images that contains its crops."""
        return Resampling(self.rows[part, :, window[0]], self.columns[part, :, window[1]], self.turned[part])

    def taps(self) -> "Resampling":
        """The same with every weight 1: a pixel is then the sum of all that count in it."""
        return Resampling((self.rows != 0).float(), (self.columns != 0).float(), self.turned)

    def __call__(
        self, lines: Float[Tensor, "batch row date band column"]
    ) -> Float[Tensor, "batch date band height width"]:
        """The crops, not contiguous. lines: the images line by line, so that each axis is one product."""
        batch, _, dates, bands, width = lines.shape
        rows, columns = self.rows.to(lines.dtype), self.columns.to(lines.dtype)
        height = self.side
        halfway = torch.bmm(rows, lines.flatten(2)).view(batch, height * dates * bands, width)
        crop = torch.bmm(halfway, columns.mT).view(batch, height, dates, bands, -1).permute(0, 2, 3, 1, 4)
        if not self.turned.any():
            return crop
        turned = self.turned[:, None, None, None, None].to(crop.device, non_blocking=True)
        return crop.mT if self.turned.all() else torch.where(turned, crop.mT, crop)


@dataclass(frozen=True, slots=True)
class CropWindow:
    """The crops of a part of a batch, as the pipeline takes them (its Crop): from the window that contains them."""

    window: tuple[slice, slice]
    resampling: Resampling

    def values(
        self, images: Float[Tensor, "batch date band row column"]
    ) -> Float[Tensor, "batch date band height width"]:
        """The crops, resampled."""
        return self.resampling(images.permute(0, 3, 1, 2, 4))

    def valid(self, images: Bool[Tensor, "batch date band row column"]) -> Bool[Tensor, "batch date band height width"]:
        """Where all pixels that count in a pixel are valid."""
        missed = 1 - images.view(torch.uint8).float().permute(0, 3, 1, 2, 4)  # bytes: booleans are read slowly
        return self.resampling.taps()(missed) < 0.5


def _around(crops: Int64[Tensor, "batch 2"]) -> slice:
    pairs = crops.tolist()
    return slice(min(start for start, _ in pairs), max(start + length for start, length in pairs))


def centred_crops(extent: Int32[Tensor, "batch 2"], image: int) -> Crops:
    """The middle image x image pixels; of a smaller extent, the largest square in its middle."""
    side = extent.amin(dim=1).clamp(max=image).long()
    rows, columns = (torch.stack([(whole.long() - side) // 2, side], dim=1) for whole in extent.unbind(1))
    upright = torch.zeros((len(extent), 2), dtype=torch.bool, device=extent.device)
    return Crops(rows, columns, upright, upright[:, 0])


def crop_matrix(
    start: Int[Tensor, " batch"],
    length: Int[Tensor, " batch"],
    source: int,
    target: int,
    kernel: Kernel,
    antialias: bool,
    backwards: Bool[Tensor, " batch"] | None = None,
) -> Float32[Tensor, "batch target source"]:
    """The weights of `source` pixels in the `target` pixels of the crop start, start + 1, ... start + length - 1.

    Pixels outside the crop do not exist: with antialias (a kernel as wide as the target's pixels; bicubic a = -0.5) the
    others share their weight, without (a = -0.75) the pixel at the crop's border takes it. Equals torch's
    `interpolate` with align_corners=False on the crop alone. Rows sum to 1. backwards: the last target pixel first.
    """
    pixel = torch.arange(target, device=start.device)
    if backwards is None:
        pixel = pixel.expand(len(start), target)
    else:
        pixel = torch.where(backwards[:, None], target - 1 - pixel, pixel)
    # double precision: float32 keeps five decimals of a place like 100.3, but its distance to a tap needs seven
    ratio = length.double()[:, None] / target
    place = (pixel.double() + 0.5) * ratio - 0.5
    width = ratio.clamp(min=1.0) if antialias else torch.ones_like(ratio)
    reach = 2 if kernel == "bicubic" else 1
    # the number of taps must not depend on values in a tensor on the device
    taps = 2 * (math.ceil(reach * max(source / target, 1.0)) if antialias else reach)
    first = (place - reach * width).floor().long() + 1
    tap = first[..., None] + torch.arange(taps + antialias, device=start.device)
    weight = _kernel(((place[..., None] - tap) / width[..., None]).abs(), kernel, -0.5 if antialias else -0.75)
    weight = torch.where(weight.abs() < NOTHING, 0.0, weight)
    last = length[:, None, None] - 1
    if antialias:
        weight = torch.where((tap >= 0) & (tap <= last), weight, 0.0)
        weight = weight / weight.sum(dim=-1, keepdim=True)
    index = start[:, None, None] + torch.minimum(tap.clamp(min=0), last)
    matrix = torch.zeros((len(start), target, source), device=start.device)
    for i in range(tap.shape[-1]):
        # one tap at a time: a GPU adds several of one call to a pixel in any order
        matrix.scatter_add_(2, index[..., i : i + 1], weight[..., i : i + 1].float())
    return matrix


def _kernel(
    distance: Float64[Tensor, "batch target tap"], kernel: Kernel, a: float
) -> Float64[Tensor, "batch target tap"]:
    """The triangle, or the cubic convolution of Keys (1981)."""
    x = distance
    if kernel == "bilinear":
        return (1 - x).clamp(min=0)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))
