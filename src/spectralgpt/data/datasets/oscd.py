"""OSCD, Onera Satellite Change Detection: pairs of Level-1C images of 24 cities, and where buildings or roads changed.

CITY/imgs_1/..._B01.tif (date 1, 13 files at native grids), CITY/imgs_2/..._B01.tif, CITY/dates.txt, and on date 1's
grid of 10 m CITY/cm/CITY-cm.tif or CITY/cm/cm.png; `imgs_1_rect`, `imgs_2_rect` where the native files are missing

as published: `Onera Satellite Change Detection dataset - Images/CITY/imgs_1` with `train.txt` and `test.txt`, and
`... - Train Labels/CITY/cm`, `... - Test Labels/CITY/cm`

Source: Caye Daudt et al., "Urban Change Detection for Multispectral Earth Observation" (IGARSS 2018);
ieee-dataport.org/open-access/oscd-onera-satellite-change-detection.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.folders import folders_in
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.incomplete import incomplete
from spectralgpt.data.listed import first_existing, lines_of
from spectralgpt.data.variants import refuse_variant
from spectralgpt.errors import DataError, counted, first_few
from spectralgpt.products.whole import opened_whole
from spectralgpt.tasks import Class

OSCD_TITLE = "Onera Satellite Change Detection dataset - "
OSCD_LABELS = {"train": f"{OSCD_TITLE}Train Labels", "test": f"{OSCD_TITLE}Test Labels"}
OSCD_ORIGIN = "ieee-dataport.org/open-access/oscd-onera-satellite-change-detection"
OSCD_BANDS = (*(f"B{number:02d}" for number in range(1, 13)), "B8A")
OSCD_BAND_FILE = re.compile(r"(?:.*_)?(B\d{2}|B8A)\.tiff?", re.IGNORECASE)
OSCD_CODES = ((1, 2), (0, 1), (0, 255))
"""Codes of no change and change that occur: in the TIFF masks, as documented for them, in the PNG masks."""


def labels(folder: str, variant: str | None = None) -> FileLabels | None:
    """One pair per city, before and after, with its mask. Cities without a mask are left out with a note."""
    root = _images_root(folder)
    if root is None:
        return None
    refuse_variant("OSCD", variant)
    cities = [name for name in folders_in(root) if _is_city(os.path.join(root, name))]
    _refuse_incomplete(root, cities)
    masks = {city: mask for city in cities if (mask := _mask(folder, root, city)) is not None}
    splits = _splits(folder, root)
    _refuse_without_masks(folder, root, cities, masks, splits)
    codes = _codes(root, masks)
    common = len(set(codes.values())) == 1
    samples = [
        FileSample(
            name=city,
            image=(before := _image(root, city, 1)),
            after=_image(root, city, 2),
            mask=mask,
            codes=() if common else codes[city],
            split=splits.get(city, ""),
            group=city,
            date=before.dates[0] if before.dates else "",
        )
        for city, mask in masks.items()
    ]
    return FileLabels(
        source=folder,
        target="change",
        samples=tuple(samples),
        classes=(Class("no change"), Class("change")),
        codes=next(iter(codes.values())) if common else (),
        notes=tuple(_notes(cities, masks, codes)),
    )


def _images_root(folder: str) -> str | None:
    """The folder of the cities: this one, or the published one in it. Archives may hold a folder of their own name."""
    for root in _nested(folder, f"{OSCD_TITLE}Images"):
        if any(_is_city(os.path.join(root, name)) for name in folders_in(root)):
            return root
    return None


def _nested(folder: str, name: str) -> list[str]:
    paths = [folder, os.path.join(folder, name), os.path.join(folder, name, name)]
    return [path for path in paths if os.path.isdir(path)]


def _is_city(path: str) -> bool:
    """Whether a folder has images of a date and something of the other date, of the mask or of the dates."""
    dates = [os.path.isdir(os.path.join(path, name)) for name in ("imgs_1", "imgs_2", "imgs_1_rect", "imgs_2_rect")]
    besides = [os.path.exists(os.path.join(path, name)) for name in ("cm", "dates.txt")]
    return any(dates) and sum(dates) + sum(besides) > 1


def _image_folder(root: str, city: str) -> str | None:
    """`imgs_{}` or `imgs_{}_rect`, whichever has all bands at both dates; None where neither has."""
    for name in ("imgs_{}", "imgs_{}_rect"):
        if not any(_missing_bands(os.path.join(root, city, name.format(date))) for date in (1, 2)):
            return name
    return None


def _missing_bands(folder: str) -> list[str]:
    if not os.path.isdir(folder):
        return list(OSCD_BANDS)
    present = {match[1].upper() for name in os.listdir(folder) if (match := OSCD_BAND_FILE.fullmatch(name))}
    return [band for band in OSCD_BANDS if band not in present]


def _refuse_incomplete(root: str, cities: list[str]) -> None:
    parts = []
    for city in cities:
        if _image_folder(root, city) is None:
            for date in (1, 2):
                missing = _missing_bands(os.path.join(root, city, f"imgs_{date}"))
                what = f"imgs_{date}" if len(missing) == len(OSCD_BANDS) else f"{first_few(missing, 3)} in imgs_{date}"
                if missing:
                    parts.append(f"{city} (no {what})")
                    break
    if parts:
        raise incomplete(root, f"{len(cities)} cities", parts, "13 bands of two dates in each", OSCD_ORIGIN)


def _image(root: str, city: str, date: int) -> ImageSource:
    name = _image_folder(root, city)
    assert name is not None, f"{city} was found incomplete"
    path = os.path.join(root, city, name.format(date))
    day = _dates(os.path.join(root, city, "dates.txt")).get(date, "")
    return ImageSource(path, (path,), (day,) if day else (), city, "s2-l1c")


def _dates(path: str) -> dict[int, str]:
    """1 or 2 -> ISO date, of the lines `date_1: 20161130`; the files' names say when they were processed."""
    if not os.path.isfile(path):
        return {}
    found = (re.fullmatch(r"date_([12])\s*:\s*(\d{4})-?(\d{2})-?(\d{2})", line) for line in lines_of(path))
    return {int(match[1]): f"{match[2]}-{match[3]}-{match[4]}" for match in found if match}


