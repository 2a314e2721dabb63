"""Small models of all kinds; no parameter of the pretraining one is zero."""

from typing import Any

import torch

from spectralgpt.bands import BandSet, sensor
from spectralgpt.nn import BandStatistics, DenseConfig, ModelConfig, Normalization, PooledConfig, Size
from spectralgpt.tasks import ChangeConfig
from spectralgpt.weights import ChangeDetector, Classifier, PretrainedModel, Segmenter, SpectralGPT

BANDS = sensor("spectralgpt-12").bands
SIZE = Size(32, 2, 2, 48, 1, 3)
DENSE: dict[str, Any] = {"widths": (32, 32, 64, 64), "levels": (16, 16, 16), "channels": 16}


def small_weights(seed: int = 0, **options: Any) -> SpectralGPT:
    torch.manual_seed(seed)
    statistics = tuple(BandStatistics(band, 1.5 + 0.1 * i, 1 / (3 + i)) for i, band in enumerate(BANDS))
    config = ModelConfig(**({"size": SIZE, "bands": BandSet.native(BANDS)} | options))
    model = SpectralGPT(config, Normalization("standard", statistics), {"steps": 3, "data": "made"})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def of_all_kinds() -> dict[str, PretrainedModel]:
    """One model by kind; those with a head have the encoder of the pretraining one."""
    base = small_weights()
    return {
        "pretraining": base,
        "classification": Classifier.from_encoder(base, PooledConfig(classes=4)),
        "segmentation": Segmenter.from_encoder(base, DenseConfig(classes=3, **DENSE)),
        "change": ChangeDetector.from_encoder(base, ChangeConfig(**DENSE)),
    }
