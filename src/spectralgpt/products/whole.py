"""Rasters that are read in one go, like masks: only where their files can hold what they claim."""

from collections.abc import Iterator
from contextlib import contextmanager

from rasterio.io import DatasetReader

from spectralgpt.products.header import refuse_absurd
from spectralgpt.products.source_files import source_files
from spectralgpt.raster.handles import open_dataset
from spectralgpt.raster.trusted import is_remote


@contextmanager
def opened_whole(path: str) -> Iterator[DatasetReader]:
    """The dataset of a path, for reading it in one go. RasterError as for `open_dataset`, and where its header claims
    more pixels than the file, or for a VRT all files that it is read from, can hold: that would exhaust memory."""
    with open_dataset(path) as dataset:
        if dataset.driver != "VRT":
            refuse_absurd(path, dataset)
        elif not any(map(is_remote, dataset.files)):  # which the user allowed, and are of unknown size
            refuse_absurd(path, dataset, tuple(source_files([path]).files))
        yield dataset
