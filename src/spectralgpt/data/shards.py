"""Reading a shards folder: any sample of a layout by its number."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int32, Int64, Shaped, UInt64

from spectralgpt.data.image_hash import date_hashes
from spectralgpt.data.layout import Layout, plain_layout
from spectralgpt.data.manifest import Manifest, ShardEntry, read_manifest
from spectralgpt.data.samples import Samples, Target
from spectralgpt.data.stored_targets import as_target
from spectralgpt.data.table import MappedBatch, Table
from spectralgpt.plain import to_plain

Memory = Callable[[tuple[int, ...], str], np.ndarray]
"""Makes an array of a shape and type, with any content: np.empty, or a buffer pool."""


Located = list[tuple[MappedBatch, int]]
"""The block of each sample, and its row in the block."""


class Tables:
    """The mapped files of a folder, each opened on first use; a pickled copy starts with none."""

    def __init__(self) -> None:
        self.opened: dict[str, Table] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Callable[[], "Tables"], tuple[()]]:
        return Tables, ()

    def of(self, folder: Path, entry: ShardEntry, layout: Layout) -> Table:
        """The table of a shard, the same for all threads."""
        table = self.opened.get(entry.file)
        if table is None:
            with self._lock:
                table = self.opened.get(entry.file)
                if table is None:
                    table = self.opened[entry.file] = Table(folder / entry.file, layout, entry.count, entry.bytes)
        return table


@dataclass(frozen=True)
class Shards:
    """An opened shards folder. Samples are numbered within their layout, in the order of the manifest's shards.

    Thread-safe, picklable. Every method that reads raises DataError, naming the file, for one that is missing, cut off,
    or not a shard.
    """

    folder: Path
    manifest: Manifest
    _tables: Tables = field(default_factory=Tables, repr=False, compare=False)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        return self.manifest.layouts

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of samples of each layout."""
        return tuple(sum(entry.count for entry in entries) for entries in self._entries)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over layouts, classes and the files' names, counts and CRC-32s: it differs for other samples."""
        content = {
            "layouts": [plain_layout(each) for each in self.layouts],
            "shards": to_plain(self.manifest.shards),
        }
        if self.manifest.target is not None:  # without, as before there were targets
            content["classes"] = to_plain(self.manifest.classes)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def read(
        self,
        layout: int,
        rows: Int64[np.ndarray, " batch"],
        dates: Int64[np.ndarray, "batch chosen"] | None = None,
        memory: Memory = np.empty,
    ) -> Samples:
        """Samples of a layout by number, in this order. dates: which of each sample's dates, None for all.

        memory: makes the array of values. number is rows; key and draw are 0, to be set by the caller.
        IndexError for a number that does not exist.
        """
        shared = self.layouts[layout]
        batch, kept = len(rows), shared.dates if dates is None else dates.shape[1]
        located = self._located(layout, rows)
        scale = np.array([block.scale[row] for block, row in located])
        offset = np.array([block.offset[row] for block, row in located])
        days = np.array([block.days[row] for block, row in located])
        if dates is not None:
            days = np.take_along_axis(days, dates, axis=1)
        extent = np.array([block.extent[row] for block, row in located], np.int32)
        gsd = np.array([block.gsd[row] for block, row in located])
        partly = [number for number, (block, row) in enumerate(located) if not block.all_valid(row)]
        # values separately, and last: each sample pushes everything else out of the processor's caches
        values = memory((batch, kept, *shared.shape[1:]), shared.dtype)
        _copy_values(located, dates, values)
        valid = _valid(located, partly, dates, extent, shared, values.shape) if partly else None
        numbers = torch.from_numpy(np.array(rows, np.int64))
        return Samples(
            values=torch.from_numpy(values),
            valid=None if valid is None else torch.from_numpy(valid),
            scale=torch.from_numpy(scale),
            offset=torch.from_numpy(offset),
            bands=shared.bands,
            days=torch.from_numpy(days),
            gsd=torch.from_numpy(gsd),
            extent=torch.from_numpy(extent),
            key=torch.zeros(batch, dtype=torch.int64),
            draw=0,
            number=numbers,
            target=_target(located, shared),
        )

    def targets_at(self, layout: int, rows: Int64[np.ndarray, " batch"]) -> Target | None:
        """The labels of samples alone, as `read` gives them; None without labels."""
        return _target(self._located(layout, rows), self.layouts[layout])

    def places(self, layout: int) -> UInt64[np.ndarray, " sample"]:
        """A number per sample of a layout: samples with the same one are trained on, or held back, together."""
        return self._whole(layout, "place", np.uint64)

    def positions(self, layout: int) -> Float32[np.ndarray, "sample 2"]:
        """Longitude and latitude of each sample's centre, NaN unknown."""
        return np.stack([self._whole(layout, name, np.float32) for name in ("lon", "lat")], axis=1)

    def gsd(self, layout: int) -> Float32[np.ndarray, " sample"]:
        """Metres on the ground of each sample's pixels, NaN unknown."""
        return self._whole(layout, "gsd", np.float32)

    def days(self, layout: int) -> Int32[np.ndarray, "sample date"]:
        """Days of each sample's dates, since 1970, -1 unknown."""
        return self._whole(layout, "days", np.int32).reshape(-1, self.layouts[layout].dates)

    def hashes(self, layout: int, rows: Int64[np.ndarray, " batch"]) -> list[str]:
        """The hashes of samples (image_hash), each date alone, without their padding."""
        found: list[str] = []
        for block, row in self._located(layout, rows):
            height, width = (int(each) for each in block.extent[row])
            # stored values are 0 where not valid
            found += date_hashes(block.values[row][..., :height, :width])
        return found

    def sources(self, layout: int, rows: Int64[np.ndarray, " batch"]) -> list[str]:
        """Where samples come from, for messages: `path, rows 0-127, columns 128-255`."""
        named = []
        for block, row in self._located(layout, rows):
            source, first, left = (block.batch.column(name)[row].as_py() for name in ("source", "row", "column"))
            height, width = (int(each) for each in block.extent[row])
            named.append(f"{source}, rows {first}-{first + height - 1}, columns {left}-{left + width - 1}")
        return named

    def splits(self, layout: int) -> list[str]:
        """The part that each sample of a layout is in: train, val, test, or empty."""
        return self._texts(layout, "split")

    def samples(self, layout: int) -> list[str]:
        """The name of each sample of a layout in its labelled set, empty without labels. Chips of an image share it."""
        return self._texts(layout, "sample")

    def groups(self, layout: int) -> list[str]:
        """The place of each sample of a layout by which its labelled set was split, empty where unknown."""
        return self._texts(layout, "group")

    def targets(self, layout: int) -> Iterator[Target]:
        """The labels of all samples of a layout in their order, some at a time; none without labels."""
        for entry in self._entries[layout]:
            for block in self._table(entry).blocks:
                if block.targets is not None:
                    block.check("target")
                    yield as_target(block.targets, self.layouts[layout])

    @cached_property
    def has_splits(self) -> bool:
        """Whether any sample is in a part: train, val or test."""
        return any(any(self.splits(layout)) for layout in range(len(self.layouts)))

    @cached_property
    def _entries(self) -> tuple[tuple[ShardEntry, ...], ...]:
        """The shards of each layout."""
        of_layout: list[list[ShardEntry]] = [[] for _ in self.layouts]
        for entry in self.manifest.shards:
            of_layout[entry.layout].append(entry)
        return tuple(map(tuple, of_layout))

    @cached_property
    def _ends(self) -> tuple[Int64[np.ndarray, " shard"], ...]:
        """For each layout, the number after the last sample of each of its shards."""
        return tuple(np.cumsum([entry.count for entry in entries], dtype=np.int64) for entries in self._entries)

    def _located(self, layout: int, rows: Int64[np.ndarray, " batch"]) -> Located:
        """The block of each sample, and its row in the block."""
        ends, entries = self._ends[layout], self._entries[layout]
        if len(rows) and not (rows.min() >= 0 and rows.max() < self.counts[layout]):
            raise IndexError(f"samples {rows.min()} to {rows.max()} of {self.counts[layout]}")
        shards = np.searchsorted(ends, rows, side="right")
        after = (ends[shards] - rows).tolist()
        located, opened = [], self._tables.opened
        for shard, left in zip(shards.tolist(), after, strict=True):
            entry = entries[shard]
            table = opened.get(entry.file) or self._table(entry)
            located.append(table.at(entry.count - left))
        return located

    def _table(self, entry: ShardEntry) -> Table:
        return self._tables.of(self.folder, entry, self.layouts[entry.layout])

    def _whole(self, layout: int, name: str, dtype: type[Any]) -> Shaped[np.ndarray, " value"]:
        """A column of all samples of a layout, flat; a file that is listed several times is read once."""
        entries = self._entries[layout]
        seen = {entry.file: self._table(entry).whole(name).astype(dtype) for entry in entries}
        # a layout has no shards after somebody removed them
        return np.concatenate([np.zeros(0, dtype), *(seen[entry.file] for entry in entries)])

    def _texts(self, layout: int, name: str) -> list[str]:
        """A column of texts that only samples with labels have, empty for others."""
        if self.layouts[layout].target is None:
            return [""] * self.counts[layout]
        return [text for entry in self._entries[layout] for text in self._table(entry).column(name).to_pylist()]


