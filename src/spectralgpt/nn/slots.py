"""Bands to the slots of their groups, and predictions in slots back to bands.

A model has g slots per group. A band set fills them through A, one matrix per group (from BandSet's groups). In the
released model every slot has its own band, and all of this is a reshape. The kernel W over slots applied to A x is the
kernel W A over bands; slots are computed once for all tokens, so that embedding stays one matrix product for any
groups, and they are also the targets of the losses.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from spectralgpt.bands import BandSet


@lru_cache(maxsize=64)
def slot_matrices(bands: BandSet) -> tuple[NDArray[np.float64], ...]:
    """A of each group (slot, band), rows summing to one."""
    return tuple(group.matrix() for group in bands.groups)


@lru_cache(maxsize=64)
def band_matrices(bands: BandSet) -> tuple[NDArray[np.float64], ...]:
    """The way back for each group (band, slot), rows summing to one."""
    return tuple(group.readback() for group in bands.groups)


def to_slots_of_groups(
    values: Float[Tensor, "batch date band height width"], bands: BandSet
) -> Float[Tensor, "batch date group slot height width"]:
    """A x at every pixel; values must be filled where invalid."""
    n, t, _, h, w = values.shape
    return _apply(slot_matrices(bands), values).reshape(n, t, len(bands.groups), bands.slots, h, w)


def to_bands(
    slots: Float[Tensor, "batch date group slot height width"], bands: BandSet
) -> Float[Tensor, "batch date band height width"]:
    """Predictions of the bands: a native band takes its slot, others are read between slots in ln wavelength."""
    return _apply(band_matrices(bands), slots.flatten(2, 3))


def band_valid_in_slots(
    valid: Bool[Tensor, "batch date band height width"], bands: BandSet
) -> Bool[Tensor, "batch date group slot height width"]:
    """True where every band that feeds the slot is valid and the slot is a target (own groups: all slots; native
    groups: slots with their own band)."""
    n, t, _, h, w = valid.shape
    feeds = [(matrix > 0).astype(np.float64) for matrix in slot_matrices(bands)]
    target = np.array([flag for group in bands.groups for flag in group.targets()])
    scored = _apply(feeds, (~valid).float()) == 0
    scored = scored & torch.from_numpy(target).to(valid.device, non_blocking=True)[:, None, None]
    return scored.reshape(n, t, len(bands.groups), bands.slots, h, w)


def present_in_groups(
    valid: Bool[Tensor, "batch date band height width"], bands: BandSet
) -> Bool[Tensor, "batch date group 1 height width"]:
    """True where at least one band of the group is valid."""
    parts = torch.split(valid, [len(group.bands) for group in bands.groups], dim=2)
    return torch.stack([part.any(dim=2) for part in parts], dim=2)[:, :, :, None]


def _apply(
    matrices: Sequence[NDArray[np.float64]], values: Float[Tensor, "batch date band height width"]
) -> Float[Tensor, "batch date out height width"]:
    if all(np.array_equal(matrix, np.eye(*matrix.shape)) and matrix.shape[0] == matrix.shape[1] for matrix in matrices):
        return values
    # group by group: in one block-diagonal product, 0 * NaN would carry a NaN from one group to all others
    parts = torch.split(values, [matrix.shape[1] for matrix in matrices], dim=2)
    weights = (torch.from_numpy(matrix).to(values.device, values.dtype, non_blocking=True) for matrix in matrices)
    return torch.cat([torch.einsum("sb,ntbhw->ntshw", *each) for each in zip(weights, parts, strict=True)], dim=2)
