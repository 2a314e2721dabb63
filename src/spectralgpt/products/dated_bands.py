"""Dates in the names of a file's bands: one file of several dates becomes one product per date."""

import re
from collections.abc import Sequence
from dataclasses import replace

from spectralgpt.bands import canonical, is_alias, is_list
from spectralgpt.bands.naming import without_resolution
from spectralgpt.days import (
    DAY_OF_YEAR_IN_TEXT,
    LIKE_A_DATE,
    UNKNOWN,
    dates_in_text,
    impossible_date_in_text,
    iso_date,
)
from spectralgpt.errors import RasterError, first_few
from spectralgpt.products.acquisition import acquisition_in_name
from spectralgpt.products.counted_dates import DatedBand, counted_dates, counted_note, periods
from spectralgpt.products.product import Product

TIME_AFTER = re.compile(
    r"^(?:T?\d{4,6}(?:\.\d+)?Z?|[T ]?\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)(?![0-9A-Za-z])"
)
"""The time that follows a date: 20200101T102031, 2020-01-01T10:20:31Z."""

TILE_BEFORE = re.compile(r"^T\d\d[A-Z]{3}_")
"""Sentinel-2's tile, in the names that Earth Engine's toBands gives: 20200101T102031_20200101T102055_T32UQD_B2."""

FROM_NAMES = "from the names of the bands of"
"""In the facts on dates."""

SEPARATORS = " ,;_.-()[]:"


def products_by_date(
    path: str, product: Product, choice: str | None = None, are_chosen: bool = False, is_given: bool = False
) -> tuple[Product, ...]:
    """One product per date, in order, where the names of the bands hold dates; else the product as it is.

    Dates that are only counted (B02_1, B02_2) have unknown days. Bands without a date that are not a sensor's are left
    out. RasterError for a band of a sensor without a date among dated ones, or twice on one date, and for an impossible
    date (20200230), unless a list in `choice` has none of its bands or the user chooses among the dates (are_chosen) or
    gives the only one (is_given).
    """
    names = [band.name for band in product.bands]
    dated = _possible(path, names, choice, are_chosen, is_given)
    counted = [] if dated else counted_dates(names) or periods(names)
    if not dated and not counted:
        return (product,)
    every = dated or counted
    undated = _undated(names, every)
    if undated and _is_list_of([str(names[index]) for index in undated], choice):
        return (_without_dates(path, product, undated),)
    left_out = _left_out(path, names, every, choice, are_chosen)
    _refuse_repeated(path, every, bool(dated))
    whens = sorted({each.when for each in every})
    notes = (*product.warnings, *left_out, *_notes_on_dates(path, every))
    if counted:
        notes = (*notes, counted_note(path, names, counted))
    return tuple(
        replace(
            product,
            bands=tuple(replace(product.bands[each.index], name=each.band) for each in every if each.when == when),
            day=when if dated else UNKNOWN,
            facts=(*product.facts, *([date_fact(iso_date(when), path)] if dated and iso_date(when) else [])),
            warnings=notes,
        )
        for when in whens
    )


def date_fact(dates: str, path: str) -> str:
    """Where the date of a product, or the dates of a raster, come from."""
    return f"{'dates' if ', ' in dates else 'date'} {dates} {FROM_NAMES} {path}"


def one_fact_on_dates(facts: Sequence[str]) -> tuple[str, ...]:
    """Facts of several dates, each once; those on dates in the names of the bands of one file as one."""
    dates: dict[str, list[str]] = {}
    found: dict[str, None] = {}
    for fact in facts:
        day, between, path = fact.removeprefix("date ").partition(f" {FROM_NAMES} ")
        if between:
            dates.setdefault(path, []).append(day)
        found[f"{between}{path}" if between else fact] = None
    return tuple(
        date_fact(first_few(list(dict.fromkeys(dates[path])), 6), path)
        if (path := fact.removeprefix(f" {FROM_NAMES} ")) in dates
        else fact
        for fact in found
    )


def _notes_on_dates(path: str, dated: Sequence[DatedBand]) -> tuple[str, ...]:
    """One note on how the dates were understood."""
    notes = list(dict.fromkeys(each.note for each in dated if each.note))
    return (f"{path}: in the names of its bands, {first_few(notes, 3, '; ')}",) if notes else ()


def _possible(
    path: str, names: Sequence[str | None], choice: str | None, are_chosen: bool, is_given: bool
) -> list[DatedBand]:
    """The bands with a date that can be, as `products_by_date` says. RasterError for the others."""
    every = [each for index, name in enumerate(names) if name and (each := _with_day(index, name))]
    dated = [each for each in every if not each.impossible]
    wrong = [each for each in every if each.impossible and is_alias(each.band)]
    if not any(is_alias(each.band) for each in dated):
        dated = []
    texts = list(dict.fromkeys(each.impossible for each in wrong))
    if is_given and not dated and len(texts) == 1:
        return wrong
    if not wrong or (dated and (are_chosen or _is_list_without(wrong, choice))):
        return dated
    days = ",".join(map(iso_date, sorted({each.when for each in dated})))
    alone = f"Give its date, like {path}@2020-05-01" if len(texts) == 1 else "Correct the names of its bands"
    raise RasterError(
        f"{path}: found {first_few(texts, 6)}, which is no date, in the names of its bands "
        f"({first_few([str(names[each.index]) for each in wrong], 6)})",
        "days of the calendar until today",
        "Choose the other dates:" if days else alone,
        *([("dates", days)] if days else []),
    )


