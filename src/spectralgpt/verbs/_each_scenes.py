"""The scenes that the sources of `each` stand for, and the name of each one's result."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spectralgpt.errors import InputError, TargetError
from spectralgpt.progress import Progress
from spectralgpt.verbs._table_images import TableImage, images_of

NAMES_WITHOUT = (".safe", ".json")
"""Endings of products that are no part of a result's name, in addition to those of images and archives."""


@dataclass(frozen=True, slots=True)
class EachScene:
    """A scene and the name of its result, without its ending."""

    image: TableImage
    name: str

    @property
    def source(self) -> str:
        return self.image.path

    @property
    def sources(self) -> list[str]:
        """What a verb takes: the path, or a path with its date for each of several dates."""
        dates = self.image.dates or ("",) * len(self.image.paths)
        return [f"{path}@{date}" if date else path for path, date in zip(self.image.paths, dates, strict=True)]


def scenes_of(given: Sequence[str], progress: Progress) -> tuple[EachScene, ...]:
    """The scenes, each once, in the order of the sources.

    A source that opens as one image is one scene. Any other folder stands for the images below it, and a table (.csv)
    for its rows, as in `shard`. Scenes with the same name get as many of the folders above into it as tell them apart.
    TargetError where these do not.
    """
    found: dict[tuple[str, ...], TableImage] = {}
    for source in given:
        for image in _images(source, progress):
            found.setdefault((*map(os.path.realpath, image.paths), *image.dates, image.bands or ""), image)
    images = list(found.values())
    return tuple(EachScene(image, name) for image, name in zip(images, _names(images), strict=True))


def _images(source: str, progress: Progress) -> list[TableImage]:
    """The images of a source. What is wrong with it is reported where it is opened."""
    alone = [TableImage(source, (source,))]
    is_table = source.lower().endswith(".csv") and os.path.isfile(source)
    if not is_table and (not os.path.isdir(source) or _is_one_image(source)):
        return alone
    try:
        return images_of([source], progress)
    except InputError:
        if is_table:
            raise
        return alone


def _is_one_image(folder: str) -> bool:
    from spectralgpt.products.format import read_products

    try:
        read_products(folder)
    except InputError:
        return False
    return True


def _names(images: Sequence[TableImage]) -> list[str]:
    """A name per image, unique also where the disk ignores case."""
    parts = [_name_parts(image) for image in images]
    names = [each[-1] for each in parts]
    for depth in range(2, 1 + max(map(len, parts), default=0)):
        for index in _repeated(names):
            names[index] = "_".join(parts[index][-depth:])
    if again := _repeated(names):
        first, second = again[0], next(index for index in again[1:] if _same(names[index], names[again[0]]))
        raise TargetError(
            f"{images[first].path} and {images[second].path}: both results would have the name {parts[first][-1]}",
            "sources with names, or folders above, of their own",
            "Leave one out, or give them in two calls with a folder each",
        )
    return names


def _repeated(names: Sequence[str]) -> list[int]:
    times = Counter(name.casefold() for name in names)
    return [index for index, name in enumerate(names) if times[name.casefold()] > 1]


def _same(name: str, other: str) -> bool:
    return name.casefold() == other.casefold()


def _name_parts(image: TableImage) -> list[str]:
    """The folders above an image, from the root, and the name of its result."""
    table, is_stack, place = image.path.partition(".csv#")
    if is_stack:
        return [*_folders(os.path.abspath(table)), re.sub(r"[/\\#]", "_", place)]
    path = image.path if "://" in image.path else os.path.abspath(_without_date(image.path))
    above, name = os.path.split(path)
    if name.upper().startswith("MTD_") and name.lower().endswith(".xml"):  # given in place of its product's folder
        above, name = os.path.split(above)
    return [*_folders(above), _without_endings(name, is_file=not os.path.isdir(path))]


def _without_date(path: str) -> str:
    from spectralgpt.products.image import path_and_date

    try:
        return path_and_date(path)[0]
    except InputError:
        return path  # reported where it is opened


def _folders(path: str) -> list[str]:
    return [part for part in Path(path).parts if part not in (os.sep, os.curdir)]


def _without_endings(name: str, is_file: bool) -> str:
    """A name without the endings of images and products, of which there may be two (.SAFE.zip)."""
    from spectralgpt.products import archive_suffixes, image_suffixes

    known = (*NAMES_WITHOUT, *((*image_suffixes(), *archive_suffixes()) if is_file else ()))
    short = name
    while ending := next((each for each in known if short.lower().endswith(each)), ""):
        short = short[: -len(ending)]
    return short or name
