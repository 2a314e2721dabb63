"""A shard: an Arrow file of samples of one layout, one per row; how it is written, and how it is read in place.

values   the stored values (date, band, row, column), as bytes; 0 where not valid
valid    np.packbits of the valid pixels, in the same order; empty if all pixels within the extent are valid
scale, offset   per band: reflectance = stored x scale + offset
extent   rows and columns of the image within the chip; the rest, below and to the right, is padding
gsd      metres, NaN if unknown
days     since 1970, -1 if unknown
lon, lat   of the chip's centre, NaN if unknown
place    hash of the place: samples of one place are trained on or held back together
image, source   the image among the sources, and the path of its first date
row, column, chips   the chip's upper left corner in the image, and the number of chips that the image is cut into

Samples with labels also have the columns of `stored_targets`. Each record batch carries a checksum of each of its
columns (`column_checksums`); shards of earlier versions have none.
"""

import bisect
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64, Int32, Shaped

from spectralgpt.data.column_checksums import (
    CHECKSUM_KIND,
    CHECKSUMS,
    column_checksum,
    read_checksums,
    stored_checksums,
)
from spectralgpt.data.layout import Layout, layout_from, plain_layout
from spectralgpt.data.manifest import LabelsMark
from spectralgpt.data.statistics import BandTotals
from spectralgpt.data.stored_targets import StoredTarget, mapped_targets, target_columns
from spectralgpt.errors import DataError, OptionError
from spectralgpt.plain import from_plain, to_plain
from spectralgpt.tasks import Class

REPLACE = "Download it again, or remove it and run the verb `shard` again"
"""What to do about a damaged shard."""

LAYOUT = b"layout"
"""Key of the layout, as JSON, in the metadata of a table."""

LABELS = b"labels"
"""Key of what the manifest says of the labels, as JSON, so that it can be restored."""


@dataclass(frozen=True, slots=True, eq=False)
class Chip:
    """A sample before it is a row: the fields are the columns, with the sample's statistics and labels beside them."""

    values: Shaped[np.ndarray, "date band row column"]
    valid: Bool[np.ndarray, "date band row column"] | None
    scale: Float64[np.ndarray, " band"]
    offset: Float64[np.ndarray, " band"]
    extent: tuple[int, int]
    gsd: float
    days: Int32[np.ndarray, " date"]
    lon: float
    lat: float
    place: int
    image: str
    source: str
    row: int
    column: int
    chips: int
    totals: tuple[BandTotals, ...]
    labels: StoredTarget | None = None


@dataclass(frozen=True, slots=True)
class LabelsInShard:
    """What the manifest says of labels."""

    classes: tuple[Class, ...]
    labels: LabelsMark | None


def schema(layout: Layout, labels: LabelsInShard | None = None) -> pa.Schema:
    """The schema of the table of a layout. Its metadata hold the layout and what is said of the labels."""
    bands = pa.list_(pa.float64(), len(layout.bands))
    columns = {
        "values": pa.binary(layout.bytes),
        "valid": pa.large_binary(),
        "scale": bands,
        "offset": bands,
        "extent": pa.list_(pa.int16(), 2),
        "gsd": pa.float32(),
        "days": pa.list_(pa.int32(), layout.dates),
        "lon": pa.float64(),
        "lat": pa.float64(),
        "place": pa.uint64(),
        "image": pa.string(),
        "source": pa.string(),
        "row": pa.int32(),
        "column": pa.int32(),
        "chips": pa.int32(),
        **target_columns(layout),
    }
    metadata = {LAYOUT: json.dumps(plain_layout(layout)), CHECKSUMS: CHECKSUM_KIND}
    if layout.target is not None:
        metadata[LABELS] = json.dumps(to_plain(labels))
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()], metadata)


def record_batch(layout: Layout, chips: Sequence[Chip]) -> pa.RecordBatch:
    """The rows of chips that have this layout. ValueError for chips of another one."""
    wanted, labelled = schema(layout), target_columns(layout)
    values = np.stack([chip.values for chip in chips])
    if values.shape[1:] != layout.shape or values.dtype != np.dtype(layout.dtype):
        raise ValueError(f"found chips of {values.shape[1:]} {values.dtype}; expected {layout.shape} {layout.dtype}")
    columns: dict[str, Any] = {
        "values": pa.FixedSizeBinaryArray.from_buffers(
            wanted.field("values").type, len(chips), [None, pa.py_buffer(values)]
        ),
        "valid": [b"" if chip.valid is None else np.packbits(chip.valid).tobytes() for chip in chips],
    }
    for field in wanted:
        column = columns.get(field.name)
        if column is None:
            column = [getattr(chip.labels if field.name in labelled else chip, field.name) for chip in chips]
            if pa.types.is_fixed_size_list(field.type):
                flat = pa.array(np.stack(column).ravel(), field.type.value_type)
                column = pa.FixedSizeListArray.from_arrays(flat, type=field.type)
        columns[field.name] = column if isinstance(column, pa.Array) else pa.array(column, field.type)
    return pa.record_batch([columns[field.name] for field in wanted], wanted)


def write_chips(writer: pa.ipc.RecordBatchFileWriter, layout: Layout, chips: Sequence[Chip]) -> None:
    """Write chips of this layout as a record batch, with the checksums of its columns."""
    batch = record_batch(layout, chips)
    writer.write_batch(batch, custom_metadata=stored_checksums(batch))


