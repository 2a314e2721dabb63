"""Attention over all tokens at once, and the transformer block (pre-norm, as in the paper)."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from spectralgpt.nn.dropping import Key, drop_path
from spectralgpt.nn.linear import Linear
from spectralgpt.nn.measured_ways import chosen_way
from spectralgpt.nn.ways import WAYS, AttentionShape, KeyMask, flash_attention

NORM_EPS = 1e-6


def key_mask(present: Bool[Tensor, "batch token"] | None) -> KeyMask | None:
    """True where a token may be attended to; None, and no cost, when all may.

    A sample without any token attends to everything: its outputs are thrown away, but softmax over nothing is NaN.
    """
    if present is None:
        return None
    return (present | ~present.any(dim=1, keepdim=True))[:, None, None]


class Attention(nn.Module):
    """Multi-head attention: out = softmax(q k^T / sqrt(d)) v, then a linear layer; q, k, v are one matrix."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = Linear(dim, 3 * dim)
        self.proj = Linear(dim, dim)

    def forward(
        self, x: Float[Tensor, "batch token dim"], keys: KeyMask | None = None
    ) -> Float[Tensor, "batch token dim"]:
        n, length, dim = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        out = attend(q, k, v, keys)
        return self.proj(out.transpose(1, 2).reshape(n, length, dim))  # type: ignore[no-any-return]


def attend(
    q: Float[Tensor, "batch head token width"],
    k: Float[Tensor, "batch head token width"],
    v: Float[Tensor, "batch head token width"],
    keys: KeyMask | None,
) -> Float[Tensor, "batch head token width"]:
    """softmax(q k^T / sqrt(width)) v over the keys, on a CPU by the fastest way for this shape (measured_ways.py)."""
    # without tokens (everything hidden) there is nothing to choose
    if q.device.type != "cpu" or q.dtype not in (torch.float32, torch.bfloat16) or not q.numel():
        return flash_attention(q, k, v, keys)
    training = torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad)
    dtype: Literal["bfloat16", "float32"] = "bfloat16" if q.dtype == torch.bfloat16 else "float32"
    batch, heads, tokens, width = q.shape
    shape = AttentionShape(dtype, batch, heads, tokens, width, keys is not None, training)
    return WAYS[chosen_way(shape)](q, k, v, keys)


class Mlp(nn.Module):
    """Linear to four times the width, exact GELU, linear back."""

    def __init__(self, dim: int):
        super().__init__()
        self.fc1 = Linear(dim, 4 * dim)
        self.fc2 = Linear(4 * dim, dim)

    def forward(self, x: Float[Tensor, "batch token dim"]) -> Float[Tensor, "batch token dim"]:
        return self.fc2(F.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """x + Attention(LN(x)), then x + MLP(LN(x)).

    drop_path: share of the samples that skip a branch, in training only. number: index of the block, from 0.
    """

    def __init__(self, dim: int, heads: int, number: int = 0):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim)
        self.drop_path, self.number = 0.0, number

    def forward(
        self, x: Float[Tensor, "batch token dim"], keys: KeyMask | None = None, key: Key | None = None
    ) -> Float[Tensor, "batch token dim"]:
        """keys: tokens that may be attended to. key: one per sample, for drop path."""
        x = x + self._dropped(self.attn(self.norm1(x), keys), key, 2 * self.number)
        return x + self._dropped(self.mlp(self.norm2(x)), key, 2 * self.number + 1)

    def _dropped(
        self, branch: Float[Tensor, "batch token dim"], key: Key | None, layer: int
    ) -> Float[Tensor, "batch token dim"]:
        return drop_path(branch, self.drop_path, key, layer) if self.training and self.drop_path else branch
