"""Values that parameters and buffers start with, without what torch imports to make them where there are none.

Weights are loaded into a model on the meta device, whose tensors have no values. There `torch.eye` and
`torch.nn.init.normal_` import torch's compiler and sympy: 1.5 s and 70 MB in torch 2.13
(`findings/torch_meta_start_values.sh`).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


def identity(*shape: int) -> Float[Tensor, "... row column"]:
    """1 on the diagonal of the last two axes, which may differ in length, and 0 elsewhere."""
    found = torch.zeros(shape)
    found.diagonal(dim1=-2, dim2=-1).fill_(1.0)
    return found


def draw_normal(tensor: Tensor, deviation: float) -> None:
    """Fill with normal numbers of mean 0; on the meta device there is nothing to fill."""
    if not tensor.is_meta:
        nn.init.normal_(tensor, std=deviation)
