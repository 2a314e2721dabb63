"""Counts and sums per image, and their reductions to scores: pure functions on arrays."""

from spectralgpt.metrics.reconstruction import ErrorSums

__all__ = ["ErrorSums"]
