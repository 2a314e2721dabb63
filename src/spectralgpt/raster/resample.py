"""Values of one grid at the places of another, by georeference.

A pixel is the mean of the source under a box along the source's axes. Where the pixel is coarser than the source's, the
box is the pixel, from its first corner to the opposite one; else it is one source pixel wide, which is bilinear
interpolation. Each axis is treated separately.

Every pixel is computed from its own row and column on the target grid alone, in a fixed order of additions, so that a
window has the same bits as the whole. A warper that approximates per chunk, or rounds relative to one, would break
this.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped
from rasterio.crs import CRS
from rasterio.warp import transform as to_crs

from spectralgpt.errors import RasterError
from spectralgpt.raster.grid import Grid, composed
from spectralgpt.raster.handles import GDAL_ERRORS
from spectralgpt.raster.window import Window

SNAP = 1e-6
"""Source pixels. A place nearer to a pixel's edge is on it: transforms are rounded, and no such weight shows."""

COARSER = 1.05
"""Source pixels. A coarser pixel is wider than this: the same pixels in another CRS are stretched by less."""

OUTSIDE = -1.0
"""Source pixels. The position of a place that does not exist in the source's CRS."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """Along one axis of a source: the source pixels of which a pixel is the mean, and their weights.

    All broadcast to (row, column) of the window: within one CRS they are a column or a row. index counts from the
    source's first pixel. total: the sum of the weights. judges: the source pixels of which one must be valid: the
    nearest or, for a coarser pixel, any under it. inside: whether the pixel's centre or, for a coarser pixel, any part
    of it lies on the source.
    """

    index: Int64[np.ndarray, "tap #row #column"]
    weight: Float64[np.ndarray, "tap #row #column"]
    total: Float64[np.ndarray, "#row #column"]
    judges: Int64[np.ndarray, "judge #row #column"]
    inside: Bool[np.ndarray, "#row #column"]


@dataclass(frozen=True, slots=True, eq=False)
class SourcePlaces:
    """What the pixels of a window are computed from on another grid.

    taps: the source pixels that are needed, None when no pixel is covered.
    """

    rows: Axis
    columns: Axis
    taps: Window | None

    @property
    def are_aligned(self) -> bool:
        """Whether rows lie along the source's rows: then one axis is computed after the other."""
        return bool(self.rows.index.shape[2] == 1 == self.columns.index.shape[1])

    @property
    def are_all_covered(self) -> bool:
        return bool(self.rows.inside.all() and self.columns.inside.all())

    def covered(self) -> Bool[np.ndarray, "row column"]:
        """Whether a pixel lies on the source."""
        return np.asarray(self.rows.inside & self.columns.inside)


