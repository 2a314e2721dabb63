"""Lists of wavelengths, like those of imaging spectrometers: their unit, widths and names, and files with them."""

import itertools
import math
import os
import re
from collections import Counter
from collections.abc import Sequence

from spectralgpt.bands.band import Band
from spectralgpt.bands.text import read_small_text
from spectralgpt.errors import BandError

SHORTEST, LONGEST = 200, 20_000
"""Wavelengths (nm) outside of this range are taken for a wrong unit."""

MICROMETRES = 20
"""Wavelengths that are all below this are micrometres."""

LONE_FWHM = 10.0
"""FWHM (nm) of a band without neighbours: that of most imaging spectrometers."""

GUESSED_WIDEST = 0.05
"""A guessed FWHM is at most this share of the wavelength: the gap between the bands of a camera is not their width."""


def bands_at(
    sensor: str, wavelengths: Sequence[float | int], fwhm: Sequence[float | int] | None = None
) -> tuple[Band, ...]:
    """Bands of a sensor at these wavelengths, in this order, named like `409.82 nm`; their gsd is 0: unknown.

    Units and BandError as in `in_nanometres`.
    """
    centres, breadths = in_nanometres(wavelengths, fwhm)
    return tuple(
        Band(sensor, name, centre, breadth, 0)
        for name, centre, breadth in zip(names_of(centres), centres, breadths, strict=True)
    )


def in_nanometres(
    wavelengths: Sequence[float | int], fwhm: Sequence[float | int] | None
) -> tuple[list[float], list[float]]:
    """Centres and FWHM in nm of wavelengths in nm, or in micrometres if all are below 20; fwhm None: `widths`.

    BandError for wavelengths outside 200 to 20000 nm, widths that are not above 0, and another number of widths than of
    wavelengths.
    """
    if not wavelengths:
        raise BandError("found no wavelengths", "at least one, in nm")
    unit = 1000 if all(0 < each < MICROMETRES for each in wavelengths) else 1
    centres = [round(float(each) * unit, 6) for each in wavelengths]
    strange = [each for each, centre in zip(wavelengths, centres, strict=True) if not SHORTEST <= centre <= LONGEST]
    if strange:
        raise BandError(
            f"found the wavelength {strange[0]:g}",
            f"nm from {SHORTEST} to {LONGEST}, or micrometres, all below {MICROMETRES}",
        )
    if fwhm is None:
        return centres, widths(centres)
    given = [round(float(each) * unit, 6) for each in fwhm]
    if len(given) != len(centres):
        raise BandError(f"found {len(given)} widths (FWHM) for {len(centres)} wavelengths", "one per wavelength")
    wrong = [width for width in given if not 0 < width < math.inf]
    if wrong:
        raise BandError(f"found the width (FWHM) {wrong[0]:g} nm", "one above 0")
    return centres, given


def widths(centres: Sequence[float]) -> list[float]:
    """Likely FWHM (nm) of bands at these wavelengths: half the distance between the two neighbours.

    Neighbours are those by wavelength, whatever the order, as overlapping detectors step back; a repeated wavelength
    counts once. At the ends it is the distance to the only neighbour; 10 nm for a single band. At most 5 % of the
    wavelength.
    """
    each = sorted(set(centres))
    steps = [after - before for before, after in itertools.pairwise(each)] or [LONE_FWHM]
    around = zip([steps[0], *steps], [*steps, steps[-1]], strict=True)
    of = {
        centre: min((before + after) / 2, GUESSED_WIDEST * centre)
        for centre, (before, after) in zip(each, around, strict=False)
    }
    return [of[centre] for centre in centres]


def names_of(centres: Sequence[float]) -> list[str]:
    """Names like `409.82 nm`, in this order, all different: `664 nm (2)` for the second band at 664 nm."""
    names = [f"{centre:g} nm" for centre in centres]
    seen: Counter[str] = Counter()
    for place, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[place] = f"{name} ({seen[name]})"
    return names


def read_list(path: str | os.PathLike[str]) -> tuple[list[float], list[float] | None]:
    """Wavelengths, and FWHM if the file has them, of a CSV or text file: one band per line, columns separated by
    commas, semicolons, tabs or spaces; or all wavelengths on one line.

    The first line is a header if it has no number. Wavelengths: the first column with wavelength or nm in its header,
    else the last one with numbers. FWHM: the column with fwhm or bandwidth in its header. BandError, beginning with the
    path, for anything else.
    """
    expected = "a list of wavelengths in nm, one per line"
    lines = [
        (number, line.strip())
        for number, line in enumerate(read_small_text(path, expected).splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    separator = next((each for each in ";\t," if lines and each in lines[0][1]), None)
    rows = [(number, [cell.strip().strip("\"'") for cell in line.split(separator)]) for number, line in lines]
    titled = bool(rows) and all(_number(cell) is None for cell in rows[0][1])
    header = [cell.lower() for cell in rows[0][1]] if titled else []
    rows = rows[1:] if titled else rows
    if not rows:
        raise BandError(f"{path}: found {'a header only' if titled else 'no line'}", expected)
    if len(rows) == 1 and not titled:
        alone = [_number(cell) for cell in rows[0][1] if cell]
        if None not in alone:
            return [number for number in alone if number is not None], None
    breadths = [place for place, title in enumerate(header) if re.search(r"fwhm|bandwidth", title)]
    centres = [place for place, title in enumerate(header) if re.search(r"wavelength|(?<![a-z])nm(?![a-z])", title)]
    numbers = [place for place, cell in enumerate(rows[0][1]) if _number(cell) is not None]
    chosen = [place for place in centres if place not in breadths] or [
        place for place in reversed(numbers) if place not in breadths
    ]
    if not chosen:
        raise BandError(f"{path}: found no column of numbers", expected)
    return _column(rows, chosen[0], path), _column(rows, breadths[0], path) if breadths else None


def _column(rows: Sequence[tuple[int, list[str]]], column: int, path: str | os.PathLike[str]) -> list[float]:
    values = []
    for line, cells in rows:
        value = _number(cells[column]) if column < len(cells) else None
        if value is None:
            there = repr(cells[column]) if column < len(cells) else f"{len(cells)} columns"
            raise BandError(f"{path}, line {line}: found {there}", f"a number in column {column + 1}")
        values.append(value)
    return values


def _number(cell: str) -> float | None:
    """The number in a cell, also with a decimal comma; None if it is not a number."""
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
