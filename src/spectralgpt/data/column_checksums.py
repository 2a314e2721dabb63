"""Checksums of the columns of a record batch, stored with it: a value that changed on the disk is not trained on.

A CRC-32 of all bytes takes several times as long as copying them, so words are folded first: the exclusive or of every
4,099th 64-bit word, then the CRC-32 of those 4,099. Any damage within 32 KiB changes the folded words; wider damage
leaves the same checksum by chance only, one time in 2^32. 4,099 is prime, so pages that changed places are found, too.
"""

import json
import zlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

FOLDED = 4099
"""64-bit words that a buffer is folded to."""

CHECKSUMS = b"checksums"
"""Key of the checksums in the metadata of a record batch, JSON by column; and of their kind in those of a table."""

CHECKSUM_KIND = "xor-4099 crc-32"
"""The kind, in the metadata of a table: a batch without checksums is then damaged."""


def stored_checksums(batch: pa.RecordBatch) -> dict[bytes, bytes]:
    """The metadata of a record batch: the checksum of each column."""
    found = {name: column_checksum(batch.column(name)) for name in batch.schema.names}
    return {CHECKSUMS: json.dumps(found).encode()}


def read_checksums(table: Mapping[bytes, bytes], batch: Mapping[bytes, bytes] | None) -> dict[str, int]:
    """The checksum of each column that `stored_checksums` wrote; empty for a table of an earlier version. ValueError or
    KeyError for checksums that are missing, or of another kind. table, batch: their metadata."""
    if CHECKSUMS not in table:
        return {}
    if table[CHECKSUMS] != CHECKSUM_KIND.encode():
        raise ValueError(f"checksums of the kind {table[CHECKSUMS]!r}, not {CHECKSUM_KIND}")
    content = json.loads((batch or {})[CHECKSUMS])
    if not isinstance(content, dict) or not all(type(each) is int for each in content.values()):
        raise ValueError("no checksums")
    return content


def column_checksum(column: pa.Array) -> int:
    """The checksum of a whole column as it lies in memory: of its buffers, in order."""
    found = 0
    for buffer in column.buffers():
        if buffer is not None and buffer.size:
            found = zlib.crc32(folded(np.frombuffer(buffer, np.uint8)), found)
    return found


def folded(content: UInt8[np.ndarray, " byte"]) -> bytes:
    """The exclusive or of the rows of 4,099 words, then what is left over."""
    row = 8 * FOLDED
    rows = len(content) // row
    if not rows:
        return content.tobytes()
    whole = np.bitwise_xor.reduce(content[: rows * row].view(np.uint64).reshape(rows, FOLDED), axis=0)
    both: bytes = whole.tobytes() + content[rows * row :].tobytes()
    return both
