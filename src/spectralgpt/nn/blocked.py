"""Attention of bfloat16 on CPUs, block by block of heads, so that the scores stay in the cache.

PyTorch's own kernel multiplies in float32 there, at the speed of float32. This is the same function; scores are rounded
to bfloat16 before the softmax, as they are wherever a plain softmax runs under autocast (docs/experiments.md).
"""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

SCORES = 2**22
"""Scores per block: 8 MB. Half and double were just as fast on a CPU with 32 MB of cache."""


def blocked_attention(
    q: Float[Tensor, "batch head token width"],
    k: Float[Tensor, "batch head token width"],
    v: Float[Tensor, "batch head token width"],
    keys: Bool[Tensor, "batch 1 1 token"] | None,
) -> Float[Tensor, "batch head token width"]:
    """softmax(q k^T / sqrt(width)) v, over the tokens that are true in `keys`. Its backward pass keeps no scores."""
    flat = [each.reshape(-1, *each.shape[2:]) for each in (q, k, v)]
    away = None if keys is None else (~keys).expand(-1, q.shape[1], -1, -1).reshape(-1, 1, q.shape[2])
    return _BlockedAttention.apply(*flat, away).reshape(q.shape)  # type: ignore[no-any-return, no-untyped-call]


class _BlockedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, away: Tensor | None) -> Tensor:
        ctx.save_for_backward(q, k, v, away)
        out = torch.empty_like(q)
        # autocast would run softmax in float32
        with torch.autocast("cpu", enabled=False):
            for part, scores in _blocks(q):
                torch.bmm(_weights(q[part], k[part], away, part, scores), v[part], out=out[part])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, away = ctx.saved_tensors
        gradient, scale = gradient.contiguous(), q.shape[-1] ** -0.5
        of_q, of_k, of_v = (torch.empty_like(each) for each in (q, k, v))
        of_weights = None
        with torch.autocast("cpu", enabled=False):
            for part, scores in _blocks(q):
                weights = _weights(q[part], k[part], away, part, scores)
                torch.bmm(weights.transpose(1, 2), gradient[part], out=of_v[part])
                of_weights = torch.empty_like(scores) if of_weights is None else of_weights[: scores.shape[0]]
                torch.bmm(gradient[part], v[part].transpose(1, 2), out=of_weights)
                of_scores = torch._softmax_backward_data(of_weights, weights, -1, weights.dtype)
                _scaled(of_scores, k[part], scale, of_q[part])
                _scaled(of_scores.transpose(1, 2), q[part], scale, of_k[part])
        return of_q, of_k, of_v, None


def _blocks(q: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Slices of the heads, each with a buffer for its scores."""
    heads, tokens, _ = q.shape
    count = min(heads, max(1, SCORES // max(1, tokens**2)))
    scores = q.new_empty(count, tokens, tokens)
    for first in range(0, heads, count):
        yield slice(first, first + count), scores[: heads - first]


def _weights(q: Tensor, k: Tensor, away: Tensor | None, part: slice, scores: Tensor) -> Tensor:
    _scaled(q, k.transpose(1, 2), q.shape[-1] ** -0.5, scores)
    if away is not None:
        scores.masked_fill_(away[part], -torch.inf)
    return torch.softmax(scores, dim=-1, out=scores)


def _scaled(a: Tensor, b: Tensor, scale: float, out: Tensor) -> None:
    torch.baddbmm(out, a, b, beta=0, alpha=scale, out=out)
