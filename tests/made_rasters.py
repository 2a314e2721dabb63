"""Rasters for tests, written with rasterio alone, so that our own writer is not its own judge."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning

UTM = "EPSG:32618"
NAMES = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B10", "B11", "B12")
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


def land(rows: int, columns: int, seed: int = 0, bands: int = 13) -> np.ndarray:
    """Stored values like a Sentinel-2 scene's; every band, row and column differs."""
    rng = np.random.default_rng(seed)
    r, c = np.mgrid[:rows, :columns]
    relief = 1500 + 900 * np.sin(r / 23) * np.cos(c / 31) + rng.normal(0, 30, (rows, columns))
    levels = np.linspace(0.6, 1.6, bands)[:, None, None]
    return np.clip(relief * levels + 5 * np.arange(bands)[:, None, None], 1, 12000).astype(np.uint16)


def listing(folder: Path) -> Sequence[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
