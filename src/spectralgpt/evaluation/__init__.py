"""Honest numbers from features and labels: fit, choose, report once; splits by place, leaks, intervals."""

from spectralgpt.evaluation.method import Fitted, Method, Targets

__all__ = ["Fitted", "Method", "Targets"]
