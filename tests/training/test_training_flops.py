"""What is counted is what PyTorch counts when the model runs."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from made_training import CONFIG, cube_of
from spectralgpt.nn import SIZES, MaskedAutoencoder, ModelConfig, Size, draw_mask, draw_places, forward_flops
from spectralgpt.training import flops


@pytest.mark.parametrize(
    "size", [CONFIG.size, Size(48, 3, 4, 32, 2, 4), pytest.param(SIZES["tiny"], marks=pytest.mark.long)]
)
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
    counted = batch * forward_flops(model.config, kept=mask.kept, decoded=decoded, predicted=chosen)
    assert forward.get_total_flops() == counted
    # the loop counts the head as if it gave values of all that is decoded: a little more
    assert counted <= batch * forward_flops(model.config, kept=mask.kept, decoded=decoded) < 1.3 * counted
    with FlopCounterMode(display=False) as both, sdpa_kernel(SDPBackend.MATH):
        model(cube_of(batch), mask, places).square().sum().backward()
    # training takes three times as much, but for the first layer, whose input has no gradient
    assert 2.7 * counted < both.get_total_flops() <= 3.3 * counted


def test_a_conditional_mean_is_counted_but_for_its_estimates(monkeypatch):
    monkeypatch.setattr("spectralgpt.nn.linear.ONEDNN_IN_FP32", False)
    counted, found = [], []
    for on in (False, True):
        model = MaskedAutoencoder(ModelConfig(Size(48, 3, 4, 32, 2, 4), CONFIG.bands, conditional_mean=on))
        mask = draw_mask("random", 0.5, (3, 1, 4, 16), torch.arange(3))
        with FlopCounterMode(display=False) as forward, sdpa_kernel(SDPBackend.MATH):
            model(cube_of(3), mask)
        found.append(forward.get_total_flops())
        counted.append(3 * forward_flops(model.config, kept=mask.kept, decoded=64))
    assert found[0] == counted[0] < counted[1] < found[1] < 1.1 * counted[1]


def test_the_peak_is_the_speed_of_the_fastest_product(monkeypatch):
    """With a clock that runs as the products say, as that of a busy computer does not."""
    clock, done = [0.0], []

    def product(a, b, bias):
        done.append((a.shape, a.dtype))
        # 2e12 FLOP/s at one side, less at others; each third one is disturbed
        speed = (2e12 if a.shape[0] == 512 else 1e12) / (10 if len(done) % 3 == 0 else 1)
        clock[0] += 2 * a.shape[0] ** 3 / speed
        return a

    monkeypatch.setattr(flops, "linear", product)
    monkeypatch.setattr(flops, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    monkeypatch.setattr(flops, "SECONDS", 0.003)
    assert flops.matmul_peak(torch.device("cpu"), "fp32") == pytest.approx(2e12)
    assert {dtype for _, dtype in done} == {torch.float32}
    flops.matmul_peak(torch.device("cpu"), "bf16")
    assert done[-1][1] == torch.bfloat16
    assert clock[0] < 0.3, "no longer than was given, but for a first and a last product"


def test_the_peak_of_this_computer_is_one():
    assert 1e8 < flops.matmul_peak(torch.device("cpu"), "fp32") < 1e14
