"""Lists of wavelengths, as those of an imaging spectrometer: their unit, widths, names, and files of them."""

import itertools
import math
import os
import re
from collections import Counter
from collections.abc import Sequence

from spectralgpt.bands.text import read_small_text
from spectralgpt.errors import BandError

SHORTEST, LONGEST = 200, 20_000
"""Wavelengths (nm) beyond these are taken for a wrong unit."""

MICROMETRES = 20
"""Wavelengths that are all below this many are micrometres."""

LONE_FWHM = 10.0
"""FWHM (nm) of a band without neighbours: what imaging spectrometers have."""


def in_nanometres(
    wavelengths: Sequence[float | int], fwhm: Sequence[float | int] | None
) -> tuple[list[float], list[float]]:
    """Centres and FWHM in nm of wavelengths in nm, or in micrometres when all are below 20; fwhm None: `widths`.

    BandError for wavelengths outside 200 to 20000 nm, widths that are not above 0, or not as many as wavelengths.
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
    told = [round(float(each) * unit, 6) for each in fwhm]
    if len(told) != len(centres):
        raise BandError(f"found {len(told)} widths (FWHM) for {len(centres)} wavelengths", "as many")
    wrong = [width for width in told if not 0 < width < math.inf]
    if wrong:
        raise BandError(f"found the width (FWHM) {wrong[0]:g} nm", "one above 0")
    return centres, told


def widths(centres: Sequence[float]) -> list[float]:
    """FWHM (nm) that bands at these wavelengths may have: half the distance between the two neighbours.

    Neighbours by wavelength, whatever the order, as detectors that overlap step back; a wavelength that is repeated
    counts once. At the ends the distance to the only neighbour; 10 nm for a lone band.
    """
    each = sorted(set(centres))
    steps = [after - before for before, after in itertools.pairwise(each)] or [LONE_FWHM]
    around = zip([steps[0], *steps], [*steps, steps[-1]], strict=True)
    of = {centre: (before + after) / 2 for centre, (before, after) in zip(each, around, strict=False)}
    return [of[centre] for centre in centres]


def names_of(centres: Sequence[float]) -> list[str]:
    """Names like `409.82 nm`, in this order, all different: `664 nm (2)` for the second one."""
    names = [f"{centre:g} nm" for centre in centres]
    seen: Counter[str] = Counter()
    for place, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            names[place] = f"{name} ({seen[name]})"
    return names


def read_list(path: str | os.PathLike[str]) -> tuple[list[float], list[float] | None]:
    """Wavelengths, and FWHM where it is there, of a CSV or text file: one band a line, columns separated by commas,
    semicolons, tabs or spaces; or all wavelengths on one line.

    A header is the first line, when it has no number. Wavelengths: the first column whose header says wavelength or nm,
    else the last one of numbers. FWHM: the one whose header says fwhm or bandwidth. BandError for anything else.
    """
    expected = "a list of wavelengths in nm, one a line"
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
        raise BandError(f"{path}: found {'a header only' if titled else 'no line'}", f"{expected}")
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
        raise BandError(f"{path}: found no column of numbers", f"{expected}")
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
    """The number in a cell, also with a decimal comma, None when it is none."""
    try:
        value = float(cell.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
