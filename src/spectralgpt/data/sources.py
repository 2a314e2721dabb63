"""The images in the user's sources: files, products, folders of them, stacks of dates, tables."""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spectralgpt.data.datasets import read_dataset
from spectralgpt.data.folders import can_be_followed
from spectralgpt.data.image_source import ImageSource
from spectralgpt.errors import RasterError
from spectralgpt.products import (
    archive_suffixes,
    cloud_options,
    format_of_file,
    image_suffixes,
    is_product_folder,
)
from spectralgpt.products.formats.folder import are_single_bands
from spectralgpt.progress import Progress, silent

PREVIEW = re.compile(r"(.*[_.-])?(preview|thumb|thumbnail|quicklook|browse|tci)([_.-].*)?", re.IGNORECASE)
"""Names of pictures beside bands: they are not trained on, and a folder of bands may contain them."""

TABLE_COLUMNS = ("path", "place", "date", "bands", "clouds", "stack")
"""Columns of a table; all but the first may be left out."""

PATH_COLUMNS = ("image", "file", "filename", "file_name", "image_path")
"""Columns that count as `path` where a table has none, the first that is there, as in tables of labelled images."""


@dataclass(frozen=True, slots=True)
class Found:
    """The images of the sources, and their roots: name of a source's folder in shards -> its path."""

    images: tuple[ImageSource, ...]
    roots: Mapping[str, str]


