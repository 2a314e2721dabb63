"""Attention on CPUs, block by block of heads, so that the scores stay in the cache.

In bfloat16, PyTorch's own kernel multiplies at the speed of float32, except forwards on a CPU with AMX. This is the
same function; scores are rounded to bfloat16 before the softmax, as they are wherever a plain softmax runs under
autocast (docs/experiments.md).
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
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
    return _Blocked.apply(q, k, v, keys)  # type: ignore[no-any-return, no-untyped-call]


def flash_attention_with_blocked_backward(
    q: Float[Tensor, "batch head token width"],
    k: Float[Tensor, "batch head token width"],
    v: Float[Tensor, "batch head token width"],
    keys: Bool[Tensor, "batch 1 1 token"] | None,
) -> Float[Tensor, "batch head token width"]:
    """The same, forwards by PyTorch's kernel."""
    return _FlashForwards.apply(q, k, v, keys)  # type: ignore[no-any-return, no-untyped-call]


class _Blocked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, keys: Tensor | None) -> Tensor:
        away = _away(q, keys)
        flat = _by_head(q), _by_head(k), _by_head(v)
        ctx.shape = q.shape
        ctx.save_for_backward(*flat, away)
        return _forward(*flat, away).reshape(q.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, away = ctx.saved_tensors
        of_inputs = _backward(q, k, v, away, _by_head(gradient))
        return *(each.reshape(ctx.shape) for each in of_inputs), None


class _FlashForwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, keys: Tensor | None) -> Tensor:
        ctx.save_for_backward(q, k, v, keys)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=keys)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, keys = ctx.saved_tensors
        flat = _by_head(q), _by_head(k), _by_head(v)
        of_inputs = _backward(*flat, _away(q, keys), _by_head(gradient))
        return *(each.reshape(q.shape) for each in of_inputs), None


def _by_head(each: Float[Tensor, "batch head token width"]) -> Float[Tensor, "batch_head token width"]:
    """Contiguous, as blocks are cut from it."""
    return each.reshape(-1, *each.shape[2:])


def _away(q: Tensor, keys: Tensor | None) -> Bool[Tensor, "batch_head 1 token"] | None:
    """Per head, which keys are not attended to."""
    return None if keys is None else (~keys).expand(-1, q.shape[1], -1, -1).reshape(-1, 1, q.shape[2])


def _forward(q: Tensor, k: Tensor, v: Tensor, away: Tensor | None) -> Tensor:
    out = torch.empty_like(q)
    # autocast would run softmax in float32
    with torch.autocast("cpu", enabled=False):
        for part, scores in _blocks(q):
            torch.bmm(_weights(q[part], k[part], away, part, scores), v[part], out=out[part])
    return out


def _backward(q: Tensor, k: Tensor, v: Tensor, away: Tensor | None, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
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
    return of_q, of_k, of_v


def _blocks(q: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Slices of the heads, of nearly the same size, each with a buffer for its scores."""
    heads, tokens, _ = q.shape
    most = min(heads, max(1, SCORES // max(1, tokens**2)))
    count = -(-heads // -(-heads // most))
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
