"""Features on disk, by what made them and by the content of the image."""

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from spectralgpt.disk import atomic_write, user_cache
from spectralgpt.errors import CHECK_DISK
from spectralgpt.raster import Readable, Window

CACHE_BYTES = 2 * 10**9

ROWS_HASHED = 512
"""Rows of an image that are read and hashed at a time."""

DIGEST_BYTES = hashlib.sha256().digest_size


def cache_folder() -> Path | None:
    """`features` in the user's cache folder (`disk.user_cache`); None where there is no home."""
    folder = user_cache()
    return None if folder is None else folder / "features"


def content_of(image: Readable) -> str:
    """SHA-256, in hexadecimal digits, of all of an image that features may depend on: values where valid, which are
    valid, their type, scale and offset, bands, days and GSD; not of where it lies. It is read in strips."""
    digest = hashlib.sha256()
    about = (image.shape, np.dtype(image.dtype).str, *map(astuple, image.bands), f"{image.gsd!r}")
    digest.update(repr(about).encode())
    for numbers, kind in ((image.scale, "<f8"), (image.offset, "<f8"), (image.days, "<i4")):
        digest.update(np.asarray(numbers, kind).tobytes())
    height, width = image.shape[2:]
    for row in range(0, height, ROWS_HASHED):
        pixels = image.read(Window(row, 0, min(ROWS_HASHED, height - row), width))
        values = pixels.values
        holes = pixels.valid is not None and not pixels.valid.all()
        digest.update(b"holes" if holes else b"whole")
        if pixels.valid is not None and holes:
            values = np.where(pixels.valid, values, np.zeros((), values.dtype))
            digest.update(np.packbits(pixels.valid).data)
        digest.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


class Cache:
    """Arrays on disk by key. Thread-safe, and several processes may share a folder.

    folder: made when it is first written to; None: nothing is kept. most: bytes; when there are more, the entries that
    were used longest ago are removed. A damaged entry is as if it were not there. Where the disk refuses, the cache
    keeps nothing more, and `note` says so.
    """

    def __init__(self, folder: Path | None, most: int = CACHE_BYTES) -> None:
        self.folder, self.most = folder, most
        self.note = ""
        self._held: int | None = None
        self._lock = threading.Lock()

    @classmethod
    def default(cls) -> "Cache":
        """The cache in the user's folder (`cache_folder`)."""
        return cls(cache_folder())

    def key(self, identity: str, content: str) -> str:
        """The key of what a maker (`identity`) makes of an image (`content_of`)."""
        return hashlib.sha256(f"{identity}\n{content}".encode()).hexdigest()

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """The arrays that were kept under this key, bit by bit; None where there are none, or they are damaged."""
        if self.folder is None:
            return None
        path = self._path(self.folder, key)
        try:
            content = path.read_bytes()
            digest, stored = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
            if digest != hashlib.sha256(stored).digest():
                return None
            found = load(stored)
        except (OSError, SafetensorError, ValueError, KeyError):
            return None
        with suppress(OSError):  # a folder that can only be read
            os.utime(path)  # now last used
        return found

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep the arrays under this key, whole or not at all."""
        if self.folder is None or self.note:
            return
        stored = save({name: np.asarray(array, order="C") for name, array in arrays.items()})
        path = self._path(self.folder, key)
        # a name of its own, as others may write the same entry; what a killed run leaves is removed by age
        suffix = f".{os.getpid()}-{threading.get_ident()}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path, suffix, durable=False) as file:
                file.write(hashlib.sha256(stored).digest())
                file.write(stored)
            self._grown(self.folder, DIGEST_BYTES + len(stored))
        except OSError as error:
            with suppress(OSError):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self.note = f"{self.folder}: features are not kept for later runs ({error}). {CHECK_DISK}"

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / key[:2] / key[2:]

    def _grown(self, folder: Path, size: int) -> None:
        """Count what was written; remove the oldest entries, down to nine tenths, where there are too many."""
        with self._lock:
            self._held = sum(size for _, size, _ in _entries(folder)) if self._held is None else self._held + size
            if self._held <= self.most:
                return
            entries = sorted(_entries(folder))
            self._held = sum(size for _, size, _ in entries)
            for _, entry_size, path in entries:
                if self._held <= 0.9 * self.most:
                    break
                Path(path).unlink(missing_ok=True)
                self._held -= entry_size


def _entries(folder: Path) -> Iterator[tuple[int, int, str]]:
    """When each entry was last used, its bytes, and its path."""
    for part in os.scandir(folder):
        if part.is_dir() and len(part.name) == 2:
            for entry in os.scandir(part):
                try:
                    found = entry.stat()
                except FileNotFoundError:  # another process removed it
                    continue
                yield found.st_mtime_ns, found.st_size, entry.path
