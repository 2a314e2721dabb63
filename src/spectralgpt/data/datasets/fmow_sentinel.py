"""fMoW-Sentinel: images of the places of fMoW, Level-1C, 13 unnamed bands in the file order of the sensor.

train/CLASS/CLASS_LOCATION/CLASS_LOCATION_IMAGE.tif, likewise val and test_gt; next to them train.csv, ... with the
columns category, location_id, image_id, timestamp. Each location is one place, and its images are the dates.

Source: Cong et al., "SatMAE" (NeurIPS 2022), appendix on the data set; purl.stanford.edu/vg497cb6002.
"""

import csv
import os
import re
from collections.abc import Iterator

from spectralgpt.data.folders import folders_in
from spectralgpt.data.image_source import ImageSource
from spectralgpt.errors import RasterError

SPLITS = ("train", "val", "test_gt")
IMAGE_NAME = re.compile(r"(?P<category>.+)_(?P<location>\d+)_(?P<image>\d+)\.tiff?")
CSV_COLUMNS = ("category", "location_id", "image_id", "timestamp")


def read(folder: str) -> list[ImageSource] | None:
    """One stack per location, of its images with a date in the tables; the others, and a second image of a day, are
    separate images of the same place. The class is not part of an image."""
    splits = [split for split in SPLITS if _is_split(os.path.join(folder, split))]
    if not splits:
        return None
    found: list[ImageSource] = []
    for split in splits:
        days = _days(os.path.join(folder, f"{split}.csv"))
        for category, location in _locations(os.path.join(folder, split)):
            path = os.path.join(folder, split, category, location)
            found += _of_location(path, f"fmow-sentinel {split} {location}", days)
    return found


def _of_location(path: str, place: str, days: dict[tuple[str, str, str], str]) -> Iterator[ImageSource]:
    stack: dict[str, str] = {}
    for name in sorted(os.listdir(path)):
        match = IMAGE_NAME.fullmatch(name)
        if match is None:
            continue
        image = os.path.join(path, name)
        day = days.get((match["category"], match["location"], match["image"]), "")
        if day and day not in stack:
            stack[day] = image
        else:
            yield ImageSource(image, (image,), (day,) if day else (), place, "s2-l1c")
    if stack:
        in_time = sorted(stack)
        yield ImageSource(path, tuple(stack[day] for day in in_time), tuple(in_time), place, "s2-l1c", stack=True)


def _is_split(path: str) -> bool:
    """Judged by the first location."""
    if not os.path.isdir(path):
        return False
    first = next(_locations(path), None)
    return first is not None and any(map(IMAGE_NAME.fullmatch, os.listdir(os.path.join(path, *first))))


def _locations(split: str) -> Iterator[tuple[str, str]]:
    """Category and location's folder, in order."""
    for category in folders_in(split):
        for location in folders_in(os.path.join(split, category)):
            if re.fullmatch(re.escape(category) + r"_\d+", location):
                yield category, location


def _days(table: str) -> dict[tuple[str, str, str], str]:
    """Category, location, image -> ISO date; empty where there is no table."""
    if not os.path.isfile(table):
        return {}
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not set(CSV_COLUMNS) <= set(reader.fieldnames or ()):
                raise RasterError(
                    f"{table}: found the columns {', '.join(reader.fieldnames or ())}",
                    f"{', '.join(CSV_COLUMNS)}",
                    "Remove the table to store its images without dates",
                )
            return {
                (row["category"], row["location_id"], row["image_id"]): row["timestamp"][:10]
                for row in reader
                if row["timestamp"]
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RasterError(f"{table}: cannot be read as a CSV table ({error})", do="Download it again") from None
