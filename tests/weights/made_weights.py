"""A small model with everything in it different from zero."""

from typing import Any

import torch

from spectralgpt.bands import BandSet, sensor
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size
from spectralgpt.weights import SpectralGPT

BANDS = sensor("spectralgpt-12").bands
SIZE = Size(32, 2, 2, 48, 1, 3)


def small_weights(seed: int = 0, **options: Any) -> SpectralGPT:
    torch.manual_seed(seed)
    statistics = tuple(BandStatistics(band, 1.5 + 0.1 * i, 1 / (3 + i)) for i, band in enumerate(BANDS))
    config = ModelConfig(**({"size": SIZE, "bands": BandSet.native(BANDS)} | options))
    model = SpectralGPT(config, Normalization("standard", statistics), {"steps": 3, "data": "made"})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()
