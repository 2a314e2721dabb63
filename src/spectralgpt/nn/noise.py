"""Random numbers of a sample: functions of its key and of their purpose, on the key's device.

Training draws all its numbers in this way, for masks as for dropout: a sample gets the same numbers in any batch and
after a resume.
"""

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from spectralgpt.draws import FIRST, GOLDEN, SECOND

MASKED_TOKENS, DRAWN_PLACES = 1, 2
"""Purposes of the masks: which tokens are hidden, which places the decoder sees."""
ERASED = 3
"""Purpose of random erasing."""
DROP_PATH, DROPOUT = 0x1_0000, 0x2_0000
"""The first purposes of drop path and dropout; every layer has its own, counted from these."""


def noise_of(key: Int64[Tensor, " batch"], purpose: int, items: int) -> Float32[Tensor, "batch item"]:
    """Numbers from 0 to below 1 that depend only on a sample's key, the purpose and the item."""
    # the upper 24 bits, as a float32 holds 24
    return _shifted(_bits(key, purpose, items), 40).float() * 2.0**-24


def kept_of(
    key: Int64[Tensor, " batch"], purpose: int, shape: tuple[int, ...], rate: float
) -> Float32[Tensor, "batch *axes"]:
    """1 where dropout keeps a value, 0 for a share `rate` of all. shape: batch, and a sample's axes."""
    items = 1
    for side in shape[1:]:
        items *= side
    # four draws of 16 bits from each hash: maps of features have millions of values
    bits = _bits(key, purpose, -(-items // 4)).contiguous().view(torch.int16)[:, :items]
    return (bits >= round(rate * 2**16) - 2**15).float().reshape(shape)


def other_key(key: Int64[Tensor, " batch"]) -> Int64[Tensor, " batch"]:
    """A second key per sample, for a second pass that must draw other numbers."""
    return _mixed(key)


def _bits(key: Int64[Tensor, " batch"], purpose: int, items: int) -> Int64[Tensor, "batch item"]:
    return _mixed(_mixed(key + purpose)[:, None] + torch.arange(items, device=key.device))


def _mixed(key: Int64[Tensor, "*axes"]) -> Int64[Tensor, "*axes"]:
    """`draws.mixed` of the same bits: products of int64 wrap around as those of uint64 do."""
    key = (key + 1) * _signed(GOLDEN)
    key = (key ^ _shifted(key, 30)) * _signed(FIRST)
    key = (key ^ _shifted(key, 27)) * _signed(SECOND)
    return key ^ _shifted(key, 31)


def _shifted(key: Int64[Tensor, "*axes"], bits: int) -> Int64[Tensor, "*axes"]:
    """Shifted to the right with zeros from the left, where int64 would repeat its sign."""
    return (key >> bits) & ((1 << (64 - bits)) - 1)


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
