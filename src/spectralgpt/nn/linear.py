"""Linear layers that multiply float32 matrices with the faster of the CPU's two libraries.

On non-Intel CPUs PyTorch uses MKL's 256-bit kernels, while oneDNN, which is also part of PyTorch, uses the 512 bits
that some of these CPUs have: twice as fast, just as exact (docs/experiments.md).
"""

import os
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from spectralgpt.nn.cpu import ONEDNN_IN_FP32

KERNELS_KEPT = 64
"""Products that PyTorch keeps compiled in each of its two caches on a CPU, instead of 1,024. A product with each number
of rows is another one, of about 0.6 MB in bfloat16, and images of many sizes, or with many shares of valid tokens, have
many (`findings/torch_bf16_products_kept.sh`). A step of training needs fewer."""

for _cache in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):  # read at the first product of a process
    os.environ.setdefault(_cache, str(KERNELS_KEPT))


class Linear(nn.Linear):
    """nn.Linear: x W^T + b."""

    def forward(self, input: Float[Tensor, "*axes inputs"]) -> Float[Tensor, "*axes outputs"]:
        return linear(input, self.weight, self.bias)


def linear(
    x: Float[Tensor, "*axes inputs"], weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"]
) -> Float[Tensor, "*axes outputs"]:
    """x W^T + b, with its gradients."""
    plain = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if plain and x.numel() and ONEDNN_IN_FP32:
        return _MatrixProduct.apply(x, weight, bias)  # type: ignore[no-any-return, no-untyped-call]
    return F.linear(x, weight, bias)


class _MatrixProduct(torch.autograd.Function):
    """x W^T + b by oneDNN, forward and backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)  # type: ignore[no-any-return]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        rows = gradient.flatten(0, -2)
        return (
            _product(gradient, weight.t()) if of_x else None,
            _product(rows.t(), x.flatten(0, -2).t()) if of_weight else None,
            rows.sum(dim=0) if of_bias else None,
        )


# An operator of our own, as torch.compile supports PyTorch's only for frozen weights.
@torch.library.custom_op("spectralgpt::product", mutates_args=(), device_types="cpu")
def _product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]


@_product.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return x.new_empty(*x.shape[:-1], weight.shape[0])
