"""A table of labelled images: CSV, Parquet or GeoJSON, one row per image."""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.labels.faults import Fault, Faults
from spectralgpt.data.labels.listing import name_below, split_of
from spectralgpt.data.labels.reading import LabelReading
from spectralgpt.data.labels.table_columns import TableColumns, columns_of, labels_in
from spectralgpt.data.labels.table_rows import LABEL_TABLE_SUFFIXES, Cell, read_rows
from spectralgpt.days import day_of, iso_date
from spectralgpt.errors import InputError, counted, first_few

MISSING_PATH = Fault("path", "without a file", "paths relative to the table, or absolute ones")
WITHOUT_MASK = Fault("image", "without a mask", "a path in the column of masks for each")
WITHOUT_AFTER = Fault("image", "without a second image", "a path in the column of second images for each")
UNKNOWN_SPLIT = Fault("image", "in an unknown part", "train, val, test or nothing")
SEVERAL_LABELS = Fault("image", "with several labels in a column of one label", "the column `labels` for several")
WRONG_DATE = Fault("image", "with a date that cannot be read", "dates like 2020-05-01")
WRONG_POSITION = Fault("image", "with a position that is none", "longitude and latitude in degrees")
LISTED_TWICE = Fault("image", "in more than one row", "each image once, as a copy in another part would leak")


def is_table(path: str) -> bool:
    """Whether a file is a table, by its ending."""
    return path.lower().endswith(LABEL_TABLE_SUFFIXES)


def of_table(path: str, reading: LabelReading) -> FileLabels:
    """The rows of a table as samples; those without an image or without their one label are left out.

    One DataError for everything that is wrong in the rows, with the first names and the count of each kind.
    """
    rows = read_rows(path)
    columns = columns_of(path, rows, reading.label)
    faults = Faults(path)
    samples: list[FileSample] = []
    left_out: Counter[str] = Counter()
    for index in range(len(rows)):
        row = {name: cells[index] for name, cells in rows.columns.items()}
        sample = _sample(path, columns, row, faults)
        if isinstance(sample, str):
            left_out[sample] += 1
        else:
            place = rows.positions[index] if rows.positions else None
            samples.append(sample if sample.position else replace(sample, position=place))
    faults.add(LISTED_TWICE, _listed_twice(samples))
    faults.refuse()
    notes = [f"left out: {counted(count, 'row')} without {what}" for what, count in sorted(left_out.items())]
    return FileLabels(path, columns.target, tuple(samples), notes=(*columns.notes, *notes))


def _sample(table: str, columns: TableColumns, row: Mapping[str, Cell], faults: Faults) -> FileSample | str:
    """The sample of a row, or what it is without: then it is left out."""

    def text(column: str) -> str:
        return str(row[column]) if column else ""

    if not text(columns.image):
        return "an image"
    folder = os.path.dirname(table)
    image = _path(folder, text(columns.image))
    after = _path(folder, text(columns.after))
    name = name_below(image, folder)
    masked = columns.target in ("mask", "change")
    labels = () if masked else labels_in(row[columns.labels])
    if columns.target == "class" and not labels:
        return "a label"
    mask = _path(folder, text(columns.labels)) if masked else ""
    faults.add(MISSING_PATH, [name_below(each, folder) for each in (image, after, mask) if not _exists(each)])
    faults.add(WITHOUT_MASK, [name] if masked and not mask else [])
    faults.add(WITHOUT_AFTER, [name] if columns.after and not after else [])
    faults.add(SEVERAL_LABELS, [name] if columns.target == "class" and len(labels) > 1 else [])
    split = text(columns.split)
    faults.add(UNKNOWN_SPLIT, [f"{name} ({split})"] if split and not split_of(split) else [])
    date = _date(text(columns.date), name, faults)
    bands = text(columns.bands) or None
    return FileSample(
        name=f"{name}+{name_below(after, folder)}" if after else name,
        image=ImageSource(image, (image,), (date,) if date else (), bands=bands),
        after=ImageSource(after, (after,), bands=bands) if after else None,
        labels=labels,
        mask=mask,
        split=split_of(split),
        group=text(columns.group),
        position=_position(columns, row, name, faults),
        date=date,
    )


def _path(folder: str, text: str) -> str:
    return os.path.normpath(os.path.join(folder, text)) if text else ""


def _exists(path: str) -> bool:
    return not path or os.path.exists(path)


def _date(text: str, name: str, faults: Faults) -> str:
    """The ISO date of a text, empty where there is none or it is none."""
    try:
        return iso_date(day_of(text, name)) if text else ""
    except InputError:
        faults.add(WRONG_DATE, [f"{name} ({text})"])
        return ""


def _position(columns: TableColumns, row: Mapping[str, Cell], name: str, faults: Faults) -> tuple[float, float] | None:
    if columns.position is None or not all(row[column] for column in columns.position):
        return None
    try:
        longitude, latitude = (float(str(row[column])) for column in columns.position)
    except ValueError:
        longitude = latitude = math.nan
    if not (-180 <= longitude <= 360 and -90 <= latitude <= 90):
        faults.add(WRONG_POSITION, [f"{name} ({first_few([str(row[column]) for column in columns.position], 2)})"])
        return None
    return longitude, latitude


def _listed_twice(samples: Sequence[FileSample]) -> list[str]:
    return [name for name, count in Counter(sample.name for sample in samples).items() if count > 1]
