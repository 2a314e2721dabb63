"""The precision in which the model computes."""

from contextlib import AbstractContextManager
from typing import Literal

import torch

from spectralgpt.nn.cpu import MULTIPLIES_BF16

Precision = Literal["auto", "fp32", "bf16"]


def resolved_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """`auto`: bf16 where the hardware multiplies it (CUDA, CPUs with AMX or AVX-512 BF16), fp32 elsewhere, where bf16
    is several times slower.
    """
    if precision != "auto":
        return precision
    return "bf16" if device.type == "cuda" or (device.type == "cpu" and MULTIPLIES_BF16) else "fp32"


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """A context in which matrix products and attention run in this precision; weights, norms, losses stay float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=resolved_precision(precision, device) == "bf16")
