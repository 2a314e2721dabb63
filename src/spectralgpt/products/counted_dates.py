"""Names of a file's bands that count dates without telling their days, or tell a month or a year only."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from spectralgpt.bands import is_alias
from spectralgpt.errors import first_few

COUNTED_NAME = (
    re.compile(r"(?P<band>.*\S),\s*date\s+(?P<count>\d{1,3})", re.IGNORECASE),  # our own results of unknown dates
    re.compile(r"(?P<band>.*[^\W_])[_.](?P<count>\d{1,3})"),
    re.compile(r"(?P<count>\d{1,3})_(?P<band>.*[^\W_])"),  # Earth Engine's toBands
    re.compile(r"(?:t|time|date)_?(?P<count>\d{1,3})[_. -](?P<band>.*[^\W_])", re.IGNORECASE),
    re.compile(r"(?P<band>.*[^\W_])[_. -](?:t|time|date)_?(?P<count>\d{1,3})", re.IGNORECASE),
)
"""A band's name and the number of a date: `B02, date 1`, B02_1, 0_B2, t0_B02, B02_t0."""

PERIOD = r"(?P<count>(?:19[7-9]|20\d)\d(?:[-_]?(?:0[1-9]|1[0-2]))?)"

NAME_OF_PERIOD = (
    re.compile(rf"(?P<band>.*[^\W_])[_. -]{PERIOD}"),
    re.compile(rf"{PERIOD}[_. -](?P<band>.*[^\W_])"),
)
"""A band's name and a month or a year: B02_202001, 2019_B02."""


YEARS_FROM, MONTHS_FROM = 1000, 100_000
"""Numbers above are years, and months; all others count."""


@dataclass(frozen=True, slots=True)
class DatedBand:
    """index: of a band in its product. band: its name without the date. when: its day, or the number of its date; of an
    impossible date, -1. impossible: that date, as it is written."""

    index: int
    band: str
    when: int
    note: str = ""
    impossible: str = ""


def counted_dates(names: Sequence[str | None]) -> list[DatedBand]:
    """The bands, where each name is a sensor's band and the number of a date, and all bands have the same two or more
    numbers, from 0 or 1 on. SWIR_1 and Band_1 are names, and not dates of a band."""
    for pattern in COUNTED_NAME:
        found = _of_all(names, pattern)
        plain = [name for name in names if name and "," not in name]
        counts = _counts(found)
        if not found or (plain and all(map(is_alias, plain))) or not counts:
            continue
        if len(counts) >= 2 and counts[0] <= 1 and counts == list(range(counts[0], counts[0] + len(counts))):
            return found
    return []


def periods(names: Sequence[str | None]) -> list[DatedBand]:
    """The bands, where each name is a sensor's band and a month or a year, the same of all bands."""
    for pattern in NAME_OF_PERIOD:
        found = _of_all(names, pattern)
        if found and _counts(found):
            return found
    return []


def counted_note(path: str, names: Sequence[str | None], counted: Sequence[DatedBand]) -> str:
    """What a user should know about dates without days."""
    whens = sorted({each.when for each in counted})
    if whens[0] > YEARS_FROM:
        kind = "year" if whens[0] < MONTHS_FROM else "month"
        listed = first_few([str(when) for when in whens], 6)
        say = f"is a {kind} and no date; the day is unknown"
        if len(whens) > 1:
            say = f"are {kind}s and no dates, read in this order; their days are unknown"
        return f"{path}: {listed} in the names of the bands {say}"
    return (
        f"{path}: the names of its bands count {len(whens)} dates ({names[counted[0].index]} to "
        f"{names[counted[-1].index]}), read in this order; their days are unknown"
    )


def _of_all(names: Sequence[str | None], pattern: re.Pattern[str]) -> list[DatedBand]:
    """The bands of names that all have this pattern; empty where one has not."""
    matches = [pattern.fullmatch((name or "").strip()) for name in names]
    found = [DatedBand(i, m["band"], int(re.sub(r"\D", "", m["count"]))) for i, m in enumerate(matches) if m]
    return found if len(found) == len(names) else []


def _counts(found: Sequence[DatedBand]) -> list[int]:
    """The numbers that all bands have, in order; empty where they differ, or one is no sensor's band."""
    counts: dict[str, set[int]] = {each.band: set() for each in found}
    for each in found:
        counts[each.band].add(each.when)
    sets = list(counts.values())
    same = bool(sets) and all(map(is_alias, counts)) and all(each == sets[0] for each in sets)
    return sorted(sets[0]) if same else []
