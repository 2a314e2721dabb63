"""What is checked before work starts: whether an image contains what it claims to contain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spectralgpt.checks.clouds import notes_on_clouds
from spectralgpt.checks.fill import likely_fill, notes_on_fill, undeclared_fill
from spectralgpt.checks.flags import Flag
from spectralgpt.checks.level import without_level_note
from spectralgpt.checks.look import look, sample_of
from spectralgpt.checks.pixel_sample import PixelSample
from spectralgpt.checks.shift import notes_on_dates
from spectralgpt.checks.spoilt import notes_on_clipped
from spectralgpt.checks.suspicions import suspicions
from spectralgpt.checks.units import notes_on_fractions, notes_on_white
from spectralgpt.errors import RasterError
from spectralgpt.raster.pixels import Pixels
from spectralgpt.raster.raster import Raster

BY_CONVENTION = ("by the convention of", "reflectance in floats")
"""Words by which facts mark a scale and offset that no metadata declare."""

VALID_FOUND = "valid pixels found"
"""What the text of every verdict begins with."""

REFUSED = ("conflict", "units")
"""Kinds of flags at which every verb stops unless the user trusts the input."""


@dataclass(frozen=True, slots=True)
class BandRow:
    """A band's statistics. wavelength: nm. q02, median, q98: reflectance, nan without valid pixels. valid: share of
    its pixels. flags: kinds of the flags that concern it.
    """

    name: str
    wavelength: float
    q02: float
    median: float
    q98: float
    valid: float
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check.

    text: for the tags of a result, one statement per line. warnings: from opening, notes and flags, one by one.
    read_from: what was read from where. fixed: those of these facts that state a scale or offset from metadata, not by
    convention. valid, clouds: shares of pixels; clouds None without a cloud layer. notes: what the values show that is
    no fault.
    """

    text: str
    warnings: tuple[str, ...]
    read_from: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    table: tuple[BandRow, ...] = ()
    valid: float = 1.0
    clouds: float | None = None
    notes: tuple[str, ...] = ()


def check(raster: Raster, trust: bool = False, *, is_pair: bool = False) -> Verdict:
    """The verdict on an image, from windows spread over it. is_pair: of two dates; their shift is measured elsewhere.

    RasterError when no pixel of any date and band is valid; unless trusted, also when metadata contradict how it is
    read, or its values are not reflectance.
    """
    source = raster.source
    sample, clouds = look(raster)
    if not sample.valid.any():
        raise RasterError(
            f"{source}: found no valid pixel: all are nodata, fill, NaN or masked", do="Give an image with data"
        )
    declared, fixed = stated_by_metadata(raster.facts)
    conflicts = tuple(Flag("conflict", (), conflict) for conflict in raster.conflicts)
    measured, fill = undeclared_fill(sample)
    measured, likely = likely_fill(measured)
    quantiles = measured.quantiles()
    flags = (*conflicts, *fill, *suspicions(measured, declared))
    if not trust:
        refuse_flags(flags, source)
    # numbers in another unit have fractions for another reason
    whole = declared or any(flag.kind == "units" for flag in flags)
    seen = (
        *notes_on_fill(sample),
        *likely,
        *notes_on_clipped(measured),
        *notes_on_white(measured, quantiles, declared),
        *(() if whole else notes_on_fractions(sample)),
        *(() if is_pair else notes_on_dates(sample)),
        *notes_on_clouds(raster, clouds),
    )
    notes = tuple(f"{source}: {note}" for note in seen)
    warnings = (
        *without_level_note(raster.warnings, flags),
        *notes,
        *(flag.text if flag in conflicts else f"{source}: {flag.text}" for flag in flags),
    )
    return Verdict(
        text="\n".join((VALID_FOUND, *raster.facts, *warnings)),
        warnings=warnings,
        read_from=raster.facts,
        fixed=fixed,
        flags=flags,
        table=_table(measured, quantiles, flags),
        valid=float(sample.valid.mean()),
        notes=notes,
        clouds=clouds,
    )


def stated_by_metadata(facts: Sequence[str]) -> tuple[bool, tuple[str, ...]]:
    """Whether metadata state all of scale and offset; and the facts by which they do."""
    stated = [fact for fact in facts if "offset" in fact or "scale" in fact]
    fixed = tuple(fact for fact in stated if not any(words in fact for words in BY_CONVENTION))
    return bool(stated) and len(fixed) == len(stated), fixed


def refuse_flags(flags: Sequence[Flag], source: str) -> None:
    """RasterError for a flag at which every verb stops unless the user trusts the input. source: for messages."""
    refused = [flag for flag in flags if flag.kind in REFUSED]
    if refused:
        # a conflict names its source itself
        found = refused[0].text if refused[0].kind == "conflict" else f"{source}: {refused[0].text}"
        raise RasterError(found, "", "To continue anyway, give", ("trust_input", True))


def flags_of(pixels: Pixels, level: str, declared: bool, judges_fill: bool = True) -> tuple[Flag, ...]:
    """What is suspected of pixels in memory. level: of the sensor. declared: whether metadata state how stored values
    become reflectance. judges_fill: whether undeclared fill is looked for."""
    measured, fill = undeclared_fill(sample_of(pixels, level, judges_fill))
    if judges_fill:
        measured, _ = likely_fill(measured)
    return (*fill, *suspicions(measured, declared))


def _table(
    sample: PixelSample, quantiles: Float[np.ndarray, "quantile band"], flags: tuple[Flag, ...]
) -> tuple[BandRow, ...]:
    return tuple(
        BandRow(
            name=band.name,
            wavelength=float(band.wavelength),
            q02=float(quantiles[0, index]),
            median=float(quantiles[1, index]),
            q98=float(quantiles[2, index]),
            valid=float(sample.valid[index]),
            flags=tuple(dict.fromkeys(flag.kind for flag in flags if band.name in flag.bands)),
        )
        for index, band in enumerate(sample.bands)
    )
