"""Products by the CPU's other library are the same as PyTorch's own, with the same gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spectralgpt.nn import linear as faster
from spectralgpt.nn.linear import linear


def gradients(outputs: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    weights = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1))
    return torch.autograd.grad((outputs * weights).sum(), inputs)


@pytest.mark.skipif(not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this PyTorch is without oneDNN")
@pytest.mark.parametrize("shape", [(6, 20), (2, 3, 20), (0, 20)])
def test_products_by_onednn(shape, monkeypatch):
    # also on a CPU where PyTorch's own product is just as fast, and is used
    monkeypatch.setattr(faster, "ONEDNN_IN_FP32", True)
    torch.manual_seed(0)
    x, weight, bias = (torch.randn(s, requires_grad=True) for s in (shape, (7, 20), (7,)))
    found, wanted = linear(x, weight, bias), F.linear(x, weight, bias)
    torch.testing.assert_close(found, wanted)
    for mine, plain in zip(gradients(found, x, weight, bias), gradients(wanted, x, weight, bias), strict=True):
        torch.testing.assert_close(mine, plain, atol=1e-5, rtol=1e-5)
    assert linear(x.double(), weight.double(), bias.double()).dtype == torch.float64
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert linear(x, weight, bias).dtype == torch.bfloat16
