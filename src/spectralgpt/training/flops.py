"""The peak speed of the hardware: the FLOP/s of a step (nn/flops.py) divided by it are the model FLOP utilization."""

import time

import torch

from spectralgpt.nn import Precision, resolved_precision
from spectralgpt.nn.linear import linear

SIDES = {"cpu": (256, 512, 1024), "cuda": (4096, 8192)}
"""Sides of the square matrices; small products finish before another process takes the CPU."""
SECONDS = 0.15
"""Time of a measurement, per side."""


def matmul_peak(device: torch.device, precision: Precision = "auto") -> float:
    """The highest FLOP/s of a product of square matrices here, in this precision, measured in half a second."""
    dtype = torch.bfloat16 if resolved_precision(precision, device) == "bf16" else torch.float32
    return max(_speed(side, device, dtype) for side in SIDES.get(device.type, SIDES["cpu"]))


@torch.no_grad()
def _speed(side: int, device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of the fastest of several products, as other processes may slow some of them down."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    bias = torch.zeros(side, device=device, dtype=dtype)
    linear(a, b, bias)
    _wait(device)
    best, until = 0.0, time.perf_counter() + SECONDS
    # several at once on a GPU, where waiting takes longer than a product
    repeats = 8 if device.type == "cuda" else 1
    while (start := time.perf_counter()) < until:
        for _ in range(repeats):
            linear(a, b, bias)  # the function that the model uses: torch.mm is slower on some CPUs
        _wait(device)
        best = max(best, repeats * 2 * side**3 / (time.perf_counter() - start))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