def find_images(
    sources: Sequence[str | os.PathLike[str]],
    stack: bool = False,
    roots: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Found:
    """The images of files, products, folders and tables, each once, in the order of the sources and of
    the names below them.

    In a folder every raster except previews is an image; a folder with only single-band rasters, a product, and a zip
    or tar are one image each; data sets with a known layout are read by it. stack: the images directly in a folder are
    the dates of one place. A table (.csv) has one row per image: path (or one of PATH_COLUMNS), relative to the table;
    place, a text: images of one place are trained on or held back together, and those with a date are the dates of one
    stack, unless the column stack says no; bands and clouds, as the options.

    roots: those of an earlier run; an image below one keeps its name. RasterError for a source that does not exist or
    contains no image, and for a table without the column path.
    """
    known = dict(roots or {})
    found: list[ImageSource] = []
    for source in sources:
        path = os.path.abspath(source)
        before = len(found)
        if path.lower().endswith(".csv") and os.path.isfile(path):
            root = os.path.dirname(path)
            found += _of_table(path)
        elif os.path.isdir(path) and not is_product_folder(path, [entry.name for entry in _entries(path)]):
            root = path
            images = []
            for image in _walked(path):
                images.append(image)
                progress("finding images", len(found) + len(images), 0)
            found += _stacked(images) if stack else images
        elif os.path.exists(path):
            root = os.path.dirname(path)
            found.append(ImageSource(path, (path,)))
        else:
            raise RasterError(f"{source}: does not exist", do="Check the path")
        if len(found) == before:
            raise RasterError(
                f"{source}: found no image ({', '.join((*image_suffixes(), *archive_suffixes()))}, a product)",
                "at least one",
            )
        _enter(root, known)
    called = (_called(image, known) for image in found)
    return Found(tuple({image.name: image for image in called}.values()), known)


def _walked(folder: str, above: frozenset[str] = frozenset()) -> Iterator[ImageSource]:
    """The images below a folder. above: the folders above it, to which a link may lead back."""
    real = os.path.realpath(folder)
    if real in above:
        return
    entries = _entries(folder)
    files = [entry.name for entry in entries if not entry.is_dir()]
    dataset = read_dataset(folder)
    if dataset is not None:
        yield from dataset
    elif is_product_folder(folder, files):
        yield ImageSource(folder, (folder,))
    else:
        for path in _directly(folder, files):
            yield ImageSource(path, (path,))
        for entry in entries:
            if entry.is_dir():
                yield from _walked(entry.path, above | {real})


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """The entries of a folder, sorted, without hidden ones and links in a circle."""
    try:
        with os.scandir(folder) as listed:
            shown = (each for each in listed if not each.name.startswith(".") and can_be_followed(each))
            return sorted(shown, key=lambda each: each.name)
    except OSError as error:
        raise RasterError(
            f"{folder}: cannot be listed ({error.strerror})", do="Change its permissions, or name other folders"
        ) from None


def _directly(folder: str, files: Sequence[str]) -> Iterator[str]:
    """The images among the files of a folder, or the folder itself where the files are its bands."""
    paths = [os.path.join(folder, file) for file in files]
    formats = {path: found for path in paths if (found := format_of_file(path)) is not None}
    owners = [path for path, found in formats.items() if found.owns_neighbours]
    rasters = [path for path in formats if not PREVIEW.fullmatch(Path(path).stem)]
    if owners:
        yield from owners  # rasters beside a STAC item are its assets
    elif rasters and are_single_bands(rasters):
        yield folder
    else:
        yield from rasters
    archives = archive_suffixes()
    yield from (path for path in paths if path.lower().endswith(archives))


def _stacked(images: Sequence[ImageSource]) -> list[ImageSource]:
    """One stack per folder; images of a data set stay as they are."""
    plain: dict[str, list[str]] = {}
    found = []
    for image in images:
        if image == ImageSource(image.name, image.paths):
            plain.setdefault(os.path.dirname(image.name), []).append(image.paths[0])
        else:
            found.append(image)
    return [*found, *(ImageSource(folder, tuple(paths), stack=True) for folder, paths in plain.items())]


def _of_table(table: str) -> list[ImageSource]:
    rows = _rows(table)
    folder = os.path.dirname(table)
    found: list[ImageSource] = []
    stacks: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        path, bands = os.path.normpath(os.path.join(folder, row["path"])), row["bands"]
        clouds = row["clouds"]
        if clouds and clouds.lower() not in cloud_options():
            clouds = os.path.normpath(os.path.join(folder, clouds))
        row |= {"path": path, "clouds": clouds}
        if row["place"] and row["date"] and row["stack"].lower() not in ("no", "0", "false"):
            # a place may have images of several sensors
            own = clouds if os.path.basename(clouds) == clouds else "masks"
            stacks.setdefault((row["place"], bands, own), []).append(row)
        else:
            dates = (row["date"],) if row["date"] else ()
            found.append(ImageSource(path, (path,), dates, row["place"], bands or None, clouds or None))
    for (place, bands, own), dated in stacks.items():
        _refuse_twice(table, place, dated)
        several = tuple(dict.fromkeys(row["clouds"] for row in dated))
        name = "#".join((table, place, *filter(None, (bands, own))))
        found.append(
            ImageSource(
                name=name,
                paths=tuple(row["path"] for row in dated),
                dates=tuple(row["date"] for row in dated),
                place=place,
                bands=bands or None,
                clouds=(several[0] if len(several) == 1 else ",".join(row["clouds"] for row in dated)) or None,
                stack=True,
            )
        )
    return found


def _rows(table: str) -> list[dict[str, str]]:
    """Rows with all TABLE_COLUMNS, empty where the table has no such column."""
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
            if other := next((names[column] for column in PATH_COLUMNS if column in names), None):
                names.setdefault("path", other)
            if "path" not in names:
                raise RasterError(
                    f"{table}: found the columns {', '.join(names) or 'none'}",
                    f"path and, if known, {', '.join(TABLE_COLUMNS[1:])}",
                )
            return [
                {column: (row.get(names.get(column, "")) or "").strip() for column in TABLE_COLUMNS}
                for row in reader
                if (row.get(names["path"]) or "").strip()
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RasterError(f"{table}: cannot be read as a CSV table ({error})", do="Save it as CSV in UTF-8") from None


def _refuse_twice(table: str, place: str, dated: list[dict[str, str]]) -> None:
    """Before thousands of images are opened, as a table that was joined wrongly has many such rows."""
    ((path, date), count), *_ = Counter((each["path"], each["date"]) for each in dated).most_common(1)
    if count > 1:
        raise RasterError(
            f"{table}: found {count} rows of place {place} with the image {path} and the date {date}",
            "one for each image and date",
            "Remove the others",
        )


def _enter(root: str, known: dict[str, str]) -> None:
    """Give a root a unique name: its folder's, with as much of the path above as needed."""
    if any(_is_below(root, other) for other in known.values()):
        return
    parts = [part for part in Path(root).parts if part != os.sep] or ["images"]
    names = ("/".join(parts[-count:]) for count in range(1, len(parts) + 1))
    known[next((name for name in names if name not in known), root)] = root


def _called(image: ImageSource, roots: Mapping[str, str]) -> ImageSource:
    """The image under its name in shards."""

    def name(path: str) -> str:
        found = next((each for each in roots.items() if _is_below(path, each[1])), None)
        return path if found is None else "/".join((found[0], *Path(path).relative_to(found[1]).parts))

    return replace(image, name=name(image.name), sources=tuple(map(name, image.paths)))


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