def _copy_values(
    located: Located,
    dates: Int64[np.ndarray, "batch chosen"] | None,
    out: Shaped[np.ndarray, "batch date band row column"],
) -> None:
    """Fill `out` with the samples' values of their chosen dates."""
    for number, (block, row) in enumerate(located):
        if dates is None:
            _copy(block.values[row], out[number])
        else:
            for date, chosen in enumerate(dates[number]):
                _copy(block.values[row, chosen], out[number, date])


def _target(located: Located, layout: Layout) -> Target | None:
    """The labels of samples."""
    rows = [block.targets[row] for block, row in located if block.targets is not None]
    if layout.target is None or not rows:
        return None
    return as_target(np.stack(rows), layout)


def _valid(
    located: Located,
    partly: list[int],
    dates: Int64[np.ndarray, "batch chosen"] | None,
    extent: Int32[np.ndarray, "batch 2"],
    layout: Layout,
    shape: tuple[int, ...],
) -> Bool[np.ndarray, "batch date band row column"]:
    """Where samples are valid. partly: the numbers of those that are not valid everywhere in their extent."""
    valid = np.ones(shape, bool)
    for number in partly:
        block, row = located[number]
        packed = np.unpackbits(block.packed(row), count=int(np.prod(layout.shape)))
        true = packed.view(bool).reshape(layout.shape)
        valid[number] = true if dates is None else true[dates[number]]
    inside = np.arange(layout.side)[None, :, None] < extent[:, None]  # batch, pixel, rows or columns
    valid &= (inside[:, :, None, 0] & inside[:, None, :, 1])[:, None, None]
    return valid


def _copy(stored: Shaped[np.ndarray, "..."], out: Shaped[np.ndarray, "..."]) -> None:
    """out = stored, bit by bit.

    As a ufunc: assignment calls memcpy, which takes up to four times as long where the low 12 bits of both addresses
    are nearly the same (`rep movsb` of glibc on AMD processors), which is true for one sample in ten.
    """
    word = f"u{stored.itemsize}"
    np.positive(stored.view(word), out=out.view(word))


def open_shards(folder: str | os.PathLike[str]) -> Shards:
    """A shards folder. Only its manifest is read; files are mapped on first use.

    DataError when the manifest is missing, or not one of ours.
    """
    path = Path(folder)
    return Shards(path, read_manifest(path))
