"""The day an image was taken, from the metadata and names of its files."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from spectralgpt.days import EPOCH, UNKNOWN, day_in_text, iso_date
from spectralgpt.errors import RasterError
from spectralgpt.raster.tags import DATE_TAG

DATE_TAGS = (
    DATE_TAG,
    "DATATAKE_1_DATATAKE_SENSING_START",
    "PRODUCT_START_TIME",
    "DATE_ACQUIRED",
    "SENSING_TIME",
    "ACQUISITIONDATETIME",
)
"""Tags of the acquisition, as GDAL's readers, USGS and HLS write them. Not TIFFTAG_DATETIME, the date of the file."""

ORBIT = re.compile(r"S2([ABC])_OPER_.*_A(\d{6})_")
"""Sentinel-2's names until 2016 hold the absolute orbit, and the date of processing, days after the acquisition."""

ORBITS = {
    "A": (18414, datetime(2018, 12, 31, 19, 15)),
    "B": (26649, datetime(2022, 4, 13, 14, 50)),
}
"""One orbit of each satellite and when it crossed the equator on the day side; 143 orbits take 10 days (ESA)."""


def day_in_tags(tags: Mapping[str, str]) -> int:
    """The day that a file's tags state, -1 without one."""
    for key in DATE_TAGS:
        day = day_in_text(tags.get(key, ""))
        if day != UNKNOWN:
            return day
    return UNKNOWN


def day_in_name(name: str) -> int:
    """The first date in a file's name (products name the acquisition before the processing), -1 without one."""
    orbit = ORBIT.search(name)
    if orbit and orbit[1] in ORBITS:
        number, when = ORBITS[orbit[1]]
        return (when + timedelta(days=(int(orbit[2]) - number) * 10 / 143)).date().toordinal() - EPOCH.toordinal()
    return day_in_text(name)


def acquisition_day(path: str, tags: Sequence[Sequence[tuple[str, str]]], names: Sequence[str]) -> int:
    """The day of an image: from the tags of its files, else from its own name, else from the names of its files.

    -1 without a date. RasterError for several dates.
    """
    tagged = {day_in_tags(dict(each)) for each in tags} - {UNKNOWN}
    in_name = day_in_name(Path(path).name)
    named = {in_name} if in_name != UNKNOWN else {day_in_name(name) for name in names} - {UNKNOWN}
    for days in (tagged, named):
        if len(days) == 1:
            return next(iter(days))
        if days:
            dates = " and ".join(map(iso_date, sorted(days)))
            raise RasterError(f"{path}: found files of {dates}", "one date per folder", "Keep each in its own folder")
    return UNKNOWN
