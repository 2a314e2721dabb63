"""The input contract: whether an image contains what it claims to contain."""

from spectralgpt.checks.contract import BandRow, Verdict, check, flags_of
from spectralgpt.checks.flags import Flag

__all__ = ["BandRow", "Flag", "Verdict", "check", "flags_of"]
