"""Cutting images and masks of real data, and which of them are one place."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from spectralgpt.raster.grid import composed

METRES_PER_DEGREE = 111_320
ONE_PLACE = 1000.0
"""Metres between the edges of images below which they are one place, never in two parts of a split."""

# -- rasters -----------------------------------------------------------------------------------------------------------


def patches(shape: tuple[int, ...], side: int) -> Iterator[Window]:
    """As many squares as fit, side by side, in the middle of an image; at least one, which may reach beyond it."""
    counts = [max(1, size // side) for size in shape]
    first = [(size - count * side) // 2 for size, count in zip(shape, counts, strict=True)]
    for row in range(counts[0]):
        for column in range(counts[1]):
            yield Window(first[1] + column * side, first[0] + row * side, side, side)


def clipped(window: Window, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Slices of the part of a window that lies in the image."""
    return (
        slice(max(0, window.row_off), min(shape[0], window.row_off + window.height)),
        slice(max(0, window.col_off), min(shape[1], window.col_off + window.width)),
    )


def cut(
    source: Path, target: Path, window: Window, names: Callable[[str | None], str | None] = lambda name: name
) -> None:
    """Write a window of a raster with its CRS, transform, band names, scales, nodata and tags; beyond the raster it is
    nodata."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(source) as dataset:
        rows, columns = clipped(window, dataset.shape)
        found = dataset.read(window=Window.from_slices(rows, columns))
        values = found
        if found.shape[1:] != (window.height, window.width):
            if dataset.nodata is None:
                raise ValueError(f"{source}: the window reaches beyond it, and it has no nodata")
            # not a boundless read: with affine 3, rasterio 1.5 warns of its own `*`
            values = np.full((dataset.count, window.height, window.width), dataset.nodata, found.dtype)
            first = rows.start - window.row_off, columns.start - window.col_off
            values[:, first[0] : first[0] + found.shape[1], first[1] : first[1] + found.shape[2]] = found
        profile = dataset.profile | {
            "width": window.width,
            "height": window.height,
            # not window_transform: with affine 3 it warns of its own `*`
            "transform": composed(dataset.transform, Affine.translation(window.col_off, window.row_off)),
            "predictor": 2,
        }
        for key in ("blockxsize", "blockysize", "tiled"):
            profile.pop(key, None)
        with rasterio.open(target, "w", **profile) as written:
            written.write(values)
            written.update_tags(**dataset.tags())
            written.scales, written.offsets = dataset.scales, dataset.offsets
            for index, name in enumerate(dataset.descriptions, 1):
                if name is not None:
                    written.set_band_description(index, names(name))


def first_word(name: str | None) -> str | None:
    """`B1` of `B1 blue`."""
    return name and name.split()[0]


def read_codes(path: Path) -> np.ndarray:
    """The codes of a mask, whatever its nodata."""
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def write_codes(target: Path, codes: np.ndarray, image: Path) -> None:
    """Write a mask with the CRS and transform of its image, without nodata."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(image) as dataset:
        place = {"crs": dataset.crs, "transform": dataset.transform}
        assert dataset.shape == codes.shape, f"{image}: {dataset.shape} pixels, its mask has {codes.shape}"
    shape = {"height": codes.shape[0], "width": codes.shape[1], "count": 1, "dtype": codes.dtype}
    with rasterio.open(target, "w", driver="GTiff", compress="deflate", **shape, **place) as written:
        written.write(codes, 1)


def counted_codes(codes: np.ndarray, classes: Mapping[str, str]) -> Counter[str]:
    """Pixels per class."""
    return Counter({name: int((codes == int(code)).sum()) for code, name in classes.items()})


# -- places ------------------------------------------------------------------------------------------------------------

Ground = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


def ground_of(path: Path) -> Ground:
    with rasterio.open(path) as dataset:
        return transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)


def metres_apart(one: Ground, other: Ground) -> float:
    """Metres between the nearest edges of two small rectangles; 0 where they overlap."""
    east = max(0.0, one[0] - other[2], other[0] - one[2])
    north = max(0.0, one[1] - other[3], other[1] - one[3])
    return METRES_PER_DEGREE * math.hypot(north, east * math.cos(math.radians((one[1] + other[1]) / 2)))


def linked(grounds: Sequence[Ground], name: str, apart: float = ONE_PLACE) -> list[str]:
    """A group per image: images less than `apart` metres from each other, however indirectly, share one."""
    owner = list(range(len(grounds)))
    for one, other in combinations(range(len(grounds)), 2):
        if metres_apart(grounds[one], grounds[other]) < apart:
            first, last = sorted((owner[one], owner[other]))
            owner = [first if each == last else each for each in owner]
    return [f"{name}_{each:03d}" for each in owner]
