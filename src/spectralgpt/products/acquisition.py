"""The day an image was taken, from the metadata and names of its files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from spectralgpt.bands import Sensor
from spectralgpt.days import (
    EPOCH,
    UNKNOWN,
    DateInText,
    dates_in_text,
    day_in_text,
    day_of,
    impossible_date_in_text,
    iso_date,
    today,
)
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

PLATFORM_TAGS = re.compile(
    r"(?:.*[_:])?(?:SPACECRAFT(?:_ID|_NAME)?|SATELLITE(?:_ID|_NAME)?|PLATFORM(?:_ID|_NAME)?|SENSOR(?:_ID)?|INSTRUMENT)",
    re.IGNORECASE,
)
"""Names of tags that state the satellite or its instrument."""

ORBIT = re.compile(r"S2([ABC])_OPER_.*_A(\d{6})_")
"""Sentinel-2's names until 2016 hold the absolute orbit, and the date of processing, days after the acquisition."""

ORBITS = {
    "A": (18414, datetime(2018, 12, 31, 19, 15)),
    "B": (26649, datetime(2022, 4, 13, 14, 50)),
}
"""One orbit of each satellite and when it crossed the equator on the day side; 143 orbits take 10 days (ESA)."""


SPAN = re.compile(r"[-_/]{1,2}|_to_|-to-")
"""What stands between the two dates of a span."""

ACQUIRED_AND_PROCESSED = re.compile(r"L[COTEM]\d\d_\w{4}_\d{6}_\d{8}_\d{8}")
"""Names of Landsat products, with two dates that are no span."""

YEAR = re.compile(r"(?<![0-9A-Za-z])(?:19[7-9]|20\d)\d(?![0-9A-Za-z])")
"""A year that stands alone."""


@dataclass(frozen=True, slots=True)
class Acquisition:
    """The day of an image, -1 unknown, and what a user should know about how its name was understood."""

    day: int
    notes: tuple[str, ...] = ()


def day_in_tags(tags: Mapping[str, str]) -> int:
    """The day that a file's tags state, -1 without one."""
    for key in DATE_TAGS:
        day = day_in_text(tags.get(key, ""))
        if day != UNKNOWN:
            return day
    return UNKNOWN


def platform_in_tags(tags: Mapping[str, str]) -> str:
    """What a file's tags state of the satellite and its instrument, like `LANDSAT_8 OLI_TIRS`; empty without any."""
    return " ".join(value.strip() for key, value in tags.items() if PLATFORM_TAGS.fullmatch(key))


def day_in_name(name: str) -> int:
    """The day in a file's name, as `acquisition_in_name`."""
    return acquisition_in_name(name).day


def acquisition_in_name(name: str) -> Acquisition:
    """The first date in a file's name, as products name the acquisition before the processing.

    A span (20200101_20200131) gives its middle day, with a note; so does a day of a year (2020123). A year alone, and
    digits like a date that is none (20200230), give a note only. Of several dates, those in the future are passed over.
    """
    orbit = ORBIT.search(name)
    if orbit and orbit[1] in ORBITS:
        number, when = ORBITS[orbit[1]]
        return Acquisition(
            (when + timedelta(days=(int(orbit[2]) - number) * 10 / 143)).date().toordinal() - EPOCH.toordinal()
        )
    found = dates_in_text(name)
    if not found:
        if wrong := impossible_date_in_text(name):
            return Acquisition(UNKNOWN, (f"{name}: {wrong} is no date; the day is unknown",))
        year = YEAR.search(name)
        known = year is not None and int(year[0]) <= int(iso_date(today())[:4])
        note = f"{name}: {year[0]} is a year and no date; the day is unknown" if year is not None and known else ""
        return Acquisition(UNKNOWN, (note,) if note else ())
    first = next((each for each in found if each.day <= today()), found[0])
    last = end_of_span(name, found, first)
    if last is not None:
        middle = (first.day + last.day) // 2
        span = name[first.start : last.end]
        return Acquisition(middle, (f"{name}: {span} is a span of days; its middle, {iso_date(middle)}, is the date",))
    if first.of_year:
        written = name[first.start : first.end]
        return Acquisition(
            first.day, (f"{name}: {written} is read as day {written[-3:]} of {written[:4]}, {iso_date(first.day)}",)
        )
    return Acquisition(first.day)


def end_of_span(name: str, found: Sequence[DateInText], first: DateInText) -> DateInText | None:
    """The date that ends a span of days which begins with `first`; None where no span does."""
    after = found[found.index(first) + 1 :]
    if not after or after[0].day <= first.day or ACQUIRED_AND_PROCESSED.search(name):
        return None
    # a time of day follows the dates of an acquisition and its processing
    timed = re.match(r"T?\d", name[after[0].end :])
    return after[0] if SPAN.fullmatch(name[first.end : after[0].start]) and not timed else None


def acquisition(path: str, tags: Sequence[Sequence[tuple[str, str]]], names: Sequence[str]) -> Acquisition:
    """The day of an image: from the tags of its files, else from its own name, else from the names of its files.

    RasterError for several dates.
    """
    tagged = {day_in_tags(dict(each)) for each in tags} - {UNKNOWN}
    own = acquisition_in_name(Path(path).name)
    others = [] if own.day != UNKNOWN else [acquisition_in_name(name) for name in names]
    dated = {each.day: each for each in (own, *others) if each.day != UNKNOWN}
    for days in (tagged, set() if tagged else set(dated)):
        if len(days) > 1:
            dates = " and ".join(map(iso_date, sorted(days)))
            raise RasterError(f"{path}: found files of {dates}", "one date per folder", "Keep each in its own folder")
    if tagged:
        return Acquisition(tagged.pop())
    if dated:
        return next(iter(dated.values()))
    return Acquisition(UNKNOWN, next((each.notes for each in (own, *others) if each.notes), ()))


def is_possible(day: int, sensor: Sensor) -> bool:
    """Whether a day lies neither in the future nor before the launch of the sensor, or is unknown."""
    return day == UNKNOWN or not why_impossible(day, sensor)


def why_impossible(day: int, sensor: Sensor | None) -> str:
    """Why an image cannot be of this day, as the end of a sentence; empty where it can. sensor: None if unknown."""
    launched = UNKNOWN if sensor is None or sensor.launched is None else sensor.launched
    if day > today() + 1:  # tomorrow: clocks differ
        return "lies in the future"
    if day >= launched:
        return ""
    if sensor is None or launched == UNKNOWN:
        return "is before 1970"
    return f"is before the launch of {sensor.name} ({iso_date(launched)})"


def refuse_impossible_day(
    path: str, day: int, sensor: Sensor, is_one_of_several: bool, possible: Sequence[int]
) -> None:
    """RasterError for an impossible day. is_one_of_several: whether the file has other dates. possible: all days that
    are left without such."""
    if is_possible(day, sensor):
        return
    first = UNKNOWN if sensor.launched is None else sensor.launched
    why, span = why_impossible(day, sensor), f"{iso_date(first) or '1970-01-02'} to today"
    found = f"{path}: found the date {iso_date(day)}, which {why}"
    if is_one_of_several and possible:
        days = ",".join(map(iso_date, possible))
        raise RasterError(found, f"dates from {span}", "Choose the others:", ("dates", days))
    give = f"Give its date, like {path}@{iso_date(max(first, day_of('2020-05-01', path)))}"
    do = "Correct the names of its bands" if is_one_of_several else give
    raise RasterError(
        found,
        f"a date from {span}",
        do + ("" if first == UNKNOWN or day > today() else ", or choose the sensor that took it"),
    )
