"""The CPU's faster ways are the same functions as PyTorch's own, with the same gradients."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spectralgpt.nn import blocked
from spectralgpt.nn import linear as faster
from spectralgpt.nn.attention import key_mask
from spectralgpt.nn.blocked import blocked_attention
from spectralgpt.nn.linear import linear


def gradients(outputs: Tensor, *inputs: Tensor) -> tuple[Tensor, ...]:
    weights = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1))
    return torch.autograd.grad((outputs * weights).sum(), inputs)


@pytest.mark.parametrize("scores", [1, 2 * 7**2, 2**22])  # one head per block, two with one left over, all
@pytest.mark.parametrize("masked", [False, True])
def test_attention_by_blocks(scores, masked, monkeypatch):
    monkeypatch.setattr(blocked, "SCORES", scores)
    torch.manual_seed(0)
    q, k, v = (torch.randn(3, 5, 7, 8, requires_grad=True) for _ in range(3))
    present = torch.rand(3, 7) > 0.4
    present[1] = False
    keys = key_mask(present) if masked else None
    wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=keys)
    found = blocked_attention(q, k, v, keys)
    torch.testing.assert_close(found, wanted)
    for mine, plain in zip(gradients(found, q, k, v), gradients(wanted, q, k, v), strict=True):
        torch.testing.assert_close(mine, plain, atol=1e-5, rtol=1e-5)


def test_attention_by_blocks_is_as_near_in_bf16():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 50, 16) for _ in range(3))
    wanted = F.scaled_dot_product_attention(q, k, v)
    found = blocked_attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), None)
    assert (found.float() - wanted).norm() < 0.01 * wanted.norm()  # bfloat16 has 8 bits


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