def _mask(folder: str, root: str, city: str) -> str | None:
    """The TIFF mask of a city, else the PNG one."""
    places = [root, *(place for name in OSCD_LABELS.values() for place in _nested(folder, name)[1:])]
    for name in (f"{city}-cm.tif", "cm.png"):
        for place in places:
            if os.path.isfile(path := os.path.join(place, city, "cm", name)):
                return path
    return None


def _splits(folder: str, root: str) -> dict[str, str]:
    """City -> split: of train.txt and test.txt, whose one line separates cities by commas, else by the folder of its
    labels."""
    found: dict[str, str] = {}
    for split, title in OSCD_LABELS.items():
        listed = first_existing([root, folder], f"{split}.txt")
        if listed is not None:
            found |= {city.strip(): split for line in lines_of(listed) for city in line.split(",") if city.strip()}
        for place in _nested(folder, title)[1:]:
            for city in folders_in(place):
                found.setdefault(city, split)
    return found


def _refuse_without_masks(
    folder: str, root: str, cities: list[str], masks: dict[str, str], splits: dict[str, str]
) -> None:
    """DataError for cities of a folder of labels that is there without theirs, and where no city has a mask."""
    there = {split for split, title in OSCD_LABELS.items() if len(_nested(folder, title)) > 1}
    missing = [city for city in cities if city not in masks and (splits.get(city) in there or not masks)]
    if missing:
        parts = [f"{city} (no cm/{city}-cm.tif)" for city in missing]
        raise incomplete(root, f"{len(cities)} cities", parts, "a mask of its changes for each", OSCD_ORIGIN)
    absent = [city for city in splits if city not in cities]
    if absent:
        total = f"{len(splits)} cities of train.txt and test.txt"
        raise incomplete(root, total, [f"{city} (no images)" for city in absent], "images of each", OSCD_ORIGIN)


def _codes(root: str, masks: dict[str, str]) -> dict[str, tuple[int, int]]:
    """City -> codes of no change and change in its mask. Where a mask has one code only, the others' decide."""
    values = {city: _values(mask) for city, mask in masks.items()}
    fitting = {city: [codes for codes in OSCD_CODES if found <= set(codes)] for city, found in values.items()}
    wrong = [city for city, codes in fitting.items() if not codes]
    if wrong:
        found = "; ".join(
            f"{masks[city]} has {first_few(list(map(str, sorted(values[city]))), 4)}" for city in wrong[:2]
        )
        known = " or ".join(f"{no} and {yes}" for no, yes in OSCD_CODES)
        raise DataError(
            f"{root}: found {len(wrong)} of {len(masks)} masks with other codes: {found}",
            known,
            f"Get the TIFF masks from {OSCD_ORIGIN}",
        )
    clear = [codes[0] for codes in fitting.values() if len(codes) == 1]
    usual = max(OSCD_CODES, key=clear.count)
    return {city: usual if usual in codes else codes[0] for city, codes in fitting.items()}


def _values(mask: str) -> set[int]:
    return set(np.unique(_stored(mask)).tolist())


def _stored(mask: str) -> np.ndarray:
    with opened_whole(mask) as dataset:
        values: np.ndarray = dataset.read(1)
    return values


def _differs_from_png(mask: str, change: int) -> bool:
    """The PNG is a picture: that of aguasclaras has greys at its edges."""
    png = os.path.join(os.path.dirname(mask), "cm.png")
    return png != mask and os.path.isfile(png) and not np.array_equal(_stored(png) > 127, _stored(mask) == change)


def _notes(cities: list[str], masks: dict[str, str], codes: dict[str, tuple[int, int]]) -> Iterator[str]:
    for (no, yes), count in Counter(codes.values()).items():
        yield f"{no} is no change and {yes} change in {counted(count, 'mask')}"
    differing = [city for city, mask in masks.items() if _differs_from_png(mask, codes[city][1])]
    if differing:
        named = first_few(differing, 4)
        yield f"cm.png shows other changes than the TIFF, which is used, in {counted(len(differing), 'mask')}: {named}"
    without = [city for city in cities if city not in masks]
    if without:
        yield f"left out {len(without)} of {len(cities)} cities without a mask: {first_few(without, 4)}"
