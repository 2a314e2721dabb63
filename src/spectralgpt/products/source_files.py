"""The files that the sources of a command read, which no result may replace."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from spectralgpt.errors import InputError
from spectralgpt.products.format import all_formats
from spectralgpt.products.image import path_and_date

NOT_READ = (".png", ".parquet", ".csv")
"""Endings of files in a folder that are neither bands nor metadata: pictures, tables."""

METADATA = (".xml", ".txt")
"""Endings of a product's metadata file that can be given in place of its folder."""

BESIDE = (".aux.xml", ".ovr", ".msk", ".hdr")
"""Endings that GDAL adds to the name of an image for what belongs to it."""

DEEPEST_NAMING = 8
"""Levels of files that name files."""

IN_ARCHIVE = re.compile(r"/vsi(?:zip|tar|gzip)/\{?([^{}]*?\.(?:zip|tar|tgz|tar\.gz|gz))(?:[}/].*)?", re.IGNORECASE)
IN_FILE = re.compile(r'[A-Z0-9_]{2,}:(?:\d+:)?"?([^"]+?)"?(?::[^/\\:]*)?')
"""GDAL's names of an image inside a file, like GTIFF_DIR:2:scene.tif."""


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """files: each by its real path, with what reads it, empty for one that was given. folders: given as sources; the
    images and metadata in them are read, too."""

    files: Mapping[str, str]
    folders: tuple[str, ...]

    def reader_of(self, target: Path) -> str | None:
        """What reads an existing target, empty for the target itself; None if nothing does. A folder is replaced with
        all that is in it."""
        real = os.path.realpath(target)
        if real in self.files:
            return self.files[real]
        if os.path.isdir(real):
            inside = (file for file in self.files if file.startswith(os.path.join(real, "")))
            return next(inside, None)
        for file, reader in self.files.items():  # a hard link, or another spelling where names ignore case
            if os.path.exists(file) and os.path.samefile(file, target):
                return reader
        return None

    def folder_of(self, target: Path) -> str | None:
        """The source folder in which a target lies as an image or as metadata; None for other files."""
        real = os.path.realpath(target)
        inside = (folder for folder in self.folders if real.startswith(os.path.join(folder, "")))
        return None if real.lower().endswith(NOT_READ) else next(inside, None)


def source_files(given: Iterable[str | os.PathLike[str]], read: Iterable[str] = ()) -> SourceFiles:
    """What sources read. given: paths of images (with or without @DATE), masks, areas and weights; what is no file or
    folder, like `scl` or a name on the hub, is left out. read: further files, like those of an opened raster.

    The sources of VRTs, also of VRTs in VRTs, and the files of STAC items are among them.
    """
    files: dict[str, str] = {}
    folders: list[str] = []
    for path in (_existing(os.fspath(each)) for each in given):
        if os.path.isdir(path):
            folders.append(os.path.realpath(path))
            continue
        _add(path, "", files)
        if path.lower().endswith(METADATA):
            folders.append(os.path.dirname(os.path.realpath(path)))
    for path in read:
        _add(path, "", files)
    return SourceFiles(files, tuple(dict.fromkeys(folders)))


def _existing(path: str) -> str:
    """The path without its date."""
    if os.path.exists(path):
        return path
    try:
        return path_and_date(path)[0]
    except InputError:
        return path


def _add(path: str, reader: str, files: dict[str, str], depth: int = 0) -> None:
    """Add a file, and what it reads."""
    path = _on_disk(path)
    real = os.path.realpath(path)
    if real in files or not os.path.isfile(path):
        return
    files[real] = reader
    for beside in (*(path + ending for ending in BESIDE), os.path.splitext(path)[0] + ".hdr"):
        if os.path.isfile(beside):
            files.setdefault(os.path.realpath(beside), path)
    if depth < DEEPEST_NAMING:
        for other in _named_by(path):
            _add(other, path, files, depth + 1)


def _on_disk(path: str) -> str:
    """The file of a path that GDAL reads: of a band in an archive, the archive."""
    for pattern in (IN_ARCHIVE, IN_FILE):
        if not os.path.exists(path) and (inside := pattern.fullmatch(path)):
            return inside[1]
    return path


def _named_by(path: str) -> list[str]:
    """The files that a file names and that are read with it."""
    try:
        return [file for one in all_formats() if one.named_files is not None for file in one.named_files(path)]
    except InputError:
        return []  # reported where it is opened
