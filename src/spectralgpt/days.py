"""Days since 1970-01-01, in UTC."""

import re
from datetime import date, timedelta

from spectralgpt.errors import RasterError

UNKNOWN = -1
"""The day of an image whose date is unknown."""

EPOCH = date(1970, 1, 1)

DATE_IN_TEXT = re.compile(r"(?<!\d)((?:19|20)\d\d)([-_]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?!\d)")
"""A date in a name or tag: 2020-05-01, 2020_05_01 or 20200501."""


def day_of(text: str, source: str) -> int:
    """The day of an ISO date like 2020-05-01; a time may follow the date. RasterError for anything else."""
    try:
        return (date.fromisoformat(re.split("[T ]", text.strip(), maxsplit=1)[0]) - EPOCH).days
    except ValueError:
        raise RasterError(f"{source}: found {text!r} for a date", "one like 2020-05-01") from None


def iso_date(day: int) -> str:
    """The day as an ISO date; empty when unknown."""
    return "" if day == UNKNOWN else (EPOCH + timedelta(days=day)).isoformat()


def day_in_text(text: str) -> int:
    """The day of the first date in a text, -1 without one."""
    for found in DATE_IN_TEXT.finditer(text):
        try:
            return (date(int(found[1]), int(found[3]), int(found[4])) - EPOCH).days
        except ValueError:  # the 31st of a shorter month
            continue
    return UNKNOWN
