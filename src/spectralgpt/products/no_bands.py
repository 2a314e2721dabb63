"""What to do with a folder that has images, but no single-band files named after bands."""

import os
import shlex
from collections.abc import Sequence
from typing import NoReturn

from spectralgpt.days import UNKNOWN
from spectralgpt.errors import RasterError, first_few
from spectralgpt.products.acquisition import acquisition_in_name, day_in_tags
from spectralgpt.products.header import Header

MOST_NAMED = 6
"""Files that a message lists to be given one by one."""


def refuse_no_bands(path: str, names: Sequence[str], left_out: Sequence[str], several: Sequence[Header]) -> NoReturn:
    """RasterError that says what to give instead. names: of all images in the folder. left_out: why each is no band.
    several: headers of the files with several bands; where each has a day, and those of one day lie on one another,
    they are the dates of a place."""
    found = f"{path}: found no image with a single band and its name among {len(names)} ({first_few(left_out, 5)})"
    days = [_day(header) for header in several]
    if not several:
        raise RasterError(
            found, "single-band files named after their bands, like scene_B02.tif", "Give one file, or rename them"
        )
    if len(several) == 1 or UNKNOWN in days or not _are_one_place(several, days):
        raise RasterError(
            found, "a file, or a folder of single-band files", f"Give {shlex.quote(several[0].path)}, alone"
        )
    listed = _together(path, names, [os.path.basename(header.path) for header in several])
    raise RasterError(
        found,
        "files, or a folder of single-band files",
        f"Give {listed} instead, as {'the dates of one place' if len(set(days)) > 1 else 'one date'}",
    )


def _are_one_place(several: Sequence[Header], days: Sequence[int]) -> bool:
    """Whether files can be given together: those of one day lie on one another, like two granules of a tile, each half
    filled, which become one date."""
    first = {day: header for header, day in reversed(list(zip(several, days, strict=True)))}
    return all(
        header.bands[0].grid.coincides(first[day].bands[0].grid) and _names(header) == _names(first[day])
        for header, day in zip(several, days, strict=True)
    )


def _names(header: Header) -> set[str | None]:
    return {band.name for band in header.bands}


def _day(header: Header) -> int:
    tagged = day_in_tags(dict(header.tags))
    return acquisition_in_name(os.path.basename(header.path)).day if tagged == UNKNOWN else tagged


def _together(folder: str, names: Sequence[str], wanted: Sequence[str]) -> str:
    """The files as one types them: by their ending, if that means no others; else one by one, the first few."""
    endings = {os.path.splitext(name)[1] for name in wanted}
    alike = [name for name in names if os.path.splitext(name)[1] in endings]
    if len(endings) == 1 and len(alike) == len(wanted):
        return f"{shlex.quote(folder)}/*{endings.pop()}"
    return first_few([shlex.quote(os.path.join(folder, name)) for name in wanted], MOST_NAMED, " ")
