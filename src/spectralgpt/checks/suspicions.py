"""What looks suspicious in a sample of an image's pixels: pure rules, each on reflectance, that return flags.

Limits are such that clean images of many places, also hazy, snowy and dark ones, pass (docs/input.md states each with
the images that it was set on). A rule without enough data is silent.
"""

from dataclasses import replace

from spectralgpt.checks.copies import duplicates
from spectralgpt.checks.flags import Flag
from spectralgpt.checks.level import other_level, suspected_level
from spectralgpt.checks.negative import beyond_reflectance
from spectralgpt.checks.offset import suspected_offset, wrapped
from spectralgpt.checks.order import suspected_order
from spectralgpt.checks.pixel_sample import PixelSample
from spectralgpt.checks.scaled import scaled_by_itself
from spectralgpt.checks.shift import shifted
from spectralgpt.checks.spoilt import absent, constant, saturated
from spectralgpt.checks.units import suspected_units


def suspicions(sample: PixelSample, declared: bool) -> tuple[Flag, ...]:
    """All flags of a sample without fill, at most one per kind and cause. declared: whether metadata state scale and
    offset."""
    sample, below_zero = wrapped(sample)
    quantiles = sample.quantiles()
    units = suspected_units(sample, quantiles, declared)
    refused = any(flag.kind == "units" for flag in units)
    found = beyond_reflectance(sample, refused, declared) or [*units, *suspected_offset(sample, declared)]
    if not found:  # with wrong units or offset every band is odd
        found += suspected_level(sample, quantiles)
        # bands of the other level are odd, but in their order
        other = other_level(sample)
        seen_as = replace(sample, level=other[0]) if found and other else sample
        found += suspected_order(seen_as, quantiles)
    found = scaled_by_itself(sample, quantiles, found, declared)
    spoilt = [*constant(sample), *duplicates(sample), *saturated(sample), *absent(sample)]
    return (*below_zero, *found, *shifted(sample), *spoilt)
