"""Writing a shards folder by atomic writes, so that finished shards survive a kill.

A shard is written as shard-00000.arrow.partial and renamed when it is whole and on the disk; then manifest.json is
replaced. A kill loses `.partial` files, which the next start removes; a renamed shard that is not in the manifest yet
is added by the next start.
"""

import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
from filelock import BaseFileLock

from spectralgpt.data.layout import Layout
from spectralgpt.data.manifest import NAME, SHARD, Manifest, ShardEntry, read_manifest, write_manifest
from spectralgpt.data.statistics import BandTotals, merge, totals
from spectralgpt.data.table import Chip, LabelsInShard, Table, described, schema, write_chips
from spectralgpt.disk import LOCK, atomic_write, locked
from spectralgpt.errors import TargetError
from spectralgpt.free_space import refusals

BATCH = 16_000_000
"""Bytes of values in a record batch."""


class OpenShard:
    """A shard being written. It does not count before close(), which returns what the manifest needs."""

    def __init__(self, path: Path, layout: Layout, labels: LabelsInShard) -> None:
        self.layout, self.written, self.count = layout, 0, 0
        self.totals: tuple[BandTotals, ...] = ()
        self._path, self._waiting = path, list[Chip]()
        self._most = max(1, BATCH // layout.bytes)
        self._write = atomic_write(path)
        self._file = self._write.__enter__()
        self._writer = pa.ipc.new_file(pa.PythonFile(self._file, "w"), schema(layout, labels))

    def add(self, chip: Chip) -> None:
        self._waiting.append(chip)
        self.count += 1
        self.written += self.layout.bytes
        self.totals = merge((*self.totals, *chip.totals))
        if len(self._waiting) == self._most:
            self._flush()

    def close(self) -> tuple[str, int, int]:
        """Name, bytes and CRC-32 of the file, which is then on the disk."""
        try:
            self._flush()
            self._writer.close()
        except BaseException:
            self.abandon()
            raise
        self._write.__exit__(None, None, None)
        return self._path.name, *checksum(self._path)

    def abandon(self) -> None:
        """Remove what is written of it: not one whole sample is lost, as the next run stores them again."""
        given_up = OSError("given up")
        with suppress(OSError, ValueError, pa.ArrowException):  # it has no footer to write any more
            self._writer.close()
        with suppress(OSError):
            self._write.__exit__(OSError, given_up, None)

    def _flush(self) -> None:
        if self._waiting:
            write_chips(self._writer, self.layout, self._waiting)
            self._waiting.clear()


class ShardsWriter:
    """Adds samples to a shards folder, which is created if missing; a context manager.

    size: bytes of values after which a shard is finished. At the end of the block the open shards are finished, also
    after an exception: each sample in them is whole. TargetError when the disk refuses, another run is writing here, or
    the folder is a file or contains something else; DataError when existing shards are damaged.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.manifest = Manifest()
        self._open: dict[Layout, OpenShard] = {}
        self._number = 0
        self._lock: BaseFileLock | None = None

    def __enter__(self) -> "ShardsWriter":
        if self.folder.exists() and not self.folder.is_dir():
            raise TargetError(f"{self.folder}: is a file", "a folder of shards, an empty folder, or a new one")
        with self._refusals():
            self.folder.mkdir(parents=True, exist_ok=True)
            others = [each.name for each in self.folder.iterdir() if not _is_ours(each.name)]
            if others and not (self.folder / NAME).exists():
                raise TargetError(
                    f"{self.folder}: contains {sorted(others)[0]}, but no manifest.json",
                    do="Choose a folder of shards, an empty folder, or a new one",
                )
            self._lock = locked(self.folder / LOCK)
        if self._lock is None:
            raise TargetError(
                f"{self.folder}: another run is already writing to this folder",
                do="Wait for it to end, or choose another folder",
            )
        try:
            self._start()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if not isinstance(error, TargetError):
                for layout in list(self._open):
                    self._finish(layout)
        finally:
            while self._open:  # the disk refused them or another
                self._open.popitem()[1].abandon()
            if self._lock is not None:
                self._lock.release()

    def add(self, layout: Layout, chip: Chip) -> None:
        """Store a sample; it is safe when its shard is full, or at the end of the block."""
        with self._refusals():
            shard = self._open.get(layout)
            if shard is None:
                path = self.folder / f"shard-{self._number:05d}.arrow"
                labels = LabelsInShard(self.manifest.classes, self.manifest.labels)
                shard = self._open[layout] = OpenShard(path, layout, labels)
                self._number += 1
            shard.add(chip)
        if shard.written >= self.size:
            self._finish(layout)

    def update(self, manifest: Manifest) -> None:
        """Replace the manifest; it is written if it differs."""
        if manifest != self.manifest or not (self.folder / NAME).exists():
            with self._refusals():
                write_manifest(self.folder, manifest)
            self.manifest = manifest

    def _finish(self, layout: Layout) -> None:
        shard = self._open.pop(layout)
        with self._refusals():
            file, size, crc32 = shard.close()
        self._enter(layout, file, shard.count, size, crc32, shard.totals)

    def _enter(
        self, layout: Layout, file: str, count: int, size: int, crc32: int, found: tuple[BandTotals, ...]
    ) -> None:
        """Add a finished shard to the manifest."""
        layouts = self.manifest.layouts
        layouts = layouts if layout in layouts else (*layouts, layout)
        entry = ShardEntry(file, layouts.index(layout), count, size, crc32)
        self.update(
            replace(
                self.manifest,
                layouts=layouts,
                shards=(*self.manifest.shards, entry),
                statistics=merge((*self.manifest.statistics, *found)),
            )
        )

    def _start(self) -> None:
        """Remove what a killed run left; add shards that it renamed but did not enter; forget removed shards, to store
        their samples again."""
        if (self.folder / NAME).exists():
            self.manifest = read_manifest(self.folder)
        with self._refusals():
            files = sorted(path.name for path in self.folder.iterdir() if _is_ours(path.name))
            for file in files:
                if file.endswith(".partial"):
                    (self.folder / file).unlink()
        shards = [file for file in files if SHARD.fullmatch(file)]
        kept = tuple(entry for entry in self.manifest.shards if entry.file in shards)
        if kept != self.manifest.shards:
            found = (_totals_in(self._table(entry), self.manifest.layouts[entry.layout]) for entry in kept)
            self.update(replace(self.manifest, shards=kept, statistics=merge(chain.from_iterable(found))))
        for file in sorted(set(shards) - {entry.file for entry in kept}):
            layout, labels, count = described(self.folder / file)
            if labels is not None and self.manifest.target is None:
                self.manifest = replace(
                    self.manifest, target=layout.target, classes=labels.classes, labels=labels.labels
                )
            size, crc32 = checksum(self.folder / file)
            table = Table(self.folder / file, layout, count, size)
            self._enter(layout, file, count, size, crc32, _totals_in(table, layout))
        self._number = max((int(file[len("shard-") : -len(".arrow")]) for file in shards), default=-1) + 1

    def tables(self) -> Iterator[tuple[Layout, Table]]:
        """The finished shards and their layouts."""
        for entry in self.manifest.shards:
            yield self.manifest.layouts[entry.layout], self._table(entry)

    def _table(self, entry: ShardEntry) -> Table:
        return Table(self.folder / entry.file, self.manifest.layouts[entry.layout], entry.count, entry.bytes)

    def _refusals(self) -> AbstractContextManager[None]:
        """A full disk, or a folder that somebody removed, is the user's to fix: TargetError."""
        return refusals(
            self.folder,
            needed=max(self.size, BATCH),
            do="The shards in manifest.json are safe, and the same command goes on from there",
        )


def checksum(path: Path) -> tuple[int, int]:
    """Bytes and CRC-32 of a file."""
    size, crc32 = 0, 0
    with open(path, "rb") as file:
        while part := file.read(1 << 22):
            size, crc32 = size + len(part), zlib.crc32(part, crc32)
    return size, crc32


def _totals_in(table: Table, layout: Layout) -> tuple[BandTotals, ...]:
    """Statistics of the samples in a shard."""
    found: list[BandTotals] = []
    for block in table.blocks:
        block.check()
        for row in range(len(block.values)):
            height, width = (int(each) for each in block.extent[row])
            values, valid = block.values[row][..., :height, :width], None
            if not block.all_valid(row):
                true = np.unpackbits(block.packed(row), count=int(np.prod(layout.shape))).view(bool)
                valid = true.reshape(layout.shape)[..., :height, :width]
            found += totals(values, valid, block.scale[row], block.offset[row], layout.bands)
    return merge(found)


def _is_ours(name: str) -> bool:
    name = name.removesuffix(".partial")
    return name in (NAME, LOCK) or SHARD.fullmatch(name) is not None
