"""Values of one grid at the places of another, by georeference.

Every pixel is worked out from its own row and column on the target grid alone, so that a window holds the same bits as
the whole: a warper that approximates per chunk, or rounds relative to one, would not keep that.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from spectralgpt.errors import RasterError
from spectralgpt.raster.grid import Grid, composed
from spectralgpt.raster.handles import GDAL_ERRORS
from spectralgpt.raster.window import Window

SNAP = 1e-6
"""Pixels. Nearer to a pixel's centre is on it: transforms are rounded, and no bilinear weight that small shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the pixel centres of a window lie on another grid: row and column there, 0.5 in the first pixel's centre.

    Both broadcast to (row, column) of the window; along the axes of one CRS they are a column and a row.
    """

    rows: Float64[np.ndarray, "#row #column"]
    columns: Float64[np.ndarray, "#row #column"]
    source: Grid

    def covered(self) -> Bool[np.ndarray, "row column"]:
        """Whether a pixel's centre lies on the source at all."""
        rows = (self.rows >= 0) & (self.rows < self.source.height)
        return np.asarray(rows & (self.columns >= 0) & (self.columns < self.source.width))

    def taps(self) -> Window | None:
        """The source pixels that bilinear interpolation needs; None where nothing is covered."""
        covered = self.covered()
        if not covered.any():
            return None
        low, high = [], []
        for values, size in ((self.rows, self.source.height), (self.columns, self.source.width)):
            inside = np.broadcast_to(values, covered.shape)[covered]
            low.append(max(0, int(np.floor(inside.min() - 0.5))))
            high.append(min(size, int(np.floor(inside.max() - 0.5)) + 2))
        return Window(low[0], low[1], high[0] - low[0], high[1] - low[1])


def places(target: Grid, window: Window, source: Grid) -> Places:
    """Where the pixels of a window of the target lie on the source; not finite where the CRS cannot tell."""
    rows = np.arange(window.row, window.end_row, dtype=np.float64)[:, None] + 0.5
    columns = np.arange(window.column, window.end_column, dtype=np.float64)[None, :] + 0.5
    if target.same_crs(source):
        to_source = composed(~source.transform, target.transform)
        if to_source.b == 0 and to_source.d == 0:
            found = to_source.e * rows + to_source.f, to_source.a * columns + to_source.c
        else:
            found = (
                to_source.d * columns + to_source.e * rows + to_source.f,
                to_source.a * columns + to_source.b * rows + to_source.c,
            )
    else:
        found = _through_crs(target, rows, columns, source)
    return Places(_snapped(found[0]), _snapped(found[1]), source)


def _through_crs(
    target: Grid, rows: Float64[np.ndarray, "row 1"], columns: Float64[np.ndarray, "1 column"], source: Grid
) -> tuple[Float64[np.ndarray, "row column"], Float64[np.ndarray, "row column"]]:
    forth, back = target.transform, ~source.transform
    x = forth.a * columns + forth.b * rows + forth.c
    y = forth.d * columns + forth.e * rows + forth.f
    try:
        there = to_crs(CRS.from_wkt(target.crs), CRS.from_wkt(source.crs), x.ravel(), y.ravel())
    except GDAL_ERRORS as error:
        raise RasterError(
            f"found two CRS of which none leads to the other ({error}); expected images that both lie on Earth."
        ) from error
    u, v = (np.asarray(values, np.float64).reshape(x.shape) for values in there[:2])
    with np.errstate(invalid="ignore"):  # infinity where the projection has no place
        return back.d * u + back.e * v + back.f, back.a * u + back.b * v + back.c


def _snapped(values: Float64[np.ndarray, "#row #column"]) -> Float64[np.ndarray, "#row #column"]:
    with np.errstate(invalid="ignore"):
        centre = np.floor(values) + 0.5
        return np.asarray(np.where(np.abs(values - centre) < SNAP, centre, values))


def nearest(
    values: Bool[np.ndarray, "band sourcerow sourcecolumn"], at: Places, origin: Window
) -> Bool[np.ndarray, "band row column"]:
    """The mask of the pixel in which each place lies; false where there is none. origin: what of the source is read."""
    rows = _index(at.rows, origin.row, origin.height)
    columns = _index(at.columns, origin.column, origin.width)
    return np.asarray(values[:, rows, columns] & at.covered())


def bilinear(
    values: Shaped[np.ndarray, "band sourcerow sourcecolumn"],
    valid: Bool[np.ndarray, "band sourcerow sourcecolumn"] | None,
    at: Places,
    origin: Window,
) -> Shaped[np.ndarray, "band row column"]:
    """The mean of the four pixels around each place, by nearness, over the valid ones; integers rounded.

    Beyond the outermost centres the outermost pixels hold. Junk where no pixel around is valid.
    """
    across, down = _pair(at.columns, origin.column, origin.width), _pair(at.rows, origin.row, origin.height)
    shape = (len(values), *np.broadcast_shapes(at.rows.shape, at.columns.shape))
    total, weights = np.zeros(shape), np.zeros(shape)
    for rows, by_row in down:
        for columns, by_column in across:
            weight = by_row * by_column
            if valid is None:
                total += weight * values[:, rows, columns]
            else:
                true = valid[:, rows, columns]
                # where, not a product: 0 * NaN under an invalid pixel is NaN
                total += np.where(true, weight * np.where(true, values[:, rows, columns], 0), 0.0)
                weights += np.where(true, weight, 0.0)
    if valid is not None:
        total /= np.where(weights > 0, weights, 1.0)
    return np.asarray(total if values.dtype.kind == "f" else np.rint(total)).astype(values.dtype)


def _index(at: Float64[np.ndarray, "#row #column"], first: int, count: int) -> Int64[np.ndarray, "#row #column"]:
    """The pixel in which a place lies, counted from the first that is read; the outermost where there is none."""
    return np.asarray(np.clip(np.floor(_finite(at)) - first, 0, count - 1), dtype=np.int64)


def _pair(
    at: Float64[np.ndarray, "#row #column"], first: int, count: int
) -> list[tuple[Int64[np.ndarray, "#row #column"], Float[np.ndarray, "#row #column"]]]:
    """Along one axis the pixels before and after a place, and how much each counts."""
    before = np.floor(_finite(at) - 0.5)
    share = _finite(at) - 0.5 - before
    return [
        (np.asarray(np.clip(before + step - first, 0, count - 1), dtype=np.int64), weight)
        for step, weight in ((0, 1 - share), (1, share))
    ]


def _finite(at: Float64[np.ndarray, "#row #column"]) -> Float64[np.ndarray, "#row #column"]:
    return np.where(np.isfinite(at), at, 0.0)
