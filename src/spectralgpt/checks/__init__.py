"""The input contract: whether an image holds what it claims to hold."""

from spectralgpt.checks.contract import BandRow, Verdict, check
from spectralgpt.checks.suspicions import Flag

__all__ = ["BandRow", "Flag", "Verdict", "check"]
