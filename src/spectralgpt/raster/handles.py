"""Open datasets, each lent to one thread at a time, as GDAL handles must not be shared."""

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rasterio._err import CPLE_BaseError
from rasterio.errors import CRSError, NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from spectralgpt.disk import PULL, is_lfs_pointer
from spectralgpt.errors import RasterError
from spectralgpt.raster.trusted import open_trusted, reopened

GDAL_ERRORS = (RasterioError, CRSError, CPLE_BaseError, UnicodeDecodeError)
"""What rasterio raises when GDAL refuses: mostly its own errors, in some places GDAL's, and Python's for text of a
header that is not UTF-8, which GDAL hands on as it is."""

TABLES = (".csv", ".tsv", ".parquet", ".xlsx")

VECTOR_DATA = (".geojson", ".gpkg", ".shp", ".kml", ".gml")
"""Endings of files that users take for images now and then."""

os.environ.setdefault("GDAL_CACHEMAX", "192")
"""MB of blocks that GDAL caches. Its default is 5 % of the machine's memory, which a large scene fills in vain; a row
of windows of a Sentinel-2 tile lies in 138 MB (12 bands of 16 bits in tiles of 512 pixels)."""

_quiet = threading.RLock()


@contextmanager
def without_georeference_warning() -> Iterator[None]:
    """Images without georeference are welcome here; the filters belong to the process, hence one thread at a time."""
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def open_dataset(path: str) -> DatasetReader:
    """The dataset of a path; RasterError, with GDAL's reason, when it is not an image, and for what makes GDAL read
    other files or the network (`raster.trusted`)."""
    return _opened(path, open_trusted)


def _opened(path: str, opening: Callable[[str], DatasetReader]) -> DatasetReader:
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="replace").decode()
        raise RasterError(f"{shown}: found a name that is not UTF-8", "one in UTF-8", "Rename the file") from None
    try:
        with without_georeference_warning():
            return opening(path)
    except GDAL_ERRORS as error:
        if is_lfs_pointer(path):
            raise RasterError(f"{path}: is a pointer of Git LFS, not the image itself", do=PULL) from None
        ending = os.path.splitext(path)[1].lower()
        if ending in TABLES:
            raise RasterError(
                f"{path}: found a table",
                "a raster such as a GeoTIFF",
                "Tables of images are for the verbs `probe`, `evaluate` and `shard`, and for `embed` with a table as "
                "its target",
            ) from None
        if ending in VECTOR_DATA:
            raise RasterError(f"{path}: found vector data", "a raster such as a GeoTIFF") from None
        raise RasterError(
            f"{path}: cannot be opened as an image ({error})", do="Give a raster such as a GeoTIFF"
        ) from error


class Handles:
    """Datasets by path, lent to one thread at a time; a copy in another process, forked or unpickled, starts with none.

    What was given back last is lent first, to whatever thread: GDAL keeps what it has unpacked per dataset.
    """

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._free: dict[str, list[DatasetReader]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._start()

    @contextmanager
    def lent(self, path: str) -> Iterator[DatasetReader]:
        """A dataset of a path of an image that was read before (`open_dataset`), opened where none is free."""
        if self._process != os.getpid():
            self._start()  # closing the parent's handles here would close them for the parent, too
        with self._lock:
            free = self._free
            waiting = free.setdefault(path, [])
            dataset = waiting.pop() if waiting else None
        if dataset is None:
            dataset = _opened(path, reopened)
        try:
            yield dataset
        finally:
            with self._lock:
                closed_meanwhile = free is not self._free
                if not closed_meanwhile:
                    waiting.append(dataset)
            if closed_meanwhile:
                dataset.close()

    def close(self) -> None:
        """Close the datasets, those that are lent when they are given back: GDAL ends the process of a reader whose
        dataset is closed meanwhile. Later use opens them again."""
        if self._process == os.getpid():
            with self._lock:
                free, self._free = self._free, {}
            for waiting in free.values():
                for dataset in waiting:
                    dataset.close()
