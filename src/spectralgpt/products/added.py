"""What was added to the stored values of Sentinel-2's bands, as tags and names of files state it.

Since processing baseline 04.00, in use from 2022-01-25 on, ESA adds 1000, so that no stored value is below 0. Many
providers subtract it again.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from spectralgpt.bands import canonical
from spectralgpt.days import EPOCH, UNKNOWN, day_in_text, iso_date
from spectralgpt.errors import first_few

ADDED = 1000.0
"""In stored units; -ADDED x scale is the offset."""

SCALE = 1e-4
"""Reflectance per stored unit in ESA's products."""

SINCE = (date(2022, 1, 25) - EPOCH).days
"""The first day of acquisitions to which it is added; older ones have it where they were processed again."""

FIRST_BASELINE = 4

SENTINEL_2 = ("s2-l1c", "s2-l2a", "eurosat", "spectralgpt-12")
"""Sensors with values as in ESA's products."""

ANCESTORS = 5
"""Folders above a file that may be an ESA product: GRANULE/<tile>/IMG_DATA/R10m/ and the product itself."""

ADD_OFFSET_TAG = re.compile(r"(?:\w+:)?(?:BOA|RADIO)_ADD_OFFSET(?:_VALUES_LIST|_(?P<band>B\d+A?))?", re.IGNORECASE)
"""Tags with the offset in stored units, as ESA's metadata and GDAL call it, for all bands or, with a name, for one."""

ESA_BANDS = 12, 13
"""Lists of ESA's metadata have a value for every band of the product, also where a file has some of them."""

UNCLEAR = 0.01, 1.0
"""Reflectance: a number that is less than the first, or not less than the second, is no offset in either unit."""

BASELINE_TAG = re.compile(r"(?:.*[^A-Za-z0-9])?PROCESSING_BASELINE", re.IGNORECASE)
"""Tags with the baseline, with any prefix, like `s2:processing_baseline` of STAC items."""

BASELINE = re.compile(r"[NV]?(?:0?(?P<major>\d)(?:\.\d{1,2})?|0?(?P<whole>\d)\d\d)", re.IGNORECASE)
"""A baseline: 05.09, N0509, 509, or 5.1, which may be 05.01 or 05.10."""

OF_USERS = re.compile(r"[NV]?99\.?99", re.IGNORECASE)
"""The baseline of products that users made themselves."""

APPLIED_TAG = re.compile(r"(?:.*[^A-Za-z0-9])?BOA_OFFSET_APPLIED", re.IGNORECASE)
"""Tags by which a catalogue states whether it subtracted it, like `earthsearch:boa_offset_applied`."""

NAMED_TAGS = ("PRODUCT_URI", "PRODUCT_ID")
"""Tags with the name of ESA's product."""

IN_NAME = re.compile(r"(?<![A-Za-z0-9])N(0\d)(\d\d)(?![A-Za-z0-9])")
"""A baseline in a name: N0400. N9999 marks products that users made themselves, and says nothing."""

OF_SENTINEL_2 = re.compile(r"(?<![A-Za-z0-9])(?:S2[A-D]|T\d\d[A-Z]{3}|MSIL(?:1C|2A))(?![A-Za-z0-9])")
"""A part of the name of a product, or of a tile: N0400 elsewhere may be a latitude."""

ESA_PRODUCT = re.compile(r"S2[A-D]_MSIL(?:1C|2A)_\d{8}T\d{6}_N\d{4}_.*", re.IGNORECASE)

ESA_IMAGE = re.compile(r"T\d\d[A-Z]{3}_(\d{8})T\d{6}_B(?:\d\d|8A)(?:_[126]0m)?\.(?:jp2|tiff?)", re.IGNORECASE)
"""The name of a band's image in ESA's products since 2016: T32UQD_20220301T101021_B02_10m.jp2."""

HARMONIZED = re.compile(r"(?<![a-z])(?<!not.)(?<!non.)(?<!un)harmoni[sz]ed", re.IGNORECASE)
"""The word of providers that have subtracted it, like COPERNICUS/S2_SR_HARMONIZED."""


@dataclass(frozen=True, slots=True)
class Added:
    """What was added to the stored values of a band, and what states that, in words. number: in stored units."""

    number: float
    source: str

    def offset(self, scale: float) -> float:
        """The offset in reflectance."""
        return -self.number * scale if self.number else 0.0


