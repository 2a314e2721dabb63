"""Made folders in the layouts of labelled data sets, and how a test reads their masks and bands without our readers."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from made_rasters import PLACE, land, write
from rasterio.errors import NotGeoreferencedWarning

from spectralgpt.data.file_labels import FileLabels, FileSample
from spectralgpt.data.image_source import ImageSource
from spectralgpt.products import open_raster
from spectralgpt.raster import Readable

GSD_OF_BAND = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 20),
    **dict.fromkeys(("B01", "B09", "B10"), 60),
}


def opened(image: ImageSource, bands: str | None = None) -> Readable:
    """The image as a labelled data set opens it, or some of its bands."""
    return open_raster(image.opened(0), bands=bands or image.bands)


def file_of(folder: Path, band: str) -> np.ndarray:
    """A band's file, as rasterio reads it."""
    (path,) = (each for each in folder.iterdir() if each.stem.endswith(band))
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def stored(mask: str | Path) -> np.ndarray:
    """The codes in a mask, which needs no georeference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(mask) as dataset:
            return dataset.read(1)


def native_bands(folder: Path, rows: int, columns: int, seed: int = 0, prefix: str = "", without: tuple = ()) -> Path:
    """Single-band files at 10, 20 and 60 m of one ground; rows and columns of 10 m."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, (band, gsd) in enumerate(GSD_OF_BAND.items()):
        if band not in without:
            factor = gsd // 10
            values = land(-(-rows // factor), -(-columns // factor), seed + index, 1)
            transform = PLACE @ Affine.scale(factor) if hasattr(Affine, "__matmul__") else PLACE * Affine.scale(factor)
            write(folder / f"{prefix}{band}.tif", values, transform=transform)
    return folder


def changed(labels: FileLabels, sample: FileSample) -> np.ndarray:
    """Where a mask of a change says so, by the sample's codes, else the set's."""
    mask = stored(sample.mask)
    no, yes = sample.codes or labels.codes
    assert set(np.unique(mask)) <= {no, yes}
    return mask == yes


def by_name(labels: FileLabels) -> Mapping[str, FileSample]:
    return {sample.name: sample for sample in labels.samples}
