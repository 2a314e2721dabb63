"""Ways to compute attention on a CPU: the same function, and each way is the fastest for some shapes on some CPUs.

PyTorch's own kernel (flash) keeps no scores. Its backward pass multiplies bfloat16 at the speed of float32, and so does
all of it on CPUs without AMX; the other ways multiply with oneDNN, at the speed of bfloat16 (docs/experiments.md).
"""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from spectralgpt.errors import OptionError
from spectralgpt.nn.blocked import blocked_attention, flash_attention_with_blocked_backward
from spectralgpt.nn.cpu import HAS_AMX, MULTIPLIES_BF16

Way = Literal["flash", "float32", "plain", "blocked", "flash, blocked backward"]

KeyMask = Bool[Tensor, "batch 1 1 token"]

Heads = Float[Tensor, "batch head token width"]

ATTENTION_VARIABLE = "SPECTRALGPT_ATTENTION"
"""Environment variable: `usual` measures nothing, `measured` is the default, the name of a way is taken for all."""

MOST_PLAIN = 2**23
"""Scores (batch x heads x tokens^2) up to which all of them may be kept: 16 MB per layer in bfloat16."""


@dataclass(frozen=True, slots=True)
class AttentionShape:
    """What the time of attention depends on. dtype: of the inputs. masked: with a key mask. training: with a backward
    pass."""

    dtype: Literal["float32", "bfloat16"]
    batch: int
    heads: int
    tokens: int
    width: int
    masked: bool
    training: bool

    @property
    def scores(self) -> int:
        return self.batch * self.heads * self.tokens**2

    @property
    def kind(self) -> str:
        """The same for shapes that are near enough to share a way: tokens by quarters of an octave and, in training,
        heads of the whole batch by octaves. Forward the batch does not count, as what comes out for an image must not
        depend, in the last bits, on those beside it."""
        heads = 2 ** round(math.log2(self.batch * self.heads)) if self.training else f"{self.heads} per image"
        return (
            f"{self.dtype} {'training' if self.training else 'forward'}{' masked' if self.masked else ''}, "
            f"heads {heads}, {round(2 ** (round(4 * math.log2(self.tokens)) / 4))} tokens of {self.width}"
        )


def usual_way(shape: AttentionShape) -> Way:
    """The way by a rule, for where nothing may be measured.

    float32: PyTorch's kernel. bfloat16: with AMX the same, with a backward pass by blocks; with AVX-512 BF16 alone by
    blocks, or plain where there are few scores to keep; on other CPUs, where it is slow in any way, PyTorch's kernel.
    """
    if shape.dtype == "float32" or not MULTIPLIES_BF16:
        return "flash"
    if HAS_AMX:
        return "flash, blocked backward" if shape.training else "flash"
    return "plain" if shape.training and shape.scores <= MOST_PLAIN else "blocked"


def possible_ways(shape: AttentionShape) -> tuple[Way, ...]:
    """The ways that may be the fastest for this shape, the usual one first."""
    others: list[Way] = ["flash", "blocked"]
    if shape.dtype == "bfloat16":
        others.append("float32")
    if shape.training:  # forward these are flash, and blocked with one block
        others.append("flash, blocked backward")
        if shape.scores <= MOST_PLAIN:
            others.append("plain")
    return tuple(dict.fromkeys([usual_way(shape), *others]))


def flash_attention(q: Heads, k: Heads, v: Heads, keys: KeyMask | None) -> Heads:
    """softmax(q k^T / sqrt(width)) v over the keys, by PyTorch's kernel."""
    return F.scaled_dot_product_attention(q, k, v, attn_mask=keys)


def float32_attention(q: Heads, k: Heads, v: Heads, keys: KeyMask | None) -> Heads:
    """The same of bfloat16 inputs, computed in float32."""
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=keys).to(q.dtype)


def plain_attention(q: Heads, k: Heads, v: Heads, keys: KeyMask | None) -> Heads:
    """The same with a softmax over all scores at once, which are kept for the backward pass."""
    by_head = [each.reshape(-1, *each.shape[2:]) for each in (q, k, v)]
    with torch.autocast("cpu", enabled=False):  # it would run the softmax in float32
        nothing = q.new_empty(())
        scores = torch.baddbmm(nothing, by_head[0], by_head[1].transpose(1, 2), beta=0, alpha=q.shape[-1] ** -0.5)
        if keys is not None:
            scores = scores.reshape(*q.shape[:2], *scores.shape[1:]).masked_fill(~keys, -torch.inf).flatten(0, 1)
        return torch.bmm(scores.softmax(dim=-1), by_head[2]).reshape(q.shape)


WAYS: dict[Way, Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]] = {
    "flash": flash_attention,
    "float32": float32_attention,
    "plain": plain_attention,
    "blocked": blocked_attention,
    "flash, blocked backward": flash_attention_with_blocked_backward,
}


def asked_way() -> str:
    """`measured`, `usual` or a way, as the environment says. OptionError for anything else."""
    asked = os.environ.get(ATTENTION_VARIABLE) or "measured"
    if asked not in ("measured", "usual") and asked not in WAYS:
        ways = ", ".join(f"'{way}'" for way in WAYS)
        raise OptionError(
            f"the environment variable {ATTENTION_VARIABLE}: found {asked!r}",
            f"usual, measured, or one of the ways {ways}",
        )
    return asked