def added_in_tags(
    tags: Mapping[str, str], of_band: Mapping[str, str], band: str | None, bands: int | None = None
) -> Added | None:
    """What the tags of a band, else of its file, state: the offset itself, else the baseline. None for other text.

    bands: number of bands in the file, None if unknown: a list of values must have one for each of them.
    """
    own, whole = _with_prefixes(of_band), _with_prefixes(tags)
    return (
        _subtracted_again({**whole, **own})
        or _stated(own, band, 1)
        or _stated(whole, band, bands)
        or _by_baseline(own)
        or _by_baseline(whole)
    )


def _with_prefixes(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags, where GDAL split `s2:processing_baseline=05.09` at its colon, under their whole name."""
    whole = {}
    for key, text in tags.items():
        name, equals, rest = text.partition("=")
        split = equals and re.fullmatch(r"\w+", name) and not ADD_OFFSET_TAG.fullmatch(key)
        whole[f"{key}:{name}" if split else key] = rest if split else text
    return whole


def _subtracted_again(tags: Mapping[str, str]) -> Added | None:
    done = [key for key, text in tags.items() if APPLIED_TAG.fullmatch(key) and text.strip().lower() in ("true", "1")]
    return Added(0.0, f"the tag {done[0]}") if done else None


def _by_baseline(tags: Mapping[str, str]) -> Added | None:
    """From tags with the baseline, else with the name of the product."""
    for key, text in tags.items():
        if BASELINE_TAG.fullmatch(key) and (match := BASELINE.fullmatch(text.strip())):
            return _of_baseline(int(match["major"] or match["whole"]), text.strip(), f"the tag {key}")
    for key, text in tags.items():
        if key.upper().endswith(NAMED_TAGS) and (match := IN_NAME.search(text)):
            return _of_baseline(int(match[1]), f"{match[1]}.{match[2]}", f"the tag {key}")
    return None


def notes_on_unusable(
    path: str, tags: Mapping[str, str], of_bands: Sequence[Mapping[str, str]], do: str = ""
) -> tuple[str, ...]:
    """A note on tags with an offset or a baseline that cannot be used. of_bands: the tags of each band of the file. do:
    what to do, default for files."""
    count = len(of_bands)
    every = [(key, text, count) for key, text in _with_prefixes(tags).items()]
    every += [(key, text, 1) for each in of_bands for key, text in _with_prefixes(each).items()]
    offsets = {
        f"{key} = {text!r}": key
        for key, text, most in every
        if ADD_OFFSET_TAG.fullmatch(key) and _added_by(text, most) is None
    }
    baselines = {
        f"{key} = {text!r}": key
        for key, text, _ in every
        if BASELINE_TAG.fullmatch(key) and not (BASELINE.fullmatch(text.strip()) or OF_USERS.fullmatch(text.strip()))
    }
    listed = f", or that number {count} times, once per band" if count > 1 else ""
    notes = []
    if offsets:
        found, expected = offsets, f"the one number that was added, like -1000 (or -0.1 in reflectance){listed}"
        notes.append((found, expected, "-1000"))
    if baselines:
        notes.append((baselines, "a baseline like 05.09", "05.09"))
    return tuple(
        f"{path}: found {first_few(list(found), 6)}; expected {expected}. Not used: "
        + (
            do
            or f"correct the tag, like `rio edit-info --tag {next(iter(found.values()))}={example} FILE`, or let the "
            "file declare scale and offset"
        )
        for found, expected, example in notes
    )


def note_on_floats(path: str, added: Added, advice: str) -> str:
    """Where values are reflectance in floats and something states that 1000 was added to the stored ones. advice: how
    to state the offset."""
    return (
        f"{path}: read as reflectance in floats, without offset, although {added.number:g} was added by {added.source}."
        f" If no band is darker than {added.number * SCALE:g}, it is still in them: {advice}"
    )


def added_in_name(path: str) -> Added | None:
    """What the name of a file, or of folders around it, states: harmonized, a baseline, or ESA's name with a date."""
    *folders, name = os.path.abspath(path).split(os.sep)[-ANCESTORS - 1 :]
    for near in (name, *folders[-1:]):
        if word := HARMONIZED.search(near):
            return Added(0.0, f"{word[0]!r} in the name {near}")
    for near in (name, *folders[-1:], *filter(ESA_PRODUCT.fullmatch, reversed(folders))):
        match = IN_NAME.search(near)
        if match and OF_SENTINEL_2.search(near):
            return _of_baseline(int(match[1]), f"{match[1]}.{match[2]}", f"the name {near}")
    image = ESA_IMAGE.fullmatch(name)
    if image and day_in_text(image[1]) >= SINCE:
        return Added(ADDED, f"the name {name}, as ESA's products have it since 2022-01-25")
    return None


def possible(path: str, day: int, advice: str) -> tuple[str, ...]:
    """A note where the day alone makes it possible that the values include it; empty for other days. advice: how to
    state the offset."""
    if day == UNKNOWN or day < SINCE:
        return ()
    return (
        f"{path}: {iso_date(day)} is after 2022-01-25, so the values may include the +1000 of Sentinel-2's baseline "
        f"04.00; read with offset 0, as nothing states it. The provider's metadata decide; if it is included, "
        f"{advice}",
    )


def possible_in_floats(path: str, day: int, advice: str) -> tuple[str, ...]:
    """As `possible`, for reflectance in floats with values that may include it."""
    if day == UNKNOWN or day < SINCE:
        return ()
    return (
        f"{path}: hardly any value is below {ADDED * SCALE:g}, and {iso_date(day)} is after 2022-01-25, so the "
        f"reflectance may include the +1000 of Sentinel-2's baseline 04.00; read without offset, as nothing states it. "
        f"If it is included, {advice}",
    )


def _stated(tags: Mapping[str, str], band: str | None, bands: int | None) -> Added | None:
    """From the tags with the offset itself: that of the band, else the one for all bands."""
    found = [(match, tags[match[0]]) for match in map(ADD_OFFSET_TAG.fullmatch, tags) if match]
    of_all = [(match[0], text) for match, text in found if not match["band"]]
    named = [(match[0], text) for match, text in found if match["band"]]
    own = [(key, text) for key, text in named if band and canonical(key.rsplit("_", 1)[1]) == canonical(band)]
    same = named if len({text for _, text in named}) == 1 else []
    for key, text in own or of_all or same:
        number = _added_by(text, bands)
        if number is not None:
            plain = number == -(_number(text, bands) or 0.0)
            return Added(number, f"the tag {key}" if plain else f"the tag {key} = {text}")
    return None


def _added_by(text: str, bands: int | None) -> float | None:
    """What was added by the offset in a tag, in stored units.

    A number below 1 is in reflectance. An offset is what is to be added to the values, so ESA's are negative; 1000
    stands for what was added. None where this stays unclear, as for 500 or -1.
    """
    number = _number(text, bands)
    if not number:
        return None if number is None else 0.0
    stored = round(number / SCALE, 6) if abs(number) < UNCLEAR[1] else number
    least, most = UNCLEAR
    if not least <= abs(stored * SCALE) < most or (stored > 0 and stored != ADDED):
        return None
    return ADDED if stored > 0 else -stored


def _number(text: str, bands: int | None) -> float | None:
    """The number in a tag, or the one that a list repeats; None for other text, and for a list that has neither one
    value per band of the file nor one per band of ESA's products."""
    try:
        numbers = [float(part) for part in re.split(r"[\s,;]+", text.strip(" []()"))]
    except ValueError:
        return None
    fits = bands is None or len(numbers) in (1, bands) or (bands > 1 and len(numbers) in ESA_BANDS)
    return numbers[0] if fits and len(set(numbers)) == 1 and math.isfinite(numbers[0]) else None


def _of_baseline(major: int, baseline: str, where: str) -> Added:
    return Added(ADDED if major >= FIRST_BASELINE else 0.0, f"baseline {baseline} in {where}")


def offset_facts(of_bands: Sequence[tuple[str, Added]], scale: float) -> tuple[str, ...]:
    """One line per offset, with the first tag or name that states it. of_bands: names of bands and what was added."""
    groups: dict[float, list[tuple[str, Added]]] = {}
    for name, added in of_bands:
        groups.setdefault(added.offset(scale), []).append((name, added))
    return tuple(
        f"offset {offset:g}{_which(group, of_bands)} from {group[0][1].source}" for offset, group in groups.items()
    )


def _which(group: Sequence[tuple[str, Added]], everything: Sequence[tuple[str, Added]]) -> str:
    return "" if len(group) == len(everything) else f" of {first_few([name for name, _ in group], 6)}"
