"""Rasters that are read in one go, like masks: only where their files can hold what they claim."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from rasterio.io import DatasetReader

from spectralgpt.products.header import refuse_absurd
from spectralgpt.products.source_files import source_files
from spectralgpt.raster.handles import open_dataset

ON_OTHER_MACHINES = re.compile(r"/vsi(?!zip/|tar/|gzip/)|\w+://")
"""How the names of files begin that are not on this machine."""


@contextmanager
def opened_whole(path: str) -> Iterator[DatasetReader]:
    """The dataset of a path, for reading it in one go. RasterError as for `open_dataset`, and where its header claims
    more pixels than the file, or for a VRT all files that it is read from, can hold: that would exhaust memory."""
    with open_dataset(path) as dataset:
        if dataset.driver != "VRT":
            refuse_absurd(path, dataset)
        elif not any(map(ON_OTHER_MACHINES.match, dataset.files)):  # which the user allowed, and are of unknown size
            refuse_absurd(path, dataset, tuple(source_files([path]).files))
        yield dataset
