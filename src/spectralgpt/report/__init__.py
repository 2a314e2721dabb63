"""Figures from plain arrays."""

from spectralgpt.report.change import DrawnClasses, DrawnDistances, save_change
from spectralgpt.report.class_map import LegendEntry, ShownPoint, save_class_map
from spectralgpt.report.curves import save_loss_curve
from spectralgpt.report.inspection import save_inspection
from spectralgpt.report.pictures import save_picture
from spectralgpt.report.rebuilt_samples import save_rebuilt_samples
from spectralgpt.report.reconstruction import save_reconstruction
from spectralgpt.report.samples import save_samples

__all__ = [
    "DrawnClasses",
    "DrawnDistances",
    "LegendEntry",
    "ShownPoint",
    "save_change",
    "save_class_map",
    "save_inspection",
    "save_loss_curve",
    "save_picture",
    "save_rebuilt_samples",
    "save_reconstruction",
    "save_samples",
]