@lru_cache(maxsize=4)  # the bands of a read lie on few grids
def places(target: Grid, window: Window, source: Grid) -> SourcePlaces:
    """Where the pixels of a window of the target lie on the source."""
    locate = _to_source(target, source)
    rows = np.arange(window.row, window.end_row, dtype=np.float64)[:, None]
    columns = np.arange(window.column, window.end_column, dtype=np.float64)[None, :]
    middle = np.full((1, 1), target.height // 2, np.float64), np.full((1, 1), target.width // 2, np.float64)
    # at the grid's middle, not per window or pixel: one rule for the whole image
    ends = zip(locate(*middle), locate(middle[0] + 1, middle[1] + 1), strict=True)
    coarser = [bool(abs(float(last.item()) - float(first.item())) > COARSER) for first, last in ends]
    centres = locate(rows + 0.5, columns + 0.5)
    firsts, lasts = (locate(rows, columns), locate(rows + 1, columns + 1)) if any(coarser) else (centres, centres)
    of_rows, of_columns = (
        _box(centres[axis], firsts[axis], lasts[axis], size) if coarser[axis] else _between(centres[axis], size)
        for axis, size in enumerate(source.shape)
    )
    return SourcePlaces(of_rows, of_columns, _taps(of_rows, of_columns))


def _taps(rows: Axis, columns: Axis) -> Window | None:
    """The source pixels needed for the places that lie on the source."""
    covered = np.asarray(rows.inside & columns.inside)
    if not covered.any():
        return None
    low: list[int] = []
    high: list[int] = []
    for axis in (rows, columns):
        # along an aligned axis one column or row is enough
        here = axis.inside if axis.inside.size < covered.size else covered
        first, last = (np.broadcast_to(index, here.shape)[here] for index in (axis.index[0], axis.index[-1]))
        low.append(int(first.min()))
        high.append(int(last.max()) + 1)
    return Window(low[0], low[1], high[0] - low[0], high[1] - low[1])


Locate = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _to_source(target: Grid, source: Grid) -> Locate:
    """A function from rows and columns on the target to those on the source, not finite where there are none."""
    if not target.same_crs(source):
        return lambda rows, columns: _through_crs(target, rows, columns, source)
    to = composed(~source.transform, target.transform)
    if to.b == 0 == to.d:
        return lambda rows, columns: (to.e * rows + to.f, to.a * columns + to.c)
    return lambda rows, columns: (to.d * columns + to.e * rows + to.f, to.a * columns + to.b * rows + to.c)


def _through_crs(
    target: Grid, rows: Float64[np.ndarray, "row 1"], columns: Float64[np.ndarray, "1 column"], source: Grid
) -> tuple[Float64[np.ndarray, "row column"], Float64[np.ndarray, "row column"]]:
    if target.crs is None or source.crs is None:
        raise RasterError("found two files of which only one has a CRS", "a CRS in both, or in neither")
    forth, back = target.transform, ~source.transform
    x = forth.a * columns + forth.b * rows + forth.c
    y = forth.d * columns + forth.e * rows + forth.f
    try:
        there = to_crs(CRS.from_wkt(target.crs), CRS.from_wkt(source.crs), x.ravel(), y.ravel())
    except GDAL_ERRORS as error:
        raise RasterError(
            f"found two CRS without a transformation between them ({error})", "images that both lie on Earth"
        ) from error
    u, v = (np.asarray(values, np.float64).reshape(x.shape) for values in there[:2])
    with np.errstate(invalid="ignore"):  # infinity outside the projection
        return back.d * u + back.e * v + back.f, back.a * u + back.b * v + back.c


def _between(centre: Float64[np.ndarray, "#row #column"], size: int) -> Axis:
    """The pixels before and after a place; beyond the outermost centres, the outermost pixel."""
    at = _known(centre, size)
    nearest = np.floor(at + SNAP)
    weighed = _weighed(at - 0.5, at + 0.5, size)
    judges = np.clip(nearest, 0, size - 1).astype(np.int64)[None]
    return Axis(*weighed, judges=judges, inside=np.asarray((nearest >= 0) & (nearest < size)))


def _box(
    centre: Float64[np.ndarray, "#row #column"],
    first: Float64[np.ndarray, "#row #column"],
    last: Float64[np.ndarray, "#row #column"],
    size: int,
) -> Axis:
    """The pixels under a coarser one, weighted by overlap; outside where a corner does not exist."""
    known = np.isfinite(first) & np.isfinite(last) & np.isfinite(centre)
    one, two = (np.where(known, _known(end, size), OUTSIDE) for end in (first, last))
    index, weight, total = _weighed(np.minimum(one, two), np.maximum(one, two), size)
    return Axis(index, weight, total, judges=index, inside=total > 0)


def _known(at: Float64[np.ndarray, "#row #column"], size: int) -> Float64[np.ndarray, "#row #column"]:
    """Finite positions, outside the source by no more than needed, as integers end at 2^63."""
    return np.asarray(np.clip(np.where(np.isnan(at), OUTSIDE, at), OUTSIDE, size + 1.0))


def _weighed(
    low: Float64[np.ndarray, "#row #column"], high: Float64[np.ndarray, "#row #column"], size: int
) -> tuple[
    Int64[np.ndarray, "tap #row #column"], Float64[np.ndarray, "tap #row #column"], Float64[np.ndarray, "#row #column"]
]:
    """The pixels under a stretch of an axis, how much of each lies under it, and the sum."""
    low, high = (np.clip(_snapped(end), 0, size) for end in (low, high))
    first, end = np.minimum(np.floor(low), size - 1), np.ceil(high)
    taps = np.arange(max(1.0, (end - first).max()))[:, None, None]
    weight = np.maximum(np.minimum(high, first + taps + 1) - np.maximum(low, first + taps), 0)
    index = np.minimum(first + taps, np.maximum(end - 1, first)).astype(np.int64)
    total = weight.sum(axis=0)
    return index, weight, np.where(np.abs(total - 1) < SNAP, 1.0, total)


def _snapped(at: Float64[np.ndarray, "#row #column"]) -> Float64[np.ndarray, "#row #column"]:
    edge = np.rint(at)
    return np.asarray(np.where(np.abs(at - edge) < SNAP, edge, at))


def touched(
    values: Bool[np.ndarray, "band sourcerow sourcecolumn"], at: SourcePlaces, origin: Window
) -> Bool[np.ndarray, "band row column"]:
    """Whether one of the judging pixels is true; false outside. origin: the window of the source in `values`."""
    covered = at.covered()
    found = np.zeros((len(values), *covered.shape), bool)
    for rows in _counted(at.rows.judges, origin.row, origin.height):
        for columns in _counted(at.columns.judges, origin.column, origin.width):
            found |= values[:, rows, columns]
    found &= covered
    return found


def resampled(
    values: Shaped[np.ndarray, "band sourcerow sourcecolumn"],
    valid: Bool[np.ndarray, "band sourcerow sourcecolumn"] | None,
    at: SourcePlaces,
    origin: Window,
    out: Shaped[np.ndarray, "band row column"],
) -> None:
    """Fill `out` with the mean of the valid pixels under each place; integers are rounded, halves up.

    Junk where none is valid. origin: the window of the source in `values`. Booleans: whether a judging pixel is true.
    """
    if values.dtype == bool:
        out[:] = touched(values, at, origin)
        return
    rows = _counted(at.rows.index, origin.row, origin.height)
    columns = _counted(at.columns.index, origin.column, origin.width)
    sums = _sums_along_axes if at.are_aligned else _sums
    totals = None
    if (at.rows.total != 1).any() or (at.columns.total != 1).any():
        totals = at.rows.total * at.columns.total
        totals = np.where(totals > 0, totals, 1.0)
    for band, stored in enumerate(values):
        if valid is None or valid[band].all():
            mean, weights = sums(stored, at, rows, columns, "values"), totals
        else:
            # where, not a product: 0 * NaN under an invalid pixel is NaN
            mean = sums(np.where(valid[band], stored, 0), at, rows, columns, "values")
            weights = sums(valid[band], at, rows, columns, "weights")
            full = 1.0 if totals is None else totals
            # where all are valid, the same bits as in a window without holes
            weights = np.where(np.abs(weights - full) < SNAP, full, np.where(weights > 0, weights, 1.0))
        if weights is not None:
            mean /= weights
        if values.dtype.kind != "f":
            mean += 0.5
            if values.dtype.kind == "i":  # for unsigned integers the cast is the floor
                np.floor(mean, out=mean)
        np.copyto(out[band], mean, casting="unsafe")


def _sums(
    values: Shaped[np.ndarray, "sourcerow sourcecolumn"],
    at: SourcePlaces,
    rows: Int64[np.ndarray, "tap #row #column"],
    columns: Int64[np.ndarray, "tap_ #row #column"],
    _: str,
) -> Float64[np.ndarray, "row column"]:
    """The weighted sum of the pixels under each place, tap by tap in order."""
    total = np.zeros(np.broadcast_shapes(rows.shape[1:], columns.shape[1:]))
    for row, by_row in zip(rows, at.rows.weight, strict=True):
        for column, by_column in zip(columns, at.columns.weight, strict=True):
            total += values[row, column] * (by_row * by_column)
    return total


def _sums_along_axes(
    values: Shaped[np.ndarray, "sourcerow sourcecolumn"],
    at: SourcePlaces,
    rows: Int64[np.ndarray, "tap row 1"],
    columns: Int64[np.ndarray, "tap_ 1 column"],
    name: str,
) -> Float64[np.ndarray, "row column"]:
    """The same, first along the rows, then down the columns. The result is this thread's buffer of that name."""
    exact = _buffer("exact", values.shape)
    np.copyto(exact, values)
    across = _sums_along(exact, columns[:, 0], at.columns.weight, 1, "across")
    return _sums_along(across, rows[:, :, 0], at.rows.weight, 0, name)


def _sums_along(
    values: Float64[np.ndarray, "sourcerow sourcecolumn"],
    index: Int64[np.ndarray, "tap place"],
    weight: Float64[np.ndarray, "tap #row #column"],
    axis: int,
    name: str,
) -> Float64[np.ndarray, "row column"]:
    shape = (len(values), index.shape[1]) if axis else (index.shape[1], values.shape[1])
    total, term = _buffer(name, shape), _buffer("term", shape)
    for tap, (each, by) in enumerate(zip(index, weight, strict=True)):
        into = term if tap else total
        np.take(values, each, axis=axis, out=into, mode="clip")  # clip: the other modes copy
        into *= by
        if tap:
            total += term
    return total


_buffers = threading.local()


def _buffer(name: str, shape: tuple[int, int]) -> Float64[np.ndarray, "row column"]:
    """A reused array of this thread: touching fresh memory takes longer than the sums."""
    buffers: dict[str, np.ndarray] = _buffers.__dict__
    size = shape[0] * shape[1]
    if name not in buffers or buffers[name].size < size:
        buffers[name] = np.empty(size)
    return buffers[name][:size].reshape(shape)


def _counted(
    index: Int64[np.ndarray, "tap #row #column"], first: int, count: int
) -> Int64[np.ndarray, "tap #row #column"]:
    """Indices counted from the first pixel that was read; clipped for places outside, where no value is needed."""
    return np.asarray(np.clip(index - first, 0, count - 1))
