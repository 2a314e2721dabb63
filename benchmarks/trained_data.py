"""How many images, places and bytes the packaged weights are trained on and held back, by source."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import rasterio
from data_sources import DataSource, data_sources, source_of

PARTS = {"train": "trained on", "choose": "held back to choose by", "report": "held back to report on"}
"""What a part of the data is for."""

PIXELS = (".tif", ".tiff", ".jp2")
"""Ends of the names of files with pixels, in a folder that is one image."""


@dataclass(frozen=True)
class UsedImage:
    """An image, where it lies in the folder of images, and its size on disk."""

    path: str
    place: str
    bytes: int


@dataclass(frozen=True)
class Count:
    """Of the images of a source in a part."""

    images: int = 0
    places: int = 0
    bytes: int = 0

    @classmethod
    def of(cls, images: Iterable[UsedImage]) -> "Count":
        listed = list(images)
        return cls(len(listed), len({each.place for each in listed}), sum(each.bytes for each in listed))

    def __str__(self) -> str:
        return f"{self.images:,} of {self.places:,}, {self.bytes / 1e6:.1f}" if self.images else ""


def used_images(data: Path, work: Path) -> dict[str, list[UsedImage]]:
    """The images of each part: those of the tables in work/train, and those held back in work/parts.csv."""
    data = data.resolve()
    found = {"train": list(_trained_on(data, work / "train")), "choose": [], "report": []}
    for row in _rows(work / "parts.csv"):
        if row["part"] != "train":
            path = data / row["path"]
            # a group has a name of its own in each set
            place = f"{row['set']}, {row['group']}"
            found[row["part"]].append(UsedImage(row["path"], place, _bytes(path)))
    return found


def counts(used: Mapping[str, Iterable[UsedImage]]) -> list[tuple[DataSource, dict[str, Count]]]:
    """The counts of each source by part, sources with the most images that are trained on first."""
    sources = data_sources()
    sorted_out: dict[DataSource, dict[str, list[UsedImage]]] = defaultdict(lambda: defaultdict(list))
    for part, images in used.items():
        for each in images:
            sorted_out[source_of(each.path, sources)][part].append(each)
    rows = [(source, {part: Count.of(images[part]) for part in PARTS}) for source, images in sorted_out.items()]
    return sorted(rows, key=lambda row: (-row[1]["train"].images, row[0].title))


def _trained_on(data: Path, tables: Path) -> Iterator[UsedImage]:
    for table in sorted(tables.glob("*.csv")):
        for row in _rows(table):
            path = _original(Path(row["path"]))
            yield UsedImage(path.relative_to(data).as_posix(), row["place"], _bytes(path))


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def _original(path: Path) -> Path:
    """The image that a VRT is made of, for any other path the path."""
    if path.suffix != ".vrt":
        return path
    with rasterio.open(path) as file:
        return next(Path(name) for name in file.files if Path(name).suffix != ".vrt").resolve()


def _bytes(path: Path) -> int:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.suffix.lower() in PIXELS]
    return sum(each.stat().st_size for each in files)
