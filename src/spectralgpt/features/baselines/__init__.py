"""Baselines: features that need no training, beside which those of a model are judged."""

from spectralgpt.errors import OptionError, did_you_mean
from spectralgpt.features.baselines.baseline import SAME_METHOD, AllDates, Baseline, PixelMaker, listed
from spectralgpt.features.baselines.change import DIFFERENCING, NBR, Differencing, NbrDifference
from spectralgpt.features.baselines.handmade import HANDMADE, HandmadeImages, HandmadePixels
from spectralgpt.features.baselines.pixels import BaselinePixels
from spectralgpt.features.baselines.random_convolutions import CONVOLUTIONS, ImageConvolutions, PixelConvolutions
from spectralgpt.features.baselines.statistics import BAND_STATISTICS, ImageStatistics, PixelStatistics
from spectralgpt.features.baselines.untrained import untrained
from spectralgpt.tasks import TargetKind

__all__ = [
    "SAME_METHOD",
    "AllDates",
    "Baseline",
    "BaselinePixels",
    "Differencing",
    "HandmadeImages",
    "HandmadePixels",
    "ImageConvolutions",
    "ImageStatistics",
    "NbrDifference",
    "PixelConvolutions",
    "PixelMaker",
    "PixelStatistics",
    "find",
    "names",
    "untrained",
]

ALL_BASELINES = listed([BAND_STATISTICS, CONVOLUTIONS, HANDMADE, DIFFERENCING, NBR])


def names(target: TargetKind | None = None) -> list[str]:
    """The baselines, or those for labels of a kind."""
    return [name for name, each in ALL_BASELINES.items() if target is None or target in each.targets]


def find(name: str) -> Baseline:
    """The baseline of this name. OptionError, with the nearest name, for any other."""
    if name not in ALL_BASELINES:
        expected = f"one of: {', '.join(ALL_BASELINES)}"
        raise OptionError(f"unknown baseline {name!r}", expected, did_you_mean(name, ALL_BASELINES, 0.6))
    return ALL_BASELINES[name]