class MappedBatch:
    """A record batch read in place: arrays that are views of the mapped file, one row per sample.

    checksums: by column; empty for a shard of an earlier version, in which nothing is checked. place: of the batch in
    its file, for messages. Arrays are to be used after `check`, which `Table` calls.
    """

    def __init__(self, batch: pa.RecordBatch, layout: Layout, checksums: Mapping[str, int], place: str) -> None:
        rows = batch.num_rows
        self.batch = batch
        self._unchecked, self._place, self._lock = dict(checksums), place, threading.Lock()
        self.checked = not checksums
        self.values = _bytes(batch.column("values").buffers()[1]).view(layout.dtype).reshape(rows, *layout.shape)
        _, ends, packed = batch.column("valid").buffers()
        self.valid_ends = np.frombuffer(ends, np.int64)
        self.valid = _bytes(packed) if packed is not None else np.zeros(0, np.uint8)
        self.scale, self.offset, self.extent, self.days = (
            batch.column(name).values.to_numpy().reshape(rows, -1) for name in ("scale", "offset", "extent", "days")
        )
        self.gsd = batch.column("gsd").to_numpy()
        self.targets = None if layout.target is None else mapped_targets(batch.column("target"), layout)

    def check(self, *names: str) -> None:
        """Compare columns, default all, with their checksums, each once. DataError for one that changed on the disk."""
        with self._lock:  # another thread waits until it is known
            for name in names or tuple(self._unchecked):
                if name not in self._unchecked:
                    continue
                if column_checksum(self.batch.column(name)) != self._unchecked[name]:
                    raise DataError(
                        f"{self._place}: found other bytes in the column {name!r} than were written",
                        "the bytes of its checksum",
                        f"The file was damaged or changed. {REPLACE}",
                    )
                del self._unchecked[name]
            self.checked = not self._unchecked

    def all_valid(self, row: int) -> bool:
        """Whether all pixels of a sample within its extent are valid."""
        return bool(self.valid_ends[row] == self.valid_ends[row + 1])

    def packed(self, row: int) -> Shaped[np.ndarray, " byte"]:
        """The valid pixels of a sample, as np.packbits gives them; empty if all within its extent are valid."""
        return self.valid[self.valid_ends[row] : self.valid_ends[row + 1]]


class Table:
    """The file of a shard, mapped into memory and checked against the manifest.

    DataError, naming the file, if it is missing, cut off, not a shard, or has another layout or another count.
    """

    def __init__(self, path: Path, layout: Layout, count: int, size: int) -> None:
        try:
            if path.stat().st_size != size:
                raise DataError(
                    f"{path}: found {path.stat().st_size} bytes",
                    f"{size}, as in manifest.json",
                    f"It is cut off or was changed. {REPLACE}",
                )
            with pa.memory_map(str(path)) as file:
                # closing gives the descriptor back; the mapping lasts as long as a view of it
                reader = pa.ipc.open_file(file)
                metadata = reader.schema.metadata or {}
                stored = metadata.get(LAYOUT)
                found = [reader.get_batch_with_custom_metadata(index) for index in range(reader.num_record_batches)]
            fits = stored is not None and _layout(stored) == layout
            if not fits or reader.schema.names != schema(layout).names:
                raise DataError(f"{path}: found a table of another layout", "the layout in manifest.json")
            self.blocks = [
                MappedBatch(
                    each.batch,
                    layout,
                    read_checksums(metadata, each.custom_metadata),
                    f"{path}, record batch {number} of {len(found)}",
                )
                for number, each in enumerate(found, 1)
            ]
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error})", do=REPLACE) from None
        except (pa.ArrowException, KeyError, TypeError, ValueError, OptionError) as error:
            raise DataError(f"{path}: is not a shard ({error})", do=REPLACE) from None
        self.ends: list[int] = np.cumsum([block.batch.num_rows for block in self.blocks], dtype=np.int64).tolist()
        if len(self) != count:
            raise DataError(f"{path}: found {len(self)} samples", f"{count}, as in manifest.json")

    def __len__(self) -> int:
        return self.ends[-1] if self.ends else 0

    def at(self, row: int) -> tuple[MappedBatch, int]:
        """The batch that holds a row, all of it checked, and the number of the row in the batch."""
        index = bisect.bisect_right(self.ends, row)
        block = self.blocks[index]
        if not block.checked:
            block.check()
        return block, row - (self.ends[index - 1] if index else 0)

    def whole(self, name: str) -> Shaped[np.ndarray, " value"]:
        """The numbers of a column, row after row; a column of lists is flattened."""
        parts = self._checked(name)
        listed = pa.types.is_fixed_size_list(parts[0].type)
        return np.concatenate([(part.values if listed else part).to_numpy() for part in parts])

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of plain values."""
        return pa.chunked_array(self._checked(name))

    def _checked(self, name: str) -> list[pa.Array]:
        """A column of each batch, checked."""
        for block in self.blocks:
            block.check(name)
        return [block.batch.column(name) for block in self.blocks]


def described(path: Path) -> tuple[Layout, LabelsInShard | None, int]:
    """The layout of a shard, what it says of its labels, and the number of its samples. DataError, naming the file, if
    it is none."""
    try:
        with pa.memory_map(str(path)) as file:
            reader = pa.ipc.open_file(file)
            layout = _layout(reader.schema.metadata[LAYOUT])
            stored = json.loads(reader.schema.metadata.get(LABELS, b"null"))
            labels = None if stored is None else from_plain(LabelsInShard, stored, complete=True)
            count = sum(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))
            return layout, labels, count
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError, OptionError, RecursionError) as error:
        raise DataError(f"{path}: is not a shard ({error})", do="Remove it, and run this again") from None


def _layout(stored: bytes) -> Layout:
    return layout_from(json.loads(stored))


def _bytes(buffer: pa.Buffer) -> Shaped[np.ndarray, " byte"]:
    return np.frombuffer(buffer, np.uint8)
