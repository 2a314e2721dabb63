"""fMoW-Sentinel: images of the places of fMoW, Level-1C, 13 unnamed bands in the file order of the sensor; one of 62
classes.

train/CLASS/CLASS_LOCATION/CLASS_LOCATION_IMAGE.tif, likewise val and test_gt; next to them train.csv, ... with the
columns category, location_id, image_id, timestamp. Each location is one place, and its images are the dates.

Source: Cong et al., "SatMAE" (NeurIPS 2022), appendix on the data set; purl.stanford.edu/vg497cb6002.
"""

import csv
import os
import re
from collections.abc import Iterator

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.folders import folders_in
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.incomplete import incomplete
from spectralgpt.data.variants import refuse_variant
from spectralgpt.errors import DataError, RasterError, first_few
from spectralgpt.tasks import Class

SPLITS = ("train", "val", "test_gt")
IMAGE_NAME = re.compile(r"(?P<category>.+)_(?P<location>\d+)_(?P<image>\d+)\.tiff?")
CSV_COLUMNS = ("category", "location_id", "image_id", "timestamp")
FMOW_ORIGIN = "purl.stanford.edu/vg497cb6002"
FMOW_CLASSES = (
    "airport",
    "airport_hangar",
    "airport_terminal",
    "amusement_park",
    "aquaculture",
    "archaeological_site",
    "barn",
    "border_checkpoint",
    "burial_site",
    "car_dealership",
    "construction_site",
    "crop_field",
    "dam",
    "debris_or_rubble",
    "educational_institution",
    "electric_substation",
    "factory_or_powerplant",
    "fire_station",
    "flooded_road",
    "fountain",
    "gas_station",
    "golf_course",
    "ground_transportation_station",
    "helipad",
    "hospital",
    "impoverished_settlement",
    "interchange",
    "lake_or_pond",
    "lighthouse",
    "military_facility",
    "multi-unit_residential",
    "nuclear_powerplant",
    "office_building",
    "oil_or_gas_facility",
    "park",
    "parking_lot_or_garage",
    "place_of_worship",
    "police_station",
    "port",
    "prison",
    "race_track",
    "railway_bridge",
    "recreational_facility",
    "road_bridge",
    "runway",
    "shipyard",
    "shopping_mall",
    "single-unit_residential",
    "smokestack",
    "solar_farm",
    "space_facility",
    "stadium",
    "storage_tank",
    "surface_mine",
    "swimming_pool",
    "toll_booth",
    "tower",
    "tunnel_opening",
    "waste_disposal",
    "water_treatment_facility",
    "wind_farm",
    "zoo",
)
FEW_MISSING = 0.01
"""Share of the images in a table that may be missing: a folder that was extracted in part misses more."""


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


def labels(folder: str, variant: str | None = None) -> FileLabels | None:
    """One class per image, as in the paper: the images of a location are samples of one group."""
    splits = [split for split in SPLITS if _is_split(os.path.join(folder, split))]
    if not splits:
        return None
    refuse_variant("fMoW-Sentinel", variant)
    tables = {split: os.path.join(folder, f"{split}.csv") for split in splits}
    without = [f"{split} (no {split}.csv)" for split, table in tables.items() if not os.path.isfile(table)]
    if without:
        raise incomplete(folder, f"{len(splits)} splits", without, "a table of the images of each", FMOW_ORIGIN)
    samples: list[FileSample] = []
    notes: list[str] = []
    for split, table in tables.items():
        days = _days(table)
        found = dict(_images_of(folder, split, days))
        notes += _differences(folder, split, days, set(found))
        samples += found.values()
    named = {sample.labels[0] for sample in samples}
    if not named <= set(FMOW_CLASSES):
        notes.append(f"classes that fMoW does not have: {first_few(sorted(named - set(FMOW_CLASSES)), 4)}")
    classes = FMOW_CLASSES if named <= set(FMOW_CLASSES) else tuple(sorted(named))
    return FileLabels(folder, "class", tuple(samples), tuple(map(Class, classes)), notes=tuple(notes))


def _images_of(
    folder: str, split: str, days: dict[tuple[str, str, str], str]
) -> Iterator[tuple[tuple[str, str, str], FileSample]]:
    """Category, location, image -> sample. A location's number counts within its split and category."""
    for category, location in _locations(os.path.join(folder, split)):
        path = os.path.join(folder, split, category, location)
        for name in sorted(os.listdir(path)):
            match = IMAGE_NAME.fullmatch(name)
            if match is None:
                continue
            key = match["category"], match["location"], match["image"]
            day = days.get(key, "")
            place = f"fmow-sentinel {split} {location}"
            image = os.path.join(path, name)
            yield (
                key,
                FileSample(
                    name=f"{split}/{category}/{location}/{name}",
                    image=ImageSource(image, (image,), (day,) if day else (), place, "s2-l1c"),
                    labels=(category,),
                    split=split.removesuffix("_gt"),
                    group=place,
                    date=day,
                ),
            )


def _differences(
    folder: str, split: str, days: dict[tuple[str, str, str], str], found: set[tuple[str, str, str]]
) -> Iterator[str]:
    """Notes on images that the table or the folder does not have. DataError where the folder has far fewer."""
    missing = sorted("_".join(key) for key in days if key not in found)
    if len(missing) > FEW_MISSING * len(days):
        raise DataError(
            f"{os.path.join(folder, split)}: found {len(missing)} of the {len(days)} images of {split}.csv missing: "
            f"{first_few(missing, 4)}",
            "all of them",
            f"Extract it again, or download it from {FMOW_ORIGIN}",
        )
    if missing:
        yield f"{len(missing)} of the {len(days)} images of {split}.csv are missing: {first_few(missing, 4)}"
    undated = sum(key not in days for key in found)
    if undated:
        yield f"{undated} images of {split} without a date, as {split}.csv does not list them"


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
    """Category, location, image -> ISO date, empty where the table has none; nothing without a table."""
    if not os.path.isfile(table):
        return {}
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")  # of a row that is cut off
            if not set(CSV_COLUMNS) <= set(reader.fieldnames or ()):
                raise RasterError(
                    f"{table}: found the columns {', '.join(reader.fieldnames or ())}",
                    f"{', '.join(CSV_COLUMNS)}",
                    "Remove the table to store its images without dates",
                )
            return {
                (row["category"], row["location_id"], row["image_id"]): (row["timestamp"] or "")[:10] for row in reader
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RasterError(f"{table}: cannot be read as a CSV table ({error})", do="Download it again") from None
