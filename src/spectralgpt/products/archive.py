"""A read-only view of the files of a product as it came: a folder, a zip or a tar."""

import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from spectralgpt.errors import RasterError

MOST_TEXT = 16 * 2**20
"""Bytes of a metadata file that are read: real ones have less than 1 MB, a bomb unpacks to gigabytes."""

MOST_FILES, DEEPEST = 100_000, 12
"""Of files in a product, and of folders in one another; what has more is no product, and is not walked through."""

BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, ValueError, OverflowError)
"""What the standard library raises on a damaged or encrypted archive, besides OSError."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Files by name: relative to the folder or the archive's root, with / between folders.

    path: absolute. members: of a zip or tar, what each name is called in there, and its bytes.
    """

    path: str
    kind: Literal["folder", "zip", "tar"]
    members: dict[str, tuple[str, int]] = field(default_factory=dict)

    def names(self, depth: int = DEEPEST) -> tuple[str, ...]:
        """The files at most this many folders deep, 1 for those at the top; sorted. RasterError for far too many."""
        if self.kind != "folder":
            return tuple(sorted(name for name in self.members if name.count("/") < depth))
        found = []
        for name in _walk(self.path, depth):
            found.append(name)
            if len(found) > MOST_FILES:
                raise RasterError(
                    f"{self.path}: found more than {MOST_FILES} files", "one product", "Name the product's folder"
                )
        return tuple(sorted(found))

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return os.path.isfile(self._on_disk(name)) if self.kind == "folder" else name in self.members

    def size(self, name: str) -> int:
        """Bytes of a file, unpacked. RasterError when it is not there."""
        self._needed(name)
        return os.path.getsize(self._on_disk(name)) if self.kind == "folder" else self.members[name][1]

    def text(self, name: str) -> str:
        """A text file in UTF-8, whole. RasterError when it is missing, damaged, no text, or too large for metadata."""
        self._needed(name)
        try:
            content = self._head(name, MOST_TEXT + 1)
        except (OSError, *BROKEN) as error:
            raise RasterError(
                f"{self.path}: found {name}, which cannot be read ({error})", "a text file", "Fetch it again"
            ) from None
        if len(content) > MOST_TEXT:
            raise RasterError(
                f"{self.path}: found more than {MOST_TEXT >> 20} MiB in {name}", "metadata", "It is damaged"
            )
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise RasterError(
                f"{self.path}: found bytes in {name} that are no text", "UTF-8", "It is damaged: fetch it again"
            ) from None

    def start(self, name: str, count: int = 4096) -> str:
        """The first bytes of a file as text, whatever it holds; empty where it cannot be read. To tell what it is."""
        try:
            return self._head(name, count).decode("utf-8", "replace") if self.has(name) else ""
        except (OSError, *BROKEN):
            return ""

    def gdal_path(self, name: str) -> str:
        """What GDAL opens to read a file where it lies."""
        if self.kind == "folder":
            return self._on_disk(name)
        # braces: GDAL else looks for where the archive's name ends; like us it drops a leading ./ of a name in it
        return f"/vsi{self.kind}/{{{self.path}}}/{name}"

    def _on_disk(self, name: str) -> str:
        return os.path.join(self.path, *name.split("/"))

    def _needed(self, name: str) -> None:
        if not self.has(name):
            raise RasterError(f"{self.path}: found no {name}", "it in the product", "Fetch it again")

    def _head(self, name: str, count: int) -> bytes:
        """The first bytes of a file."""
        if self.kind == "folder":
            with open(self._on_disk(name), "rb") as plain:
                return plain.read(count)
        inside = self.members[name][0]
        if self.kind == "zip":
            with zipfile.ZipFile(self.path) as packed, packed.open(inside) as member:
                return member.read(count)
        with tarfile.open(self.path, "r:") as tape:
            extracted = tape.extractfile(inside)
            return extracted.read(count) if extracted else b""


def open_archive(path: str) -> Archive | None:
    """The view of a folder, of a zip or a tar by its ending; None for any other file.

    RasterError when it cannot be listed, and for a compressed tar: reading a window of it would unpack all before it.
    """
    full = os.path.abspath(path)
    name = full.lower()
    if os.path.isdir(full):
        return Archive(full, "folder")
    if not os.path.isfile(full):
        return None
    if name.endswith((".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")):
        raise RasterError(
            f"{path}: found a compressed tar, of which no part can be read without what stands before; expected a "
            f"folder, a zip or a plain tar. Unpack it: tar -xf '{path}'"
        )
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(full) as packed:
                told = ((entry.filename, entry.file_size) for entry in packed.infolist() if not entry.is_dir())
                return Archive(full, "zip", _members(path, told))
        if name.endswith(".tar"):
            with tarfile.open(full, "r:") as tape:
                return Archive(full, "tar", _members(path, ((each.name, each.size) for each in tape if each.isfile())))
    except (OSError, *BROKEN) as error:
        raise RasterError(
            f"{path}: found an archive that cannot be read ({error})", "a whole one", "Fetch it again"
        ) from None
    return None


def _members(path: str, told: Iterator[tuple[str, int]]) -> dict[str, tuple[str, int]]:
    """By name without a leading ./; names that lead out of the archive are left out."""
    members: dict[str, tuple[str, int]] = {}
    for name, size in told:
        parts = [part for part in name.split("/") if part != "."]
        if all(part not in ("", "..") for part in parts) and len(parts) <= DEEPEST:
            members["/".join(parts)] = (name, size)
        if len(members) > MOST_FILES:
            raise RasterError(f"{path}: found more than {MOST_FILES} files", "one product")
    return members


def _walk(folder: str, depth: int) -> Iterator[str]:
    """Names of the files of a folder, and of those in it; through links, but into no folder twice: links make loops."""
    seen, waiting = set(), [("", 1)]
    while waiting:
        inside, level = waiting.pop()
        try:
            status = os.stat(os.path.join(folder, inside))
            entries = list(os.scandir(os.path.join(folder, inside)))
        except OSError as error:
            raise RasterError(
                f"{os.path.join(folder, inside)}: found a folder that cannot be listed ({error.strerror})",
                "a product's folder",
            ) from None
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            name = f"{inside}/{entry.name}" if inside else entry.name
            try:
                if entry.is_file():
                    yield name
                elif level < depth and entry.is_dir():
                    waiting.append((name, level + 1))
            except OSError:  # a link to itself
                continue
