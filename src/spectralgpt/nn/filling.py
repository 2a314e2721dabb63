"""Pixels without a value, filled from the valid pixels of their own patch.

A fill that differs from the surroundings, like a constant, is an edge that the image does not have. Nothing is taken
from another token, as that may be hidden.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from spectralgpt.bands import BandSet, Group
from spectralgpt.nn.patches import pad, padded_side

SMALLEST_WEIGHT = 1e-9
"""What rounding leaves of a band at just one reach (Group.matrix)."""


def filled_patches(
    values: Float[Tensor, "batch date band height width"],
    valid: Bool[Tensor, "batch date band height width"] | None,
    bands: BandSet,
    patch: int,
    absent: float,
) -> Float[Tensor, "batch date band rows columns"]:
    """The values padded to whole patches; padding and pixels that are not valid are filled within their patch.

    A band takes the mean of its valid pixels in the patch and date. A band without any takes the other bands of its
    group there as a slot without a band does (Group.matrix). `absent` stands where the group has no valid pixel in the
    patch. valid: None means all. No step waits for the values, which would stop the host of a GPU.
    """
    if valid is None:
        return _filled_border(values, patch)
    blocks, known = _blocks(pad(values, patch, 0.0), patch), _blocks(pad(valid, patch, 0.0), patch)
    counts = known.sum(dim=(-3, -1), keepdim=True)
    # where, not a product: what stands under invalid pixels may be NaN
    filled = torch.where(known, blocks, _means(torch.where(known, blocks, 0.0), counts))
    return _image(_other_bands(filled, counts > 0, bands, absent))


@lru_cache(maxsize=64)
def _positions(group: Group) -> tuple[Float64[np.ndarray, " band"], float]:
    """ln wavelength of the group's bands, ascending, and the largest gap between neighbouring slots. In a group of the
    file's own bands each band is a slot here, as bands are filled and not slots."""
    bands = np.log([band.wavelength for band in group.bands])
    slots = bands if group.native is None else np.log(group.slots)
    return bands, float(np.diff(np.sort(slots)).max(initial=0.0))


def band_weights(known: Bool[Tensor, "... band"], group: Group) -> Float64[Tensor, "... band other"]:
    """For each pattern of known bands the weights that give each band from the known ones; rows sum to one.

    A known band takes itself. The other rows are those of `Group.matrix` of the known bands: the formula for any
    pattern, as a pattern that is looked up would have to leave the GPU. Rows of a pattern without a known band have no
    meaning.
    """
    ln, slot_gap = _positions(group)
    at = torch.from_numpy(ln).to(known.device, non_blocking=True)
    distance = (at[:, None] - at[None, :]).abs()
    before = torch.where(known, at, -torch.inf).cummax(dim=-1).values[..., :-1]
    gaps = torch.where(known[..., 1:] & before.isfinite(), at[1:] - before, 0.0)
    reach = gaps.amax(dim=-1).clamp(min=max(slot_gap, SMALLEST_WEIGHT))[..., None, None]
    among = known[..., None, :]
    weights = torch.where(among, (1 - distance / reach).clamp(min=0.0), 0.0)
    weights = torch.where(weights < SMALLEST_WEIGHT, 0.0, weights)
    nearest = torch.where(among, distance, torch.inf).argmin(dim=-1, keepdim=True)
    own = torch.arange(len(ln), device=known.device)
    weights = torch.where(weights.sum(dim=-1, keepdim=True) > 0, weights, (own == nearest).to(weights.dtype))
    weights = torch.where(known[..., None], (own[:, None] == own).to(weights.dtype), weights)
    return weights / weights.sum(dim=-1, keepdim=True)


def _other_bands(
    blocks: Float[Tensor, "batch date band row high column wide"],
    known: Bool[Tensor, "batch date band row 1 column 1"],
    bands: BandSet,
    absent: float,
) -> Float[Tensor, "batch date band row high column wide"]:
    """The blocks, with the group's other bands where a band is not known, and `absent` where none is."""
    sizes, parts = [len(group.bands) for group in bands.groups], []
    for group, each, there in zip(
        bands.groups, torch.split(blocks, sizes, 2), torch.split(known, sizes, 2), strict=True
    ):
        taken = torch.full_like(each, absent)
        if len(group.bands) > 1:
            weights = band_weights(there[..., 0, :, 0].movedim(2, -1), group).to(each.dtype)
            # band by band: a matrix product would be rounded to the type of autocast, or of TF32
            mixed = torch.zeros_like(each)
            for other in range(len(group.bands)):
                share = weights[..., other].movedim(-1, 2)[..., :, None, :, None]
                mixed = torch.addcmul(mixed, share, each[:, :, other : other + 1])
            taken = torch.where(there.any(dim=2, keepdim=True), mixed, taken)
        parts.append(torch.where(there, each, taken))
    return torch.cat(parts, dim=2)


def _filled_border(
    values: Float[Tensor, "batch date band height width"], patch: int
) -> Float[Tensor, "batch date band rows columns"]:
    """All values are valid: only the patches at the right and bottom border hold padding."""
    height, width = values.shape[-2:]
    rows, columns = padded_side(height, patch), padded_side(width, patch)
    if (rows, columns) == (height, width):
        return values
    padded = pad(values, patch, 0.0)
    inside = pad(torch.ones((height, width), dtype=torch.bool, device=values.device), patch, 0.0)
    borders = []
    if columns > width:
        borders.append((slice(None), slice(columns - patch, None)))
    if rows > height:
        borders.append((slice(rows - patch, None), slice(None)))
    for border in borders:
        blocks, known = _blocks(padded[..., *border], patch), _blocks(inside[border], patch)
        # the corner comes twice: what the first pass put beyond the image does not count in the second
        means = _means(torch.where(known, blocks, 0.0), known.sum(dim=(-3, -1), keepdim=True))
        padded[..., *border] = _image(torch.where(known, blocks, means))
    return padded


def _means(
    values: Float[Tensor, "*axes row high column wide"], counts: Tensor
) -> Float[Tensor, "*axes row 1 column 1"]:
    """Mean of each block of values that are 0 where they do not count; 0 where none counts."""
    return values.sum(dim=(-3, -1), keepdim=True) / counts.clamp(min=1)


def _blocks(image: Tensor, patch: int) -> Tensor:
    """(..., height, width) as (..., row, patch, column, patch)."""
    height, width = image.shape[-2:]
    return image.reshape(*image.shape[:-2], height // patch, patch, width // patch, patch)


def _image(blocks: Tensor) -> Tensor:
    return blocks.flatten(-2).flatten(-3, -2)
