"""A read-only view of the files of a product, in a folder, a zip or a tar."""

import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from spectralgpt.errors import RasterError

MOST_TEXT = 16 * 2**20
"""Bytes read of a metadata file at most: real ones have less than 1 MB, a zip bomb unpacks to gigabytes."""

MOST_FILES, DEEPEST = 100_000, 12
"""Files in a product, and levels of its folders; what has more is not a product and is not walked through."""

BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip
"""What the standard library raises on a damaged or encrypted archive, in addition to OSError."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Files by name, relative to the folder or the archive's root, with / between folders.

    path: absolute. members: per name in a zip or tar, the archive's own spelling of it and its size in bytes.
    """

    path: str
    kind: Literal["folder", "zip", "tar"]
    members: dict[str, tuple[str, int]] = field(default_factory=dict)

    def names(self, depth: int = DEEPEST) -> tuple[str, ...]:
        """The files at most this many levels deep, 1 for those at the top; sorted. RasterError for far too many."""
        if self.kind != "folder":
            return tuple(sorted(name for name in self.members if name.count("/") < depth))
        found = []
        for name in _walk(self.path, depth):
            found.append(name)
            if len(found) > MOST_FILES:
                raise RasterError(
                    f"{self.path}: found more than {MOST_FILES} files", "one product", "Give the product's folder"
                )
        return tuple(sorted(found))

    def has(self, name: str) -> bool:
        """Whether a file of this name exists."""
        return os.path.isfile(self._on_disk(name)) if self.kind == "folder" else name in self.members

    def size(self, name: str) -> int:
        """Bytes of a file, unpacked. RasterError when it is missing."""
        self._needed(name)
        return os.path.getsize(self._on_disk(name)) if self.kind == "folder" else self.members[name][1]

    def text(self, name: str) -> str:
        """The text of a UTF-8 file. RasterError when it is missing, damaged, not text, or too large for metadata."""
        self._needed(name)
        try:
            content = self._head(name, MOST_TEXT + 1)
        except (OSError, *BROKEN) as error:
            raise RasterError(f"{self.path}: {name} cannot be read ({error})", do="Download it again") from None
        if len(content) > MOST_TEXT:
            raise RasterError(
                f"{self.path}: found more than {MOST_TEXT >> 20} MiB in {name}", "metadata", "Download it again"
            )
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise RasterError(f"{self.path}: {name} is not UTF-8 text", do="Download it again") from None

    def start(self, name: str, count: int = 4096) -> str:
        """The first bytes of a file as text, to recognize its kind; empty where it cannot be read."""
        try:
            return self._head(name, count).decode("utf-8", "replace") if self.has(name) else ""
        except (OSError, *BROKEN):
            return ""

    def gdal_path(self, name: str) -> str:
        """The path with which GDAL reads the file in place."""
        if self.kind == "folder":
            return self._on_disk(name)
        # without braces GDAL guesses where the archive's name ends; like `_members` it drops a leading ./ inside
        return f"/vsi{self.kind}/{{{self.path}}}/{name}"

    def _on_disk(self, name: str) -> str:
        return os.path.join(self.path, *name.split("/"))

    def _needed(self, name: str) -> None:
        if not self.has(name):
            raise RasterError(f"{self.path}: {name} is missing", do="Download it again")

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
    """The view of a folder, or of a zip or tar by its ending; None for any other file.

    RasterError when it cannot be listed, and for a compressed tar: reading a window would unpack everything before it.
    """
    full = os.path.abspath(path)
    name = full.lower()
    if os.path.isdir(full):
        return Archive(full, "folder")
    if not os.path.isfile(full):
        return None
    if name.endswith((".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")):
        raise RasterError(
            f"{path}: found a compressed tar, which can only be read from its start",
            "a folder, a zip or a plain tar",
            f"Unpack it with `tar -xf '{path}'`",
        )
    try:
        if name.endswith(".zip"):
            with zipfile.ZipFile(full) as packed:
                # a member without a name is not even asked whether it is a folder: `is_dir` fails for it
                named = (entry for entry in packed.infolist() if entry.filename)
                listed = ((entry.filename, entry.file_size) for entry in named if not entry.is_dir())
                return Archive(full, "zip", _members(path, listed))
        if name.endswith(".tar"):
            with tarfile.open(full, "r:") as tape:
                listed = ((entry.name, entry.size) for entry in tape if entry.isfile())
                return Archive(full, "tar", _members(path, listed))
    except (OSError, *BROKEN) as error:
        raise RasterError(f"{path}: the archive cannot be read ({error})", do="Download it again") from None
    return None


def _members(path: str, listed: Iterator[tuple[str, int]]) -> dict[str, tuple[str, int]]:
    """The files by name without a leading ./; names that lead out of the archive are left out."""
    members: dict[str, tuple[str, int]] = {}
    for name, size in listed:
        parts = [part for part in name.split("/") if part != "."]
        if all(part not in ("", "..") for part in parts) and len(parts) <= DEEPEST:
            members["/".join(parts)] = (name, size)
        if len(members) > MOST_FILES:
            raise RasterError(f"{path}: found more than {MOST_FILES} files", "one product")
    return members


def _walk(folder: str, depth: int) -> Iterator[str]:
    """Names of the files in a folder and its subfolders. Links are followed, but each folder once: they may loop."""
    seen, waiting = set(), [("", 1)]
    while waiting:
        inside, level = waiting.pop()
        try:
            status = os.stat(os.path.join(folder, inside))
            entries = list(os.scandir(os.path.join(folder, inside)))
        except OSError as error:
            raise RasterError(
                f"{os.path.join(folder, inside)}: cannot be listed ({error.strerror})", do="Change its permissions"
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
