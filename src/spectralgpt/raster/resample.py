"""Values of one grid at the places of another, by georeference.

A pixel is the mean of the source under a box along the source's axes. Where it is coarser than the source's, the box is
its own, from its first corner to the opposite one; else it is one source pixel wide, which is bilinear interpolation.
Each axis is judged for itself.

Every pixel is worked out from its own row and column on the target grid alone, in a fixed order of additions, so that a
window holds the same bits as the whole: a warper that approximates per chunk, or rounds relative to one, would not keep
that.
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
"""Source pixels. Nearer to a pixel's edge is on it: transforms are rounded, and no weight that small shows."""

COARSER = 1.05
"""Source pixels. What is not wider is no coarser pixel: the same pixels in another CRS are stretched by less."""

OUTSIDE = -1.0
"""Source pixels. Where a place lies that the source's CRS does not know."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """Along one axis of a source: of which of its pixels a pixel is the mean, and how much each counts.

    All broadcast to (row, column) of the window: along the axes of one CRS they are a column or a row. index counts
    from the source's first pixel. total: the sum of the weights. judges: the pixels of which one must be valid: the
    nearest; of a coarser pixel any under it. inside: whether it lies on the source: its centre; of a coarser pixel any
    part.
    """

    index: Int64[np.ndarray, "tap #row #column"]
    weight: Float64[np.ndarray, "tap #row #column"]
    total: Float64[np.ndarray, "#row #column"]
    judges: Int64[np.ndarray, "judge #row #column"]
    inside: Bool[np.ndarray, "#row #column"]


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """What the pixels of a window are made of on another grid.

    taps: the source pixels that are needed, None where nothing is covered.
    """

    rows: Axis
    columns: Axis
    taps: Window | None

    @property
    def are_aligned(self) -> bool:
        """Whether rows lie along the source's rows: then one axis is worked out after the other."""
        return bool(self.rows.index.shape[2] == 1 == self.columns.index.shape[1])

    @property
    def are_all_covered(self) -> bool:
        return bool(self.rows.inside.all() and self.columns.inside.all())

    def covered(self) -> Bool[np.ndarray, "row column"]:
        """Whether a pixel lies on the source."""
        return np.asarray(self.rows.inside & self.columns.inside)


@lru_cache(maxsize=4)  # the bands of a read lie on few grids
def places(target: Grid, window: Window, source: Grid) -> Places:
    """Where the pixels of a window of the target lie on the source."""
    locate = _to_source(target, source)
    rows = np.arange(window.row, window.end_row, dtype=np.float64)[:, None]
    columns = np.arange(window.column, window.end_column, dtype=np.float64)[None, :]
    middle = np.full((1, 1), target.height // 2, np.float64), np.full((1, 1), target.width // 2, np.float64)
    # of the grid's middle, not of each window's, nor of each pixel's: one rule in a whole image
    ends = zip(locate(*middle), locate(middle[0] + 1, middle[1] + 1), strict=True)
    coarser = [bool(abs(float(last.item()) - float(first.item())) > COARSER) for first, last in ends]
    centres = locate(rows + 0.5, columns + 0.5)
    firsts, lasts = (locate(rows, columns), locate(rows + 1, columns + 1)) if any(coarser) else (centres, centres)
    of_rows, of_columns = (
        _box(centres[axis], firsts[axis], lasts[axis], size) if coarser[axis] else _between(centres[axis], size)
        for axis, size in enumerate(source.shape)
    )
    return Places(of_rows, of_columns, _taps(of_rows, of_columns))


def _taps(rows: Axis, columns: Axis) -> Window | None:
    """The source pixels of the places that lie on it."""
    covered = np.asarray(rows.inside & columns.inside)
    if not covered.any():
        return None
    low: list[int] = []
    high: list[int] = []
    for axis in (rows, columns):
        # along an aligned axis a column or a row tells all
        here = axis.inside if axis.inside.size < covered.size else covered
        first, last = (np.broadcast_to(index, here.shape)[here] for index in (axis.index[0], axis.index[-1]))
        low.append(int(first.min()))
        high.append(int(last.max()) + 1)
    return Window(low[0], low[1], high[0] - low[0], high[1] - low[1])


Locate = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def _to_source(target: Grid, source: Grid) -> Locate:
    """What takes rows and columns of the target's pixel corners to those of the source, not finite where it cannot."""
    if not target.same_crs(source):
        return lambda rows, columns: _through_crs(target, rows, columns, source)
    to = composed(~source.transform, target.transform)
    if to.b == 0 == to.d:
        return lambda rows, columns: (to.e * rows + to.f, to.a * columns + to.c)
    return lambda rows, columns: (to.d * columns + to.e * rows + to.f, to.a * columns + to.b * rows + to.c)


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
            f"found two CRS of which none leads to the other ({error})", "images that both lie on Earth"
        ) from error
    u, v = (np.asarray(values, np.float64).reshape(x.shape) for values in there[:2])
    with np.errstate(invalid="ignore"):  # infinity where the projection has no place
        return back.d * u + back.e * v + back.f, back.a * u + back.b * v + back.c


