"""Counts and sums per image, and their reductions to scores: pure functions on arrays."""

from spectralgpt.metrics.calibration import Reliability
from spectralgpt.metrics.classwise import ClassSums, ClassTable
from spectralgpt.metrics.confusion import ConfusionCounts
from spectralgpt.metrics.interpolation import harmonic, in_time
from spectralgpt.metrics.intervals import Interval, bootstrap, paired_difference
from spectralgpt.metrics.labels import LabelTable
from spectralgpt.metrics.reconstruction import ErrorSums
from spectralgpt.metrics.regression import RegressionSums
from spectralgpt.metrics.scores import (
    CHANGE_SCORES,
    CLASS_SCORES,
    LABEL_SCORES,
    MASK_SCORES,
    ImageTable,
    Score,
    by_class,
    classes_present,
    reliability,
)
from spectralgpt.metrics.simple import SimpleErrors, WaySums

__all__ = [
    "CHANGE_SCORES",
    "CLASS_SCORES",
    "LABEL_SCORES",
    "MASK_SCORES",
    "ClassSums",
    "ClassTable",
    "ConfusionCounts",
    "ErrorSums",
    "ImageTable",
    "Interval",
    "LabelTable",
    "RegressionSums",
    "Reliability",
    "Score",
    "SimpleErrors",
    "WaySums",
    "bootstrap",
    "by_class",
    "classes_present",
    "harmonic",
    "in_time",
    "paired_difference",
    "reliability",
]
