"""An opened image: bands, grid, dates, and windowed reads."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterioWindow

from spectralgpt.arguments import checked
from spectralgpt.bands import Band, Sensor
from spectralgpt.days import iso_date
from spectralgpt.errors import RasterError, first_few
from spectralgpt.raster.area import Area
from spectralgpt.raster.clouds import CloudLayer, layer_says_cloudy
from spectralgpt.raster.file_bands import FileBands, bands_by_file
from spectralgpt.raster.fill import FillRule, any_of, filled
from spectralgpt.raster.grid import Grid
from spectralgpt.raster.handles import GDAL_ERRORS, Handles
from spectralgpt.raster.layer import Layer
from spectralgpt.raster.pixels import Pixels, combined, measured
from spectralgpt.raster.resample import places, resampled, touched
from spectralgpt.raster.window import Window

FillWindow = Callable[[Window, np.ndarray], np.ndarray | None]
"""Fills an array [band, row, column] with a window of a file; returns which values are valid, None for all."""

STRIP_PIXELS = 2**19
"""Pixels of a file resampled at a time, so that buffers stay small compared with what is read."""

FILES_NAMED = 3
"""Files that `source` names."""

NAMES_SHOWN = 14
"""Bands or dates that `repr` lists in full."""


@dataclass(frozen=True, slots=True)
class Raster:
    """An opened image of one place: layers [date][band] on one grid; `read` reads them.

    scale, offset, nodata, dtype: of the values that `read` returns. days: since 1970-01-01 in UTC, -1 unknown. tags: of
    the file; of a folder, those that all its files share. warnings: what a user should know about how it was
    understood. clouds: one layer per date, None for a date without one, empty when no date has one. without_clouds:
    whether cloudy pixels are not valid. area: the wanted part of the grid, None for all. facts: what was read from
    where. conflicts: where metadata contradict themselves. given_nodata: the argument `nodata` of open_raster, empty
    without it. other_level: the sensor of another level that the names fit as well, empty where it is known.

    Immutable, picklable, a context manager, thread-safe: each thread opens the files for itself. Closing frees them; a
    later read opens them again.
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
    clouds: tuple[CloudLayer | None, ...] = ()
    without_clouds: bool = True
    area: Area | None = None
    facts: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    given_nodata: str = ""
    other_level: str = ""
    _handles: Handles = field(default_factory=Handles, repr=False, compare=False)
    _files: tuple[tuple[FileBands, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_files", tuple(map(bands_by_file, self.layers)))

    @property
    def bands(self) -> tuple[Band, ...]:
        return tuple(layer.band for layer in self.layers[0])

    @property
    def dates(self) -> tuple[str, ...]:
        """ISO dates, empty where unknown."""
        return tuple(map(iso_date, self.days))

    @property
    def gsd(self) -> float:
        """Metres on the ground at the image's centre, nan when unknown."""
        return self.grid.gsd

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """date, band, row, column."""
        return len(self.layers), len(self.layers[0]), *self.grid.shape

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, each once, in order; last those of cloud layers, if clouds are excluded."""
        clouds = [each for layer in self.clouds if layer is not None and self.without_clouds for each in layer.every()]
        bands = [each for layers in self.layers for layer in layers for each in layer.front_to_back()]
        return tuple(dict.fromkeys([*(each.path for each in bands), *(each.path for each in clouds)]))

    @property
    def source(self) -> str:
        """What messages call it: its files or, of more than three, the folder that all are in."""
        if len(self.paths) > FILES_NAMED:
            try:
                folder = os.path.commonpath(self.paths)
            except ValueError:  # on different drives, or files on disk and elsewhere
                folder = ""
            if folder.strip("/"):
                return folder
        return first_few(self.paths, FILES_NAMED)

    def __repr__(self) -> str:
        """In a few words: the fields hold a CRS per layer, of thousands of characters."""
        rows, columns = self.grid.shape
        return (
            f"<Raster {self.sensor.name}: bands {_listed([band.name for band in self.bands])}; "
            f"dates {_listed([date or 'unknown' for date in self.dates])}; {rows} x {columns} pixels, "
            f"GSD {f'{self.gsd:.4g} m' if math.isfinite(self.gsd) else 'unknown'}, {self.grid.crs_name or 'no CRS'}>"
        )

    def __enter__(self) -> "Raster":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; those that another thread reads at this moment, when it has read."""
        self._handles.close()

    @checked
    def read(self, window: Window | None = None) -> Pixels:
        """The pixels of a window, default all: stored values, unchanged where a file lies on this grid.

        A file on another grid is read by georeference: a coarser pixel is the mean of the valid pixels under it, valid
        if one is; any other is interpolated bilinearly, valid if the nearest is. Not valid are pixels that no file
        covers, NaN, infinity, nodata, fill (the layers' rules), what a mask or alpha band excludes, clouds, and pixels
        outside the area.
        ValueError when the window leaves the grid; RasterError, naming the file, when it cannot be read.
        """
        wanted = self._inside(window)
        shape = (*self.shape[:2], *wanted.shape)
        values = np.empty(shape, self.dtype)
        valid: np.ndarray | None = None
        for date, layers in enumerate(self.layers):
            true = self._date(layers, self._files[date], wanted, values[date])
            if true is not None:
                if valid is None:
                    valid = np.ones(shape, bool)
                valid[date] = true
        for hidden in (self.cloudy(wanted) if self.without_clouds else None, self._outside(wanted)):
            if hidden is not None and hidden.any():
                clear = np.broadcast_to(~hidden[:, None], shape)
                valid = clear.copy() if valid is None else valid & clear
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

    def cloudy(self, window: Window | None = None) -> Bool[np.ndarray, "date row column"] | None:
        """Where the dates' cloud layers show cloud or shadow; None when no date has one.

        A pixel coarser than the layer's is cloudy if any under it is. What a layer does not cover, or has no value for,
        is not cloudy. ValueError and RasterError as `read`.
        """
        wanted = self._inside(window)
        if not any(self.clouds):
            return None
        found = np.zeros((len(self.layers), *wanted.shape), bool)
        for here, layer in zip(found, self.clouds, strict=True):
            if layer is not None:
                for each in layer.every():
                    cloudy = np.zeros((1, *wanted.shape), bool)
                    self._place(each.grid, wanted, partial(self._clouds, each), cloudy)
                    here |= cloudy[0]
        return found

    def _inside(self, window: Window | None) -> Window:
        if window is not None and not self.grid.whole.contains(window):
            raise ValueError(f"{window} leaves the grid of {self.grid.height} x {self.grid.width} pixels")
        return self.grid.whole if window is None else window

    def _outside(self, window: Window) -> Bool[np.ndarray, "1 row column"] | None:
        return None if self.area is None else ~self.area.mask(window)[None]

    def _date(
        self,
        layers: tuple[Layer, ...],
        files: Sequence[FileBands],
        window: Window,
        values: Shaped[np.ndarray, "band row column"],
    ) -> Bool[np.ndarray, "band row column"] | None:
        """Put the bands of a date into `values`, those behind where the layers in front are not valid; returns which
        are valid. files: the layers by file."""
        valid: np.ndarray | None = None
        for file in files:
            true = self._read(file, window, values)
            if true is not None and file.are_all(len(layers)):
                valid = true
            elif true is not None:
                valid = np.ones(values.shape, bool) if valid is None else valid
                valid[file.bands] = true
        behind = tuple(layer.behind for layer in layers if layer.behind is not None)
        if valid is None or not behind or valid.all():
            return valid
        assert len(behind) == len(layers), "all bands of a date have a layer behind them, or none"
        second = np.empty_like(values)
        true = self._date(behind, bands_by_file(behind), window, second)
        shown = ~valid if true is None else true & ~valid
        np.copyto(values, second, where=shown)
        valid |= shown
        return valid

    def _read(
        self, file: FileBands, window: Window, values: Shaped[np.ndarray, "band row column"]
    ) -> Bool[np.ndarray, "readband row column"] | None:
        """Put the bands of one file into a date's values; returns which are valid."""
        bands, layers = file.bands, file.layers
        stored = partial(self._stored, file)
        count, dtype = len(layers), np.dtype(layers[0].dtype)
        as_they_are = dtype == self.dtype and file.are_adjacent
        if as_they_are and not any(map(self._is_converted, bands, layers)):
            return self._place(layers[0].grid, window, stored, values[bands[0] : bands[0] + count])
        read = np.empty((count, *window.shape), dtype)
        true = self._place(layers[0].grid, window, stored, read)
        values[bands] = self._converted(read, bands, layers)
        return true

    def _place(
        self, source: Grid, window: Window, stored: FillWindow, out: Shaped[np.ndarray, "band row column"]
    ) -> Bool[np.ndarray, "band row column"] | None:
        """Fill `out` with the values of a file at the window's places; returns which are valid."""
        offset = self.grid.offset_on(source)
        if offset is not None:
            return _cut(source.whole, window.shifted(*offset), stored, out)
        valid: np.ndarray | None = None
        for strip in _strips(window, _pixels_under(self.grid, source)):
            rows = slice(strip.row - window.row, strip.end_row - window.row)
            at = places(self.grid, strip, source)
            true: np.ndarray | None = None
            if at.taps is None:
                out[:, rows] = 0
            else:
                read = np.empty((len(out), *at.taps.shape), out.dtype)
                true = stored(at.taps, read)
                resampled(read, true, at, at.taps, out[:, rows])
            if true is not None or not at.are_all_covered:
                if valid is None:
                    valid = np.ones(out.shape, bool)
                valid[:, rows] = at.covered() if true is None or at.taps is None else touched(true, at, at.taps)
        return valid

    def _stored(
        self, file: FileBands, window: Window, out: Shaped[np.ndarray, "band row column"]
    ) -> Bool[np.ndarray, "band row column"] | None:
        """Read bands of one file on its own grid, together, into `out`; returns which values are valid."""
        layers, indexes = file.layers, file.indexes
        with self._reading(layers[0].path, window) as (dataset, where):
            dataset.read(indexes, window=where, out=out)
            mask = dataset.read_masks(indexes, window=where) if any(layer.masked for layer in layers) else None
            alpha = dataset.read(layers[0].alpha, window=where) if layers[0].alpha else None
        true = None
        for nodata in file.nodata:
            true = combined(true, measured(out[None], nodata))
        for rule, numbers in file.rules:
            fill = any_of(self._filled(rule, file, numbers, window, out))
            if fill is not None:
                true = np.ones((1, *out.shape), bool) if true is None else true
                true[0, numbers] &= ~fill
        for opaque in (mask, alpha):
            if opaque is not None:
                true = combined(true, np.broadcast_to(opaque > 0, out.shape)[None])
        return None if true is None else true[0]

    def _filled(
        self,
        rule: FillRule,
        file: FileBands,
        numbers: list[int],
        window: Window,
        out: Shaped[np.ndarray, "band row column"],
    ) -> list[Bool[np.ndarray, "row column"] | None]:
        """Per mark of a rule, where the window of a file is fill. numbers: the bands in `out` that the rule is about;
        its other bands are read where all of these may be fill."""
        return filled(chain((out[number] for number in numbers), self._others(rule, file, numbers, window)), rule.marks)

    def _others(
        self, rule: FillRule, file: FileBands, numbers: list[int], window: Window
    ) -> Iterator[Shaped[np.ndarray, "row column"]]:
        """The bands of a rule but those `numbers` of a file, file by file as they are needed."""
        known = {(file.path, file.indexes[number]) for number in numbers}
        for path, indexes in rule.bands:
            wanted = [index for index in indexes if (path, index) not in known]
            if wanted:
                with self._reading(path, window) as (dataset, where):
                    values = dataset.read(wanted, window=where)
                yield from values

    def _clouds(
        self, layer: CloudLayer, window: Window, out: Bool[np.ndarray, "1 row column"]
    ) -> Bool[np.ndarray, "1 row column"] | None:
        """Read into `out` where a cloud layer shows cloud. All are valid: a place without a value is not cloudy."""
        with self._reading(layer.path, window) as (dataset, where):
            values = dataset.read([layer.index], window=where)
            known = measured(values[None], [dataset.nodatavals[layer.index - 1]])
        out[:] = layer_says_cloudy(values, layer.cloudy)
        if known is not None:
            out &= known[0]
        return None

    @contextmanager
    def _reading(self, path: str, window: Window) -> Iterator[tuple[DatasetReader, RasterioWindow]]:
        """An open file and the window to read; RasterError, naming the file, where reading fails."""
        try:
            with self._handles.lent(path) as dataset:
                yield dataset, RasterioWindow(window.column, window.row, window.width, window.height)
        except GDAL_ERRORS as error:
            raise RasterError(
                f"{path}: rows {window.row} to {window.end_row - 1} cannot be read ({error.__cause__ or error})",
                do="It may be cut off or damaged: download it again",
            ) from error

    def _is_converted(self, band: int, layer: Layer) -> bool:
        return (layer.scale, layer.offset) != (self.scale[band], self.offset[band])

    def _converted(
        self, values: Shaped[np.ndarray, "band row column"], bands: list[int], layers: list[Layer]
    ) -> Shaped[np.ndarray, "band row column"]:
        """Stored values in this raster's scale and offset, converted where the file has others."""
        result = values
        for row, (band, layer) in enumerate(zip(bands, layers, strict=True)):
            if self._is_converted(band, layer):
                if result is values:
                    result = values.astype(self.dtype)
                reflectance = values[row].astype(np.float64) * layer.scale + layer.offset
                result[row] = (reflectance - self.offset[band]) / self.scale[band]
        return result


def _listed(names: Sequence[str]) -> str:
    """All names, or of many, their number and the first and the last."""
    if len(names) <= NAMES_SHOWN:
        return ", ".join(names)
    return f"{names[0]} to {names[-1]} ({len(names)})"


def _cut(
    whole: Window, window: Window, stored: FillWindow, out: Shaped[np.ndarray, "band row column"]
) -> Bool[np.ndarray, "band row column"] | None:
    """Fill `out` with the window of a file on the same pixels, which need not cover it."""
    if whole.contains(window):
        return stored(window, out)
    part = whole.intersection(window)
    out[:] = 0
    valid = np.zeros(out.shape, bool)
    if part is not None:
        read = np.empty((len(out), *part.shape), out.dtype)
        true = stored(part, read)
        inside = (slice(None), *part.seen_from(window).slices)
        out[inside] = read
        valid[inside] = True if true is None else true
    return valid


def _pixels_under(grid: Grid, source: Grid) -> float:
    """How many pixels of a file lie under one of the grid's, at least 1."""
    if grid.same_crs(source):
        return max(1.0, grid.pixel_area / source.pixel_area)
    ratio = grid.gsd / source.gsd
    return max(1.0, ratio * ratio) if math.isfinite(ratio) else 1.0


def _strips(window: Window, pixels_under: float) -> Iterator[Window]:
    """The window, in strips of its full width where it, or the number of pixels under it, is large."""
    height = max(1, int(STRIP_PIXELS / pixels_under / window.width))
    for row in range(window.row, window.end_row, height):
        yield Window(row, window.column, min(height, window.end_row - row), window.width)
