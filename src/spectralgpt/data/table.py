"""A shard: an Arrow file of samples of one layout, a row each; how it is written, and how it is seen in place.

values   the stored values (date, band, row, column), as bytes; 0 where not valid
valid    np.packbits of what is valid, of the same order; empty when all within the extent is
scale, offset   of each band: reflectance = stored x scale + offset
extent   rows and columns that are image; what lies below and to the right is padding
gsd, days, lon, lat   metres, NaN unknown; since 1970, -1 unknown; of the chip's centre, NaN unknown
place    hash of what is trained on or held back together
image, source   which image of the sources, and the path of its first date
row, column, chips   the chip's first corner in the image, and into how many chips this is cut
"""

import bisect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float64, Int32, Shaped

from spectralgpt.data.layout import Layout
from spectralgpt.data.statistics import BandTotals
from spectralgpt.errors import DataError

LAYOUT = b"layout"
"""Key of the layout, as JSON, in the metadata of a table."""


@dataclass(frozen=True, slots=True, eq=False)
class Chip:
    """A row to be: a sample with where it is from; the fields are the columns, and statistics of it besides."""

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


def schema(layout: Layout) -> pa.Schema:
    """Of the table of a layout, which it carries in its metadata."""
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
    }
    return pa.schema(
        [pa.field(name, kind, nullable=False) for name, kind in columns.items()],
        {LAYOUT: json.dumps(layout.to_dict())},
    )


def record_batch(layout: Layout, chips: Sequence[Chip]) -> pa.RecordBatch:
    """The rows of chips of one layout."""
    wanted = schema(layout)
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
        told = columns.get(field.name)
        if told is None:
            told = [getattr(chip, field.name) for chip in chips]
            if pa.types.is_fixed_size_list(field.type):
                flat = pa.array(np.stack(told).ravel(), field.type.value_type)
                told = pa.FixedSizeListArray.from_arrays(flat, type=field.type)
        columns[field.name] = told if isinstance(told, pa.Array) else pa.array(told, field.type)
    return pa.record_batch([columns[field.name] for field in wanted], wanted)


class Block:
    """A record batch seen in place: arrays that are views of the mapped file, a row a sample."""

    def __init__(self, batch: pa.RecordBatch, layout: Layout) -> None:
        rows = batch.num_rows
        self.batch = batch
        self.values = _bytes(batch.column("values").buffers()[1]).view(layout.dtype).reshape(rows, *layout.shape)
        _, ends, packed = batch.column("valid").buffers()
        self.valid_ends = np.frombuffer(ends, np.int64)
        self.valid = _bytes(packed) if packed is not None else np.zeros(0, np.uint8)
        self.scale, self.offset, self.extent, self.days = (
            batch.column(name).values.to_numpy().reshape(rows, -1) for name in ("scale", "offset", "extent", "days")
        )
        self.gsd = batch.column("gsd").to_numpy()

    def all_valid(self, row: int) -> bool:
        """Whether a sample is valid all over its extent."""
        return bool(self.valid_ends[row] == self.valid_ends[row + 1])

    def packed(self, row: int) -> Shaped[np.ndarray, " byte"]:
        """What of a sample is valid, as np.packbits has it; empty when all within the extent is."""
        return self.valid[self.valid_ends[row] : self.valid_ends[row + 1]]


class Table:
    """A shard's file, mapped into memory and checked against what the manifest says of it.

    DataError, naming the file, when it is missing, cut off, foreign, or of another layout or count.
    """

    def __init__(self, path: Path, layout: Layout, count: int, size: int) -> None:
        try:
            if path.stat().st_size != size:
                raise DataError(
                    f"{path}: found {path.stat().st_size} bytes",
                    f"{size}, as manifest.json says",
                    "It is cut off or was replaced: fetch it again, or remove it and run spectralgpt shard again",
                )
            with pa.memory_map(str(path)) as file:
                # closing gives the descriptor back; the mapping lasts as long as a view of it
                reader = pa.ipc.open_file(file)
                told = (reader.schema.metadata or {}).get(LAYOUT)
                batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
            fits = told is not None and Layout.from_dict(json.loads(told)) == layout
            if not fits or reader.schema.names != schema(layout).names:
                raise DataError(f"{path}: found a table of another layout", "the one that manifest.json says")
            self.blocks = [Block(batch, layout) for batch in batches]
        except OSError as error:
            raise DataError(
                f"{path}: found no file that can be read ({error.strerror or error})",
                "a shard",
                "Fetch it again, or remove it and run spectralgpt shard again",
            ) from None
        except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}: found a file that is no shard ({error})", "an Arrow file") from None
        self.ends: list[int] = np.cumsum([batch.num_rows for batch in batches], dtype=np.int64).tolist()
        if len(self) != count:
            raise DataError(f"{path}: found {len(self)} samples", f"{count}, as manifest.json says")

    def __len__(self) -> int:
        return self.ends[-1] if self.ends else 0

    def at(self, row: int) -> tuple[Block, int]:
        """The block that holds a row, and the row within it."""
        index = bisect.bisect_right(self.ends, row)
        return self.blocks[index], row - (self.ends[index - 1] if index else 0)

    def whole(self, name: str) -> Shaped[np.ndarray, " value"]:
        """A column of numbers, or of as many numbers in each row, one row's after the other's."""
        parts = [block.batch.column(name) for block in self.blocks]
        listed = pa.types.is_fixed_size_list(parts[0].type)
        return np.concatenate([(part.values if listed else part).to_numpy() for part in parts])

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of plain values."""
        return pa.chunked_array([block.batch.column(name) for block in self.blocks])


def layout_of(path: Path) -> tuple[Layout, int]:
    """The layout that a shard carries, and how many samples it holds. DataError, naming the file, when it is none."""
    try:
        with pa.memory_map(str(path)) as file:
            reader = pa.ipc.open_file(file)
            layout = Layout.from_dict(json.loads(reader.schema.metadata[LAYOUT]))
            return layout, sum(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: found a file that is no shard ({error})", "an Arrow file", "Remove it, and run this again"
        ) from None


def _bytes(buffer: pa.Buffer) -> Shaped[np.ndarray, " byte"]:
    return np.frombuffer(buffer, np.uint8)