def _is_list_without(wrong: Sequence[DatedBand], choice: str | None) -> bool:
    """Whether the user chose a list of bands that has none of these."""
    if choice is None or not is_list(choice):
        return False
    listed = set(map(canonical, re.split("[,:=]", choice)))
    return not any(canonical(each.band) in listed for each in wrong)


def _with_day(index: int, name: str) -> DatedBand | None:
    if wrong := impossible_date_in_text(name):
        like = list(LIKE_A_DATE.finditer(name)) or list(DAY_OF_YEAR_IN_TEXT.finditer(name))
        return DatedBand(index, _named(name[: like[0].start()], name[like[-1].end() :]), UNKNOWN, impossible=wrong)
    dates = dates_in_text(name)
    taken = acquisition_in_name(name)
    if not dates or taken.day == UNKNOWN:
        return None
    band = _named(name[: dates[0].start], name[dates[-1].end :])
    note = "".join(taken.notes).removeprefix(f"{name}: ")
    return DatedBand(index, band, taken.day, note) if band else None


def _named(before: str, after: str) -> str:
    """The name of a band in what stands before and after its date."""
    before, after = before.strip(SEPARATORS), TILE_BEFORE.sub("", TIME_AFTER.sub("", after).strip(SEPARATORS))
    parts = [without_resolution(part) for part in (after, before)]
    return next((part for part in parts if is_alias(part)), "_".join(filter(None, (before, after))))


def _undated(names: Sequence[str | None], dated: Sequence[DatedBand]) -> list[int]:
    """The indices of a sensor's bands without a date."""
    indices = {each.index for each in dated}
    return [i for i, name in enumerate(names) if i not in indices and name and is_alias(name)]


def _without_dates(path: str, product: Product, undated: Sequence[int]) -> Product:
    """The product of the bands without a date, which the user listed."""
    left = [band.name or "" for index, band in enumerate(product.bands) if index not in undated]
    note = f"{path}: left out {first_few(left, 6)}, as the bands that were chosen have no date"
    return replace(product, bands=tuple(product.bands[index] for index in undated), warnings=(*product.warnings, note))


def _is_list_of(names: Sequence[str], choice: str | None) -> bool:
    """Whether the user chose a list of some of these bands only."""
    if choice is None or not is_list(choice):
        return False
    words = choice.rpartition(":")[2].split(",")
    listed = {canonical(word.rpartition("=")[2]) for word in words if word.strip()}
    return bool(listed) and listed <= set(map(canonical, names))


def _left_out(
    path: str, names: Sequence[str | None], dated: Sequence[DatedBand], choice: str | None, are_chosen: bool
) -> tuple[str, ...]:
    """Notes on the bands without a date that can be. RasterError when one of them is a sensor's, unless the user chose
    among the dates, or a list of bands with dates only."""
    indices = {each.index for each in dated}
    rest = [name or f"number {index + 1}" for index, name in enumerate(names) if index not in indices]
    wrong, rest = _parted(rest)
    undated = [name for name in rest if is_alias(name)]
    if undated and not are_chosen and not _is_list_of([each.band for each in dated], choice):
        days = sorted({each.when for each in dated})
        raise RasterError(
            f"{path}: found bands without a date ({first_few(undated, 6)}) among bands with one "
            f"({names[dated[0].index]})",
            "a date in the name of each band, or in none",
            "Choose the bands without a date, or the dates:",
            ("bands", ",".join(dict.fromkeys(undated))),
            ("dates", ",".join(map(iso_date, days))),
        )
    return (
        *([f"{path}: left out {first_few(rest, 6)}, without a date among bands with one"] if rest else []),
        *([f"{path}: left out {first_few(wrong, 6)}, with a date that cannot be"] if wrong else []),
    )


def _parted(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names with an impossible date, and the others."""
    wrong = [name for name in names if impossible_date_in_text(name)]
    return wrong, [name for name in names if name not in wrong]


def _refuse_repeated(path: str, every: Sequence[DatedBand], days: bool) -> None:
    seen: dict[tuple[str, int], int] = {}
    for each in every:
        if (each.band, each.when) in seen:
            when = iso_date(each.when) if days else f"date {each.when}"
            raise RasterError(f"{path}: found the band {each.band} of {when} more than once", "each band once per date")
        seen[each.band, each.when] = each.index
