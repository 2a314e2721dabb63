"""Numbers that describe a place, as targets of pretraining: how bright and how rough it is, how alike its bands are.

They are hand-made; a model that learns to predict them from a masked image distils them into its features. They are of
single places, so that a map of features shows no borders of the windows that it was computed in.
"""

from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

GRADIENT_STEPS = (1, 2, 4)
"""Pixels between those that a gradient compares, inside the place."""

FLOOR = 0.01
"""Added before a logarithm is taken, as a flat place has deviations of 0; in the normalization's units."""

Described = tuple[Float[Tensor, "batch date row column descriptor"], Bool[Tensor, "batch date row column descriptor"]]
"""Descriptors of places, and which are known."""

Patches = Float[Tensor, "batch date row column slot y x"]


def descriptor_count(slots: int) -> int:
    """Number of descriptors of a place with this number of slots in all groups."""
    return slots * (2 + 2 * len(GRADIENT_STEPS)) + slots * (slots - 1) // 2


def place_descriptors(
    values: Float[Tensor, "batch date slot height width"],
    valid: Bool[Tensor, "batch date slot height width"] | None,
    patch: int,
) -> Described:
    """The descriptors of places of patch x patch pixels, in the model's units, over their valid pixels.

    Per slot the mean, the logarithm of the standard deviation, and logarithms of the mean and of the root mean square
    of the differences between pixels 1, 2 and 4 apart in rows and columns; per pair of slots the logarithm of the
    standard deviation of their difference. Those of slots without a valid pixel (or pair of pixels) are 0, and not
    known.
    ValueError for an image that is not whole patches.
    """
    shown = _patches(values, patch)
    there = torch.ones_like(shown, dtype=torch.bool) if valid is None else _patches(valid, patch)
    shown = torch.where(there, shown, 0.0)
    parts = [_moments(shown, there), *(_roughness(shown, there, step) for step in GRADIENT_STEPS)]
    parts.append(_differences(shown, there))
    found, known = (torch.cat(each, dim=-1) for each in zip(*parts, strict=True))
    return torch.where(known, found, 0.0), known


def _patches(image: Tensor, patch: int) -> Tensor:
    height, width = image.shape[-2:]
    if height % patch or width % patch:
        raise ValueError(f"found {height} x {width} pixels; expected multiples of the patch, {patch}")
    batch, dates, slots = image.shape[:3]
    cut = image.reshape(batch, dates, slots, height // patch, patch, width // patch, patch)
    return cut.permute(0, 1, 3, 5, 2, 4, 6)


def _log(deviation: Tensor) -> Tensor:
    return (deviation + FLOOR).log()


def _moments(shown: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    count = there.sum(dim=(-2, -1))
    pixels = count.clamp(min=1)
    mean = shown.sum(dim=(-2, -1)) / pixels
    centred = torch.where(there, shown - mean[..., None, None], 0.0)
    deviation = (centred.square().sum(dim=(-2, -1)) / pixels).sqrt()
    known = count > 0
    return torch.cat([mean, _log(deviation)], dim=-1), torch.cat([known, known], dim=-1)


def _roughness(shown: Tensor, there: Tensor, step: int) -> tuple[Tensor, Tensor]:
    total, squares = shown.new_zeros((2, *shown.shape[:-2]))
    count = torch.zeros(shown.shape[:-2], dtype=torch.long, device=shown.device)
    for axis in (-2, -1):
        length = shown.shape[axis] - step
        if length < 1:
            continue
        both = there.narrow(axis, step, length) & there.narrow(axis, 0, length)
        change = torch.where(both, shown.narrow(axis, step, length) - shown.narrow(axis, 0, length), 0.0)
        total = total + change.abs().sum(dim=(-2, -1))
        squares = squares + change.square().sum(dim=(-2, -1))
        count = count + both.sum(dim=(-2, -1))
    known, pairs = count > 0, count.clamp(min=1)
    return torch.cat([_log(total / pairs), _log((squares / pairs).sqrt())], dim=-1), torch.cat([known, known], dim=-1)


def _differences(shown: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """By sums of products, as the differences of all pairs would be many times the image."""
    first, second = _pairs(shown.shape[-3])
    pixels, mask = shown.flatten(-2), there.flatten(-2).to(shown.dtype)
    count = mask @ mask.mT
    # of the pixels that are valid in both: sums of one, of its square, and of the product
    sums, squares, products = pixels @ mask.mT, pixels.square() @ mask.mT, pixels @ pixels.mT
    number = count.clamp(min=1)
    mean = (sums - sums.mT) / number
    variance = (squares + squares.mT - 2 * products) / number - mean.square()
    found = _log(variance.clamp(min=0).sqrt())
    return found[..., first, second], (count > 1)[..., first, second]


@lru_cache
def _pairs(slots: int) -> tuple[list[int], list[int]]:
    rows, columns = torch.triu_indices(slots, slots, 1).tolist()
    return rows, columns
