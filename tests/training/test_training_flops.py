"""What is counted is what PyTorch counts when the model runs."""

import time

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from made_training import CONFIG, cube_of
from spectralgpt.nn import SIZES, MaskedAutoencoder, ModelConfig, Size, draw_mask, draw_places
from spectralgpt.training.flops import forward_flops, matmul_peak


@pytest.mark.parametrize("size", [CONFIG.size, Size(48, 3, 4, 32, 2, 4), SIZES["tiny"]])
@pytest.mark.parametrize(("ratio", "fraction"), [(0.9, 1.0), (0.5, 1.0), (0.75, 0.25), (0.0, 0.5)])
def test_a_pass_computes_what_is_counted(size, ratio, fraction, monkeypatch):
    # the counter knows neither an operator of our own nor the CPU's attention, but the products that it is made of
    monkeypatch.setattr("spectralgpt.nn.linear.ONEDNN_IN_FP32", False)
    batch, tokens = 3, 4 * 16
    model = MaskedAutoencoder(ModelConfig(size, CONFIG.bands))
    key = torch.arange(batch)
    mask = draw_mask("random", ratio, (batch, 1, 4, 16), key)
    places = None if fraction == 1 else draw_places(key, 16, fraction)
    with FlopCounterMode(display=False) as forward, sdpa_kernel(SDPBackend.MATH):
        out = model(cube_of(batch), mask, places)
    chosen = tokens if places is None else 4 * places.shape[1]
    decoded = tokens if places is None else mask.kept + chosen
    assert out.shape[1] == chosen
    told = batch * forward_flops(model.config, kept=mask.kept, decoded=decoded, predicted=chosen)
    assert forward.get_total_flops() == told
    # the loop counts the head as if it gave values of all that is decoded: a little more
    assert told <= batch * forward_flops(model.config, kept=mask.kept, decoded=decoded) < 1.3 * told
    with FlopCounterMode(display=False) as both, sdpa_kernel(SDPBackend.MATH):
        model(cube_of(batch), mask, places).square().sum().backward()
    # training takes three times as much, but for the first layer, whose input has no gradient
    assert 2.7 * told < both.get_total_flops() <= 3.3 * told


def test_the_peak_is_above_what_one_product_reaches():
    device = torch.device("cpu")
    start = time.perf_counter()
    peak = matmul_peak(device, "fp32")
    assert time.perf_counter() - start < 30, "half a second, on a computer that does nothing else"
    a = torch.randn(300, 300)
    start = time.perf_counter()
    for _ in range(3):
        a @ a
    assert peak > 0.5 * 3 * 2 * 300**3 / (time.perf_counter() - start)
    assert 1e8 < peak < 1e14
