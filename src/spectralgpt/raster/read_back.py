"""A raster that was written, read again: GDAL may close a file that a full disk cut off without an error."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from jaxtyping import Shaped
from rasterio.windows import Window as RasterioWindow

from spectralgpt.raster.handles import GDAL_ERRORS


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """Rows as they were given to be written: the first, their number, and the CRC-32 of their values."""

    first: int
    count: int
    checksum: int

    @classmethod
    def of(cls, first: int, values: Shaped[np.ndarray, "band row column"]) -> "WrittenRows":
        return cls(first, values.shape[1], zlib.crc32(np.ascontiguousarray(values).data))


def refuse_unlike(path: Path, rows: Sequence[WrittenRows]) -> None:
    """OSError where the file does not give back the rows that were written, or has an overview that cannot be read.

    In memory are the rows that were written at a time.
    """
    try:
        with rasterio.open(path, num_threads="all_cpus") as dataset:
            levels, width = dataset.overviews(1), dataset.width
            for each in rows:
                found = dataset.read(window=RasterioWindow(0, each.first, width, each.count))
                if WrittenRows.of(each.first, found) != each:
                    raise OSError("what was written is not what is read back")
        for level in range(len(levels)):
            with rasterio.open(path, overview_level=level, num_threads="all_cpus") as overview:
                for _, window in overview.block_windows(1):
                    overview.read(window=window)
    except GDAL_ERRORS as error:
        raise OSError(f"what was written cannot be read back: {error}") from error
