"""Numbers that describe a place and what surrounds it, as targets of pretraining: how bright and how rough it is, and
how alike its bands are.

They are hand-made; a model that learns to predict them from a masked image distils them into its features. They are of
places and their neighbours, not of whole images, so that a map of features shows no borders of the windows that it was
computed in.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

REACHES = (0, 2)
"""Neighbouring places in each direction that are described together with a place: itself alone, and 5 x 5 places. A
field's edge is as rough as a village, but not what surrounds it."""

GRADIENT_STEPS = (1, 2, 4)
"""Pixels between those that a gradient compares, inside a place."""

FLOOR = 0.01
"""Added before a logarithm is taken, as a flat place has deviations of 0; in the normalization's units."""

Described = tuple[Float[Tensor, "batch date row column descriptor"], Bool[Tensor, "batch date row column descriptor"]]
"""Descriptors of places, and which are known."""

Sums = Sequence[Tensor]
"""Sums over the pixels of places (batch, date, row, column, slot or pair): the first is their number."""


def descriptor_count(slots: int) -> int:
    """Number of descriptors of a place with this number of slots in all groups."""
    return len(REACHES) * (slots * (2 + 2 * len(GRADIENT_STEPS)) + slots * (slots - 1) // 2)


def place_descriptors(
    values: Float[Tensor, "batch date slot height width"],
    valid: Bool[Tensor, "batch date slot height width"] | None,
    patch: int,
) -> Described:
    """The descriptors of places of patch x patch pixels, in the model's units, over the valid pixels within each reach.

    Per slot the mean, the logarithm of the standard deviation, and logarithms of the mean and of the root mean square
    of the differences between pixels 1, 2 and 4 apart in rows and columns of one place; per pair of slots the logarithm
    of the standard deviation of their difference. Those of slots without a valid pixel (or pair of pixels) are 0, and
    not known. ValueError for an image that is not whole patches.
    """
    shown = _patches(values, patch)
    there = torch.ones_like(shown, dtype=torch.bool) if valid is None else _patches(valid, patch)
    shown = torch.where(there, shown, 0.0)
    moments, pairs = _moments(shown, there), _pairs(shown, there)
    changes = [_changes(shown, there, step) for step in GRADIENT_STEPS]
    parts: list[tuple[Tensor, Tensor]] = []
    for reach in REACHES:
        parts.append(_spread(_around(moments, reach)))
        parts += [_roughness(_around(each, reach)) for each in changes]
        parts.append(_difference(_around(pairs, reach)))
    found, known = (torch.cat(each, dim=-1) for each in zip(*parts, strict=True))
    return torch.where(known, found, 0.0), known


def _patches(image: Tensor, patch: int) -> Tensor:
    """batch, date, row, column, slot, and rows and columns of pixels."""
    height, width = image.shape[-2:]
    if height % patch or width % patch:
        raise ValueError(f"found {height} x {width} pixels; expected multiples of the patch, {patch}")
    batch, dates, slots = image.shape[:3]
    cut = image.reshape(batch, dates, slots, height // patch, patch, width // patch, patch)
    return cut.permute(0, 1, 3, 5, 2, 4, 6)


def _around(sums: Sums, reach: int) -> Sums:
    """The sums over each place and its neighbours; there is nothing beyond the image."""
    if not reach:
        return sums
    batch, dates, rows, columns, _ = sums[0].shape
    every = torch.cat(list(sums), dim=-1).flatten(0, 1).movedim(-1, 1)
    side = 2 * reach + 1
    total = F.avg_pool2d(F.pad(every, (reach,) * 4), side, 1) * side**2
    total = total.movedim(1, -1).reshape(batch, dates, rows, columns, -1)
    return torch.split(total, [each.shape[-1] for each in sums], dim=-1)


def _moments(shown: Tensor, there: Tensor) -> Sums:
    return [each.sum(dim=(-2, -1)) for each in (there.to(shown.dtype), shown, shown.square())]


def _spread(sums: Sums) -> tuple[Tensor, Tensor]:
    count, total, squares = sums
    pixels = count.clamp(min=1)
    mean = total / pixels
    found = torch.cat([mean, _log((squares / pixels - mean.square()).clamp(min=0).sqrt())], dim=-1)
    return found, torch.cat([count, count], dim=-1) > 0.5


def _changes(shown: Tensor, there: Tensor, step: int) -> Sums:
    sums = list(shown.new_zeros((3, *shown.shape[:-2])))
    for axis in (-2, -1):
        length = shown.shape[axis] - step
        if length < 1:
            continue
        both = there.narrow(axis, step, length) & there.narrow(axis, 0, length)
        change = torch.where(both, shown.narrow(axis, step, length) - shown.narrow(axis, 0, length), 0.0)
        found = (each.sum(dim=(-2, -1)) for each in (both.to(shown.dtype), change.abs(), change.square()))
        sums = [before + each for before, each in zip(sums, found, strict=True)]
    return sums


def _roughness(sums: Sums) -> tuple[Tensor, Tensor]:
    count, total, squares = sums
    pairs = count.clamp(min=1)
    found = torch.cat([_log(total / pairs), _log((squares / pairs).sqrt())], dim=-1)
    return found, torch.cat([count, count], dim=-1) > 0.5


def _pairs(shown: Tensor, there: Tensor) -> Sums:
    """Of the pixels that are valid in both slots of a pair: their number, and sums of the difference and its square.

    By sums of products, as the differences of all pairs would be many times the image.
    """
    first, second = _numbers(shown.shape[-3])
    pixels, mask = shown.flatten(-2), there.flatten(-2).to(shown.dtype)
    count = mask @ mask.mT
    sums, squares, products = pixels @ mask.mT, pixels.square() @ mask.mT, pixels @ pixels.mT
    every = count, sums - sums.mT, squares + squares.mT - 2 * products
    return [each[..., first, second] for each in every]


def _difference(sums: Sums) -> tuple[Tensor, Tensor]:
    count, total, squares = sums
    pixels = count.clamp(min=1)
    variance = squares / pixels - (total / pixels).square()
    return _log(variance.clamp(min=0).sqrt()), count > 1.5


def _log(deviation: Tensor) -> Tensor:
    return (deviation + FLOOR).log()


@lru_cache
def _numbers(slots: int) -> tuple[list[int], list[int]]:
    rows, columns = torch.triu_indices(slots, slots, 1).tolist()
    return rows, columns