def _between(centre: Float64[np.ndarray, "#row #column"], size: int) -> Axis:
    """The pixels before and after a place; beyond the outermost centres the outermost hold."""
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
    """The pixels under a coarser one, by how much of each lies under it. Nowhere where a corner is."""
    known = np.isfinite(first) & np.isfinite(last) & np.isfinite(centre)
    one, two = (np.where(known, _known(end, size), OUTSIDE) for end in (first, last))
    index, weight, total = _weighed(np.minimum(one, two), np.maximum(one, two), size)
    return Axis(index, weight, total, judges=index, inside=total > 0)


def _known(at: Float64[np.ndarray, "#row #column"], size: int) -> Float64[np.ndarray, "#row #column"]:
    """Finite, and far outside no farther than needed, as whole numbers end at 2^63."""
    return np.asarray(np.clip(np.where(np.isnan(at), OUTSIDE, at), OUTSIDE, size + 1.0))


def _weighed(
    low: Float64[np.ndarray, "#row #column"], high: Float64[np.ndarray, "#row #column"], size: int
) -> tuple[
    Int64[np.ndarray, "tap #row #column"], Float64[np.ndarray, "tap #row #column"], Float64[np.ndarray, "#row #column"]
]:
    """The pixels under a stretch of an axis, how much of each lies under it, and the sum of that."""
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
    values: Bool[np.ndarray, "band sourcerow sourcecolumn"], at: Places, origin: Window
) -> Bool[np.ndarray, "band row column"]:
    """Whether one of the pixels that judge is true; false outside. origin: what of the source the values are."""
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
    at: Places,
    origin: Window,
    out: Shaped[np.ndarray, "band row column"],
) -> None:
    """Fill `out` with the mean over the valid pixels under each place; integers rounded, halves up.

    Junk where none is valid. origin: what of the source the values are. Of booleans: whether one that judges is true.
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
            # where all is valid, the very bits that a window without holes has
            weights = np.where(np.abs(weights - full) < SNAP, full, np.where(weights > 0, weights, 1.0))
        if weights is not None:
            mean /= weights
        if values.dtype.kind != "f":
            mean += 0.5
            if values.dtype.kind == "i":  # of what is not negative, a cast is the floor
                np.floor(mean, out=mean)
        np.copyto(out[band], mean, casting="unsafe")


def _sums(
    values: Shaped[np.ndarray, "sourcerow sourcecolumn"],
    at: Places,
    rows: Int64[np.ndarray, "tap #row #column"],
    columns: Int64[np.ndarray, "tap_ #row #column"],
    _: str,
) -> Float64[np.ndarray, "row column"]:
    """The sum of the pixels under each place by their weights, tap by tap in their order."""
    total = np.zeros(np.broadcast_shapes(rows.shape[1:], columns.shape[1:]))
    for row, by_row in zip(rows, at.rows.weight, strict=True):
        for column, by_column in zip(columns, at.columns.weight, strict=True):
            total += values[row, column] * (by_row * by_column)
    return total


def _sums_along_axes(
    values: Shaped[np.ndarray, "sourcerow sourcecolumn"],
    at: Places,
    rows: Int64[np.ndarray, "tap row 1"],
    columns: Int64[np.ndarray, "tap_ 1 column"],
    name: str,
) -> Float64[np.ndarray, "row column"]:
    """The same, first along the rows, then down the columns. The result is this thread's room of that name."""
    exact = _room("exact", values.shape)
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
    total, term = _room(name, shape), _room("term", shape)
    for tap, (each, by) in enumerate(zip(index, weight, strict=True)):
        into = term if tap else total
        np.take(values, each, axis=axis, out=into, mode="clip")  # clip: the other modes copy
        into *= by
        if tap:
            total += term
    return total


_rooms = threading.local()


def _room(name: str, shape: tuple[int, int]) -> Float64[np.ndarray, "row column"]:
    """An array to work in, this thread's alone: first touching fresh memory takes longer than the sums."""
    rooms: dict[str, np.ndarray] = _rooms.__dict__
    size = shape[0] * shape[1]
    if name not in rooms or rooms[name].size < size:
        rooms[name] = np.empty(size)
    return rooms[name][:size].reshape(shape)


def _counted(
    index: Int64[np.ndarray, "tap #row #column"], first: int, count: int
) -> Int64[np.ndarray, "tap #row #column"]:
    """Indices from the first pixel that was read on; the outermost where what is needed was not, as it is outside."""
    return np.asarray(np.clip(index - first, 0, count - 1))
