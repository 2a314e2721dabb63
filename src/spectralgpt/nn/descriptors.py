"""Numbers that describe a whole image, as targets of pretraining: how bright, how rough and how alike its bands are.

They are hand-made; a model that learns to predict them from a masked image distils them into its features.
"""

import math
from functools import lru_cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

VALUE_PERCENTILES = (1, 10, 25, 50, 75, 90, 99)

GRADIENT_STEPS = (1, 2, 4)
"""Pixels between those that a gradient compares."""

FLOOR = 0.01
"""Added before a logarithm is taken, as a flat image has gradients of 0; in the normalization's units."""

SORTED = 32
"""Rows and columns of pixels that percentiles are taken from, about: sorting all would cost more than the model."""


Described = tuple[Float[Tensor, "batch descriptor"], Bool[Tensor, "batch descriptor"]]
"""Descriptors, and which are known."""


def descriptor_count(slots: int) -> int:
    """Number of descriptors of images with this number of slots in all groups."""
    return slots * (len(VALUE_PERCENTILES) + 2 * len(GRADIENT_STEPS)) + slots * (slots - 1) // 2


def image_descriptors(
    values: Float[Tensor, "batch date slot height width"], valid: Bool[Tensor, "batch date slot height width"] | None
) -> tuple[Float[Tensor, "batch descriptor"], Bool[Tensor, "batch descriptor"]]:
    """The descriptors of images in the model's units, over all valid pixels and dates; and which are known.

    Per slot the percentiles of the values, and logarithms of the mean and of the root mean square of the difference
    between pixels 1, 2 and 4 apart in rows and columns; per pair of slots the logarithm of the standard deviation of
    their difference. Those of slots without a valid pixel are 0, and not known.
    """
    if valid is None:
        valid = torch.ones_like(values, dtype=torch.bool)
    values = torch.where(valid, values, 0.0)
    parts = [
        _percentiles(values, valid),
        *(_roughness(values, valid, step) for step in GRADIENT_STEPS),
        _differences(values, valid),
    ]
    found, known = (torch.cat(each, dim=1) for each in zip(*parts, strict=True))
    return torch.where(known, found, 0.0), known


def _percentiles(values: Tensor, valid: Tensor) -> Described:
    height, width = values.shape[-2:]
    thinned = (..., slice(None, None, max(1, height // SORTED)), slice(None, None, max(1, width // SORTED)))
    shown, there = values[thinned], valid[thinned]
    # those that are not valid come last
    ranked = torch.where(there, shown, math.inf).transpose(1, 2).flatten(2).sort(dim=-1).values
    count = there.sum(dim=(1, 3, 4))
    at = (count - 1).clamp(min=0)[..., None] * torch.tensor(VALUE_PERCENTILES, device=values.device) // 100
    known = (count > 0)[..., None].expand_as(at)
    return ranked.gather(2, at).flatten(1), known.flatten(1)


def _roughness(values: Tensor, valid: Tensor, step: int) -> Described:
    batch, _, slots, *_ = values.shape
    total, squares = values.new_zeros((2, batch, slots))
    count = torch.zeros((batch, slots), dtype=torch.long, device=values.device)
    for axis in (-2, -1):
        length = values.shape[axis] - step
        if length < 1:
            continue
        both = valid.narrow(axis, step, length) & valid.narrow(axis, 0, length)
        change = torch.where(both, values.narrow(axis, step, length) - values.narrow(axis, 0, length), 0.0)
        total = total + change.abs().sum(dim=(1, 3, 4))
        squares = squares + change.square().sum(dim=(1, 3, 4))
        count = count + both.sum(dim=(1, 3, 4))
    known = count > 0
    mean, rms = total / count.clamp(min=1), (squares / count.clamp(min=1)).sqrt()
    return torch.cat([mean, rms], dim=1).add(FLOOR).log(), torch.cat([known, known], dim=1)


def _differences(values: Tensor, valid: Tensor) -> Described:
    """By sums of products, as the differences of all pairs would be many times the image."""
    first, second = _pairs(values.shape[2])
    shown, there = (each.transpose(1, 2).flatten(2) for each in (values, valid))
    mask = there.to(values.dtype)
    count = mask @ mask.transpose(1, 2)
    # of the pixels that are valid in both: sums of one, of its square, and of the product
    sums, squares, products = (
        shown @ mask.transpose(1, 2),
        shown.square() @ mask.transpose(1, 2),
        shown @ shown.transpose(1, 2),
    )
    pixels = count.clamp(min=1)
    mean = (sums - sums.transpose(1, 2)) / pixels
    variance = (squares + squares.transpose(1, 2) - 2 * products) / pixels - mean.square()
    found = variance.clamp(min=0).sqrt().add(FLOOR).log()
    return found[:, first, second], (count > 1)[:, first, second]


@lru_cache
def _pairs(slots: int) -> tuple[list[int], list[int]]:
    rows, columns = torch.triu_indices(slots, slots, 1).tolist()
    return rows, columns
