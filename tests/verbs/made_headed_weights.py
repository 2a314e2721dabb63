"""Weights with random heads, by what they answer about."""

from pathlib import Path

import torch

from spectralgpt import SpectralGPT
from spectralgpt.nn import DenseConfig, PooledConfig
from spectralgpt.tasks import ChangeConfig, Class
from spectralgpt.weights import ChangeDetector, Classifier, Segmenter

SMALL_DENSE = {"widths": (32, 32, 64, 64), "levels": (16, 16, 16), "channels": 16}
LAND = (Class("forest", "#116611"), Class("water", "#1133ee"), Class("bare soil"))


def headed_weights(weights: Path, folder: Path) -> Path:
    """A folder of weights per kind of answer; of the classifiers, images of 32 pixels."""
    base = SpectralGPT.from_pretrained(weights)
    torch.manual_seed(1)
    models = {
        "class": Classifier.from_encoder(base.resized(32), PooledConfig(classes=3), LAND),
        "classes": Classifier.from_encoder(base.resized(32), PooledConfig(classes=3, several=True), LAND),
        "mask": Segmenter.from_encoder(base, DenseConfig(classes=3, **SMALL_DENSE), LAND),
        "unnamed": Segmenter.from_encoder(base, DenseConfig(classes=2, **SMALL_DENSE)),
        "change": ChangeDetector.from_encoder(base, ChangeConfig(**SMALL_DENSE)),
    }
    for name, model in models.items():
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        model.eval().save_pretrained(folder / name)
    return folder
