"""Days since 1970-01-01, in UTC."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from spectralgpt.errors import RasterError

UNKNOWN = -1
"""The day of an image of unknown date."""

EPOCH = date(1970, 1, 1)

DATE_IN_TEXT = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
"""A date in a name or tag: 2020-05-01, 2020_05_01 or 20200501."""

LIKE_A_DATE = re.compile(r"(?<!\d)(?:19|20)\d\d([-_]?)\d\d\1\d\d(?!\d)")
"""Digits written like a date, whether or not the calendar has it."""

DAY_OF_YEAR_IN_TEXT = re.compile(r"(?:(?<![0-9a-z])|(?<=L[COTEM]\d\d{6}))((?:19|20)\d\d)(\d\d\d)(?![0-9a-z])")
"""A day of a year in a name: 2020123 (HLS, MODIS, the older names of Landsat scenes). Two numbers, like 1984_256, are
a tile's row and column. No small letter touches it: 2000123 in 0f2000123e is part of a hash."""


@dataclass(frozen=True, slots=True)
class DateInText:
    """A date as it stands in a text: text[start:end]. of_year: whether it is written as a day of a year."""

    day: int
    start: int
    end: int
    of_year: bool = False


def day_of(text: str, source: str) -> int:
    """The day of an ISO date like 2020-05-01; a time may follow the date. RasterError for anything else."""
    try:
        return (date.fromisoformat(re.split("[T ]", text.strip(), maxsplit=1)[0]) - EPOCH).days
    except ValueError:
        raise RasterError(f"{source}: found {text!r} for a date", "one like 2020-05-01") from None


def iso_date(day: int) -> str:
    """The day as an ISO date; empty when unknown."""
    return "" if day == UNKNOWN else (EPOCH + timedelta(days=day)).isoformat()


def today() -> int:
    """The day today, in UTC."""
    return (datetime.now(UTC).date() - EPOCH).days


def dates_in_text(text: str) -> list[DateInText]:
    """The dates in a text, in order; only where there is none, its days of a year, like 2020123."""
    return list(_calendar_dates(text)) or list(_days_of_year(text))


def impossible_date_in_text(text: str) -> str:
    """The first digits that are written like a date and are none, like 20200230; where the text has no date, also days
    of a year, like 2020367. Empty without any."""
    like = (found[0] for found in LIKE_A_DATE.finditer(text))
    wrong = next((each for each in like if not any(_calendar_dates(each))), "")
    if wrong or any(_calendar_dates(text)):
        return wrong
    of_year = (found[1] + found[2] for found in DAY_OF_YEAR_IN_TEXT.finditer(text))
    return next((each for each in of_year if not any(_days_of_year(each))), "")


def day_in_text(text: str) -> int:
    """The day of the first date in a text like 2020-05-01, -1 without one."""
    return next((found.day for found in _calendar_dates(text)), UNKNOWN)


def _calendar_dates(text: str) -> Iterator[DateInText]:
    for found in DATE_IN_TEXT.finditer(text):
        try:
            day = (date(int(found[1]), int(found[3]), int(found[4])) - EPOCH).days
        except ValueError:  # the 31st of a shorter month
            continue
        yield DateInText(day, found.start(), found.end())


def _days_of_year(text: str) -> Iterator[DateInText]:
    """Days of a year until today."""
    for found in DAY_OF_YEAR_IN_TEXT.finditer(text):
        of_year = int(found[2])
        when = date(int(found[1]), 1, 1) + timedelta(days=of_year - 1)
        day = (when - EPOCH).days
        if of_year and when.year == int(found[1]) and 0 <= day <= today():
            yield DateInText(day, found.start(), found.end(), of_year=True)
