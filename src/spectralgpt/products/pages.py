"""Arrays (row, column, band) that `tifffile` writes as one page per row, which GDAL takes for as many images."""

import json
import math
import os
from typing import Any

import numpy as np
from jaxtyping import Shaped
from rasterio.io import DatasetReader

from spectralgpt.errors import RasterError
from spectralgpt.products.header import refuse_absurd
from spectralgpt.raster.handles import GDAL_ERRORS, open_dataset


def page_shape(path: str) -> tuple[int, int, int] | None:
    """Rows, columns and bands of such a file; None for any other image. RasterError when it cannot be opened."""
    with open_dataset(path) as dataset:
        return _shape(dataset)


def read_pages(path: str) -> Shaped[np.ndarray, "row column band"]:
    """The array of such a file. RasterError for any other.

    Pages that lie one after the other without compression, as `tifffile` writes them, are read in one piece: through
    GDAL, which searches each page from the start of the file, 128 pages take 100 ms.
    """
    with open_dataset(path) as dataset:
        shape = _shape(dataset)
        if shape is None:
            raise RasterError(
                f"{path}: found an image without `shape`", "an array that tifffile wrote as pages of rows"
            )
        refuse_absurd(path, dataset)
        dtype, first, compressed = np.dtype(dataset.dtypes[0]), _offset(dataset), dataset.compression is not None
    try:
        with open_dataset(f"GTIFF_DIR:{shape[0]}:{path}") as last:
            distance = (shape[0] - 1) * shape[1] * shape[2] * dtype.itemsize
            if first is not None and not compressed and _offset(last) == first + distance:
                return _in_one_piece(path, dtype, first, shape)
        return _page_by_page(path, shape[0])
    except (OSError, ValueError, *GDAL_ERRORS) as error:
        raise RasterError(f"{path}: cannot be read ({error})", do="Download it again") from error


def _shape(dataset: DatasetReader) -> tuple[int, int, int] | None:
    """The shape in tifffile's description, if the pages are rows of it."""
    try:
        shape = json.loads(dataset.tags().get("TIFFTAG_IMAGEDESCRIPTION", ""))["shape"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    rows, columns, bands = shape if isinstance(shape, list) and len(shape) == 3 else (0, 0, 0)
    pages = len(dataset.subdatasets) or 1
    return (rows, columns, bands) if (pages, *dataset.shape) == (rows, columns, bands) else None


def _offset(dataset: DatasetReader) -> int | None:
    """Where the only block of a page begins in the file; None where it has several."""
    if dataset.block_shapes[0] != dataset.shape:
        return None
    offset = dataset.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", 1)
    return None if offset is None else int(offset)


def _in_one_piece(path: str, dtype: np.dtype[Any], start: int, shape: tuple[int, int, int]) -> np.ndarray:
    with open(path, "rb") as file:
        stored = dtype.newbyteorder("<" if file.read(2) == b"II" else ">")
        file.seek(start, os.SEEK_SET)
        return np.fromfile(file, stored, math.prod(shape)).reshape(shape).astype(dtype, copy=False)


def _page_by_page(path: str, count: int) -> np.ndarray:
    pages = []
    for number in range(1, count + 1):
        with open_dataset(f"GTIFF_DIR:{number}:{path}") as page:
            refuse_absurd(path, page)
            pages.append(page.read(1))
    return np.stack(pages)
