"""Counts and sums per image, and their reductions to scores: pure functions on arrays."""

from spectralgpt.metrics.reconstruction import ErrorSums
from spectralgpt.metrics.scores import (
    CHANGE_SCORES,
    CLASS_SCORES,
    LABEL_SCORES,
    MASK_SCORES,
    ImageTable,
    Score,
)

__all__ = ["CHANGE_SCORES", "CLASS_SCORES", "LABEL_SCORES", "MASK_SCORES", "ErrorSums", "ImageTable", "Score"]
