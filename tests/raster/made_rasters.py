"""Rasters for tests, written with rasterio alone, so that our own writer is not its own judge."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

UTM = "EPSG:32618"
PLACE = Affine(10.0, 0.0, 435730.0, 0.0, -10.0, 4179460.0)


def distinct(bands: int, rows: int, columns: int, dtype: str = "uint16") -> np.ndarray:
    """Values that differ between any two bands, rows and columns: one image in all bands cannot show a swap."""
    b, r, c = np.ogrid[:bands, :rows, :columns]
    values = 1000 * (b + 1) + 7 * r + 3 * c + (r * c) % 5
    return (values / 1e4 if dtype.startswith("float") else values).astype(dtype)


def write(path: Path, values: np.ndarray, **how: Any) -> Path:
    """A GeoTIFF of [band, row, column]. Besides rasterio's: names, scales, offsets, tags, mask, alpha (its index)."""
    names, tags, mask = how.pop("names", None), how.pop("tags", {}), how.pop("mask", None)
    alpha = how.pop("alpha", 0)
    scales, offsets = how.pop("scales", None), how.pop("offsets", None)
    count, height, width = values.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": values.dtype}
    profile |= {"crs": UTM, "transform": PLACE} | how
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as dataset:
            if alpha:
                dataset.colorinterp = [ColorInterp.alpha if i + 1 == alpha else ColorInterp.gray for i in range(count)]
            dataset.write(values)
            for index, name in enumerate(names or (), 1):
                if name:
                    dataset.set_band_description(index, name)
            if scales:
                dataset.scales = scales
            if offsets:
                dataset.offsets = offsets
            if mask is not None:
                dataset.write_mask(mask)
            dataset.update_tags(**tags)
    return path
