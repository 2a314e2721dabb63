"""A network that was never trained: what pretraining has to beat."""

import torch

from spectralgpt.bands import BandSet, sensor
from spectralgpt.errors import OptionError
from spectralgpt.nn import SIZES, BandStatistics, ModelConfig, Normalization
from spectralgpt.weights.models import SpectralGPT

UNTRAINED = "untrained"
"""The name by which it is asked for; `untrained:base` is another size than tiny."""

TYPICAL = (2.3, 0.9)
"""Mean and standard deviation of asinh(reflectance / 0.02): reflectance of 0.04 to 0.24 lies within one deviation."""


def check_size(name: str) -> str:
    """The size in the name `untrained` or `untrained:SIZE`. OptionError for an unknown one."""
    size = name.partition(":")[2] or "tiny"
    if size not in SIZES:
        raise OptionError(f"{name}: unknown size {size!r}", f"one of: {', '.join(SIZES)}")
    return size


def untrained(name: str = UNTRAINED, seed: int = 0) -> SpectralGPT:
    """The model of the name `untrained` or `untrained:SIZE`, in evaluation mode: weights drawn as in the paper, the 12
    bands of the released weights, and the same units for every band.

    The state of PyTorch's random numbers is left as it was. OptionError for an unknown size.
    """
    size = check_size(name)
    bands = sensor("spectralgpt-12").bands
    config = ModelConfig(size=SIZES[size], bands=BandSet.native(bands, 3))
    units = Normalization("standard", tuple(BandStatistics(band, *TYPICAL) for band in bands))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SpectralGPT(config, units, {"recipe": name, "steps": 0})
    return model.eval()
