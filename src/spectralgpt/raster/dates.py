"""Days since 1970-01-01, in UTC, and where a file's name or metadata tell them."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from spectralgpt.errors import RasterError

UNKNOWN = -1
"""The day of an image whose date is not known."""

EPOCH = date(1970, 1, 1)

DATE_TAG = "ACQUISITION_DATE"

METADATA = (
    DATE_TAG,
    "DATATAKE_1_DATATAKE_SENSING_START",
    "PRODUCT_START_TIME",
    "DATE_ACQUIRED",
    "SENSING_TIME",
    "ACQUISITIONDATETIME",
)
"""Tags of the acquisition, as GDAL's readers, USGS and HLS write them. Not TIFFTAG_DATETIME: that is the file's."""

ORBIT = re.compile(r"S2([ABC])_OPER_.*_A(\d{6})_")
"""Sentinel-2's names until 2016 hold the date of processing, days after the acquisition, and the absolute orbit."""

ORBITS = {
    "A": (18414, datetime(2018, 12, 31, 19, 15)),
    "B": (26649, datetime(2022, 4, 13, 14, 50)),
}
"""An orbit of each satellite and when it crossed the descending node's day side: 143 orbits are 10 days (ESA)."""

WRITTEN = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")


def day_of(text: str, source: str) -> int:
    """The day of an ISO date like 2020-05-01; what follows the date is its time. RasterError for anything else."""
    try:
        return (date.fromisoformat(re.split("[T ]", text.strip(), maxsplit=1)[0]) - EPOCH).days
    except ValueError:
        raise RasterError(f"{source}: found {text!r} for a date", "one like 2020-05-01") from None


def written(day: int) -> str:
    """The day as an ISO date, empty when unknown."""
    return "" if day == UNKNOWN else (EPOCH + timedelta(days=day)).isoformat()


def day_in_tags(tags: Mapping[str, str]) -> int:
    """The day that a file's tags tell, -1 when they tell none."""
    for key in METADATA:
        found = WRITTEN.search(tags.get(key, ""))
        if found:
            return _day(found)
    return UNKNOWN


def day_in_name(name: str) -> int:
    """The first date in a file's name (products name the acquisition before the processing), -1 without one."""
    orbit = ORBIT.search(name)
    if orbit and orbit[1] in ORBITS:
        number, when = ORBITS[orbit[1]]
        return (when + timedelta(days=(int(orbit[2]) - number) * 10 / 143)).date().toordinal() - EPOCH.toordinal()
    for found in WRITTEN.finditer(name):
        day = _day(found)
        if day != UNKNOWN:
            return day
    return UNKNOWN


def day_told(path: str, tags: Sequence[Sequence[tuple[str, str]]], names: Sequence[str]) -> int:
    """The one day that the files of an image tell: by their tags, else by the image's own name, else by their names.

    RasterError when they tell several; -1 when none.
    """
    tagged = {day_in_tags(dict(each)) for each in tags} - {UNKNOWN}
    in_name = day_in_name(Path(path).name)
    named = {in_name} if in_name != UNKNOWN else {day_in_name(name) for name in names} - {UNKNOWN}
    for days in (tagged, named):
        if len(days) == 1:
            return next(iter(days))
        if days:
            dates = " and ".join(map(written, sorted(days)))
            raise RasterError(f"{path}: found files of {dates}", "one date in a folder", "Keep each in its own")
    return UNKNOWN


def _day(found: re.Match[str]) -> int:
    try:
        return (date(int(found[1]), int(found[3]), int(found[4])) - EPOCH).days
    except ValueError:  # the 31st of a shorter month
        return UNKNOWN
