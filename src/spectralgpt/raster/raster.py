"""An opened image: bands, grid, dates, and windowed reads."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped
from rasterio.windows import Window as RasterioWindow

from spectralgpt.bands import Band, Sensor
from spectralgpt.errors import RasterError
from spectralgpt.raster.dates import written
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.handles import GDAL_ERRORS, Handles
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.pixels import Pixels, combined, measured
from spectralgpt.raster.resample import bilinear, nearest, places
from spectralgpt.raster.window import Window


@dataclass(frozen=True, slots=True)
class Raster:
    """An opened image of one place: layers [date][band] on one grid; reading happens in `read`.

    scale, offset, nodata, dtype: of what `read` gives. days: since 1970-01-01 in UTC, -1 unknown. tags: of the file, of
    a folder those that all its files share. warnings: what a user should know of how it was understood.

    Immutable, picklable, a context manager, safe in threads: each opens the files for itself. Closing frees them; a
    read after it opens them again.
    """

    layers: tuple[tuple[Layer, ...], ...]
    grid: Grid
    days: tuple[int, ...]
    sensor: Sensor
    dtype: np.dtype[Any]
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    nodata: float | None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    warnings: tuple[str, ...] = ()
    _handles: Handles = field(default_factory=Handles, repr=False, compare=False)

    @property
    def bands(self) -> tuple[Band, ...]:
        return tuple(layer.band for layer in self.layers[0])

    @property
    def dates(self) -> tuple[str, ...]:
        """ISO dates, empty where unknown."""
        return tuple(map(written, self.days))

    @property
    def gsd(self) -> float:
        """Metres on the ground at the image's centre, nan unknown."""
        return self.grid.gsd

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """date, band, row, column."""
        return len(self.layers), len(self.layers[0]), *self.grid.shape

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, each once, in order."""
        return tuple(dict.fromkeys(layer.path for layers in self.layers for layer in layers))

    def __enter__(self) -> "Raster":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the files in every thread."""
        self._handles.close()

    def read(self, window: Window | None = None) -> Pixels:
        """The pixels of a window, default all: stored values, as they stand where a file lies on this grid.

        A file on another grid is read by georeference, its values bilinear between valid pixels, what is valid from the
        nearest one. What no file covers is not valid, as are NaN, infinity, nodata, and what a mask or alpha band
        excludes. ValueError when the window leaves the grid; RasterError, naming the file, when it cannot be read.
        """
        wanted = self.grid.whole if window is None else window
        if not self.grid.whole.contains(wanted):
            raise ValueError(f"{wanted} leaves the grid of {self.grid.height} x {self.grid.width} pixels")
        shape = (*self.shape[:2], *wanted.shape)
        values = np.empty(shape, self.dtype)
        valid: np.ndarray | None = None
        for date, layers in enumerate(self.layers):
            for bands, together in _one_read_each(layers):
                read, true = self._read(together, wanted)
                values[date, bands] = self._converted(read, bands, together)
                if true is not None:
                    if valid is None:
                        valid = np.ones(shape, bool)
                    valid[date, bands] = true
        return Pixels(
            values=values,
            valid=valid,
            scale=np.array(self.scale, np.float64),
            offset=np.array(self.offset, np.float64),
            bands=self.bands,
            grid=self.grid if window is None else self.grid.window(wanted),
            days=np.array(self.days, np.int32),
            gsd=self.gsd,
        )

    def _read(
        self, layers: list[Layer], window: Window
    ) -> tuple[Shaped[np.ndarray, "band row column"], Bool[np.ndarray, "band row column"] | None]:
        """Bands of one file at the window's places."""
        source = layers[0].grid
        if source.coincides(self.grid):
            return self._stored(layers, window)
        at = places(self.grid, window, source)
        taps = at.taps()
        if taps is None:
            shape = (len(layers), *window.shape)
            fill = self.nodata if self.nodata is not None and math.isfinite(self.nodata) else 0
            return np.full(shape, fill, layers[0].dtype), np.zeros(shape, bool)
        stored, true = self._stored(layers, taps)
        here = nearest(np.ones(stored.shape, bool) if true is None else true, at, taps)
        return bilinear(stored, true, at, taps), None if here.all() else here

    def _stored(
        self, layers: list[Layer], window: Window
    ) -> tuple[Shaped[np.ndarray, "band row column"], Bool[np.ndarray, "band row column"] | None]:
        """Bands of one file on its own grid, in one read, and what of it is valid."""
        path = layers[0].path
        indexes = [layer.index for layer in layers]
        where = RasterioWindow(window.column, window.row, window.width, window.height)
        dataset = self._handles.of(path)
        try:
            values = dataset.read(indexes, window=where)
            mask = dataset.read_masks(indexes, window=where) if any(layer.masked for layer in layers) else None
            alpha = dataset.read(layers[0].alpha, window=where) if layers[0].alpha else None
        except GDAL_ERRORS as error:
            raise RasterError(
                f"{path}: found that the pixels of rows {window.row} to {window.end_row - 1} cannot be read "
                f"({error.__cause__ or error}); expected a whole file. It may be cut off or damaged: fetch it again."
            ) from error
        true = measured(values[None], [layer.nodata for layer in layers])
        for told in (mask, alpha):
            if told is not None:
                true = combined(true, np.broadcast_to(told > 0, values.shape)[None])
        return values, None if true is None else true[0]

    def _converted(
        self, values: Shaped[np.ndarray, "band row column"], bands: list[int], layers: list[Layer]
    ) -> Shaped[np.ndarray, "band row column"]:
        """Stored values as this raster's: a file with another scale or offset than the raster's is taken over."""
        result = values
        for row, (band, layer) in enumerate(zip(bands, layers, strict=True)):
            if (layer.scale, layer.offset) != (self.scale[band], self.offset[band]):
                if result is values:
                    result = values.astype(self.dtype)
                reflectance = values[row].astype(np.float64) * layer.scale + layer.offset
                result[row] = (reflectance - self.offset[band]) / self.scale[band]
        return result


def _one_read_each(layers: tuple[Layer, ...]) -> list[tuple[list[int], list[Layer]]]:
    """The bands of each file together, as one read costs little more than one band."""
    by_file = sorted(range(len(layers)), key=lambda band: (layers[band].path, band))
    groups = [list(bands) for _, bands in groupby(by_file, key=lambda band: layers[band].path)]
    return [(bands, [layers[band] for band in bands]) for bands in groups]
