"""Masks: the codes in their files, and the indices of classes that the codes stand for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from affine import Affine
from jaxtyping import Bool, Int16, Int64

from spectralgpt.data.labels.labelled import IGNORED
from spectralgpt.errors import RasterError
from spectralgpt.products.whole import opened_whole
from spectralgpt.raster import Grid
from spectralgpt.raster.grid import applied, composed
from spectralgpt.raster.handles import GDAL_ERRORS

NEAR = 0.1
"""Share of a pixel that a mask may lie beside its image's grid: writers round their transforms."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredMask:
    """The codes in a mask's file, and which are not its nodata; None where all are not."""

    codes: Int64[np.ndarray, "row column"]
    stated: Bool[np.ndarray, "row column"] | None
    grid: Grid

    @classmethod
    def in_memory(cls, codes: Int64[np.ndarray, "row column"]) -> "StoredMask":
        """A mask that is no file: without a place and nodata."""
        return cls(codes, None, Grid(None, Affine.identity(), *codes.shape))

    def counts(self) -> dict[int, int]:
        """Pixels by code, in ascending order."""
        codes = self.codes if self.stated is None else self.codes[self.stated]
        values, counts = np.unique(codes, return_counts=True)
        return dict(zip(values.tolist(), counts.tolist(), strict=True))

    def indices(self, order: Sequence[int]) -> Int16[np.ndarray, "row column"]:
        """Indices of the codes in `order`; IGNORED for other codes and for nodata."""
        result = np.full(self.codes.shape, IGNORED, np.int16)
        if order:
            sorting = np.argsort(np.array(order, np.int64), kind="stable")
            ascending = np.array(order, np.int64)[sorting]
            at = np.minimum(np.searchsorted(ascending, self.codes), len(order) - 1)
            known = ascending[at] == self.codes
            if self.stated is not None:
                known &= self.stated
            result[known] = sorting[at[known]]
        return result


def read_mask(path: str) -> StoredMask:
    """The mask in a file. RasterError unless it has one band of whole numbers of a size that the file can hold, and
    where it cannot be read."""
    with opened_whole(path) as dataset:
        if dataset.driver == "JPEG":
            raise RasterError(
                f"{path}: found a JPEG file", "a mask without loss, like PNG or TIFF, as JPEG compression changes codes"
            )
        if dataset.count != 1:
            raise RasterError(f"{path}: found {dataset.count} bands", "a mask with one band, of the classes' codes")
        try:
            values = dataset.read(1)
        except GDAL_ERRORS as error:
            raise RasterError(
                f"{path}: cannot be read ({error.__cause__ or error})", do="It may be damaged: download it again"
            ) from None
        nodata = dataset.nodatavals[0]
        crs = dataset.crs.to_wkt() if dataset.crs else None
        grid = Grid(crs, dataset.transform, int(dataset.height), int(dataset.width))
    stated = _stated(values, nodata)
    if values.dtype.kind == "f":
        whole = np.where(np.isfinite(values) if stated is None else stated & np.isfinite(values), values, 0)
        if (whole != np.round(whole)).any() or (np.abs(whole) >= 2.0**53).any():
            odd = float(whole[whole != np.round(whole)][:1].sum())
            raise RasterError(f"{path}: found {odd:g} in a mask", "whole numbers, the codes of classes")
        values = whole
    elif values.dtype.kind not in "iu":
        raise RasterError(f"{path}: found a mask of {values.dtype}", "whole numbers, the codes of classes")
    return StoredMask(values.astype(np.int64), stated, grid)


def nodata_of(path: str) -> int | None:
    """The code that a mask's file declares as nodata, and that occurs in it; None without one."""
    with opened_whole(path) as dataset:
        nodata = dataset.nodatavals[0]
        if nodata is None or not float(nodata).is_integer() or not (dataset.read(1) == nodata).any():
            return None
        return int(nodata)


def _stated(values: np.ndarray, nodata: float | int | None) -> Bool[np.ndarray, "row column"] | None:
    """Where a value is neither the nodata that the file declares nor NaN; None where all are not."""
    stated = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
    if nodata is not None:
        stated = stated & (values != nodata)
    return None if stated.all() else stated


def lies_on(mask: Grid, image: Grid) -> bool:
    """Whether a mask has its image's pixels: the same size and, where both have one, the same place."""
    if mask.shape != image.shape:
        return False
    if not (mask.is_placed and image.is_placed):
        return True
    if mask.crs is not None and image.crs is not None and not mask.same_crs(image):
        return False
    back = composed(~image.transform, mask.transform)
    height, width = float(image.height), float(image.width)
    corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
    shifts = [(there[0] - x, there[1] - y) for x, y in corners for there in [applied(back, x, y)]]
    return all(abs(shift) <= NEAR for each in shifts for shift in each)


def on_grid(mask: Int16[np.ndarray, "row column"], own: Grid, wanted: Grid) -> Int16[np.ndarray, "height width"]:
    """The mask at the centres of another grid's pixels, of the same CRS; IGNORED beyond it."""
    if wanted == own:
        return mask
    to_mask = composed(~own.transform, wanted.transform)
    rows, columns = np.meshgrid(np.arange(wanted.height) + 0.5, np.arange(wanted.width) + 0.5, indexing="ij")
    column = np.floor(to_mask.a * columns + to_mask.b * rows + to_mask.c).astype(np.int64)
    row = np.floor(to_mask.d * columns + to_mask.e * rows + to_mask.f).astype(np.int64)
    inside = (row >= 0) & (row < own.height) & (column >= 0) & (column < own.width)
    result = np.full(wanted.shape, IGNORED, np.int16)
    result[inside] = mask[row[inside], column[inside]]
    return result


def without(counts: dict[int, int], ignore: Collection[int]) -> dict[int, int]:
    """The counts of codes that are not ignored."""
    return {code: count for code, count in counts.items() if code not in ignore}
