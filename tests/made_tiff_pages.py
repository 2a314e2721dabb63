"""TIFF files as `tifffile` writes arrays (row, column, band): one page (column, band) per row."""

import json
import struct
from pathlib import Path

import numpy as np

SAMPLE_FORMAT = {"u": 1, "i": 2, "f": 3}


def write_pages(path: Path, values: np.ndarray, order: str = "<", gap: int = 0) -> Path:
    """Uncompressed pages one after the other, each `gap` bytes after the last, their directories behind them, and the
    shape in the first page's description."""
    stored = values.astype(values.dtype.newbyteorder(order))
    pages = [page.tobytes() for page in stored]
    description = json.dumps({"shape": list(values.shape)}).encode() + b"\0"
    start = 8 + len(description) + len(description) % 2
    size = len(pages[0]) + gap
    body = description.ljust(start - 8, b"\0") + b"".join(page + bytes(gap) for page in pages)
    file = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start + size * len(pages)) + body
    for number in range(len(pages)):
        entries = _entries(values, start + number * size, len(description) if number == 0 else 0)
        file += struct.pack(f"{order}H", len(entries))
        for tag, kind, count, value in entries:
            packed = struct.pack(f"{order}H2x" if kind == 3 else f"{order}I", value)
            file += struct.pack(f"{order}HHI", tag, kind, count) + packed
        last = number == len(pages) - 1
        file += struct.pack(f"{order}I", 0 if last else len(file) + 4)
    path.write_bytes(file)
    return path


def _entries(values: np.ndarray, offset: int, description: int) -> list[tuple[int, int, int, int]]:
    """Tag, field type, count, value of a page's directory."""
    _, columns, bands = values.shape
    item = values.dtype.itemsize
    said = [(270, 2, description, 8)] if description else []
    return [
        (256, 4, 1, bands),
        (257, 4, 1, columns),
        (258, 3, 1, 8 * item),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        *said,
        (273, 4, 1, offset),
        (277, 3, 1, 1),
        (278, 4, 1, columns),
        (279, 4, 1, columns * bands * item),
        (339, 3, 1, SAMPLE_FORMAT[values.dtype.kind]),
    ]
