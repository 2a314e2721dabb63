"""What a read gives: stored values, what is valid, and what makes reflectance of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from affine import Affine
from jaxtyping import Bool, Float, Float32, Int32, Shaped

from spectralgpt.bands import Band, Sensor, bands_of, sensors
from spectralgpt.errors import RasterError
from spectralgpt.raster.dates import UNKNOWN, day_of
from spectralgpt.raster.grid import Grid

LARGEST = 1e30
"""No float above was measured: writers fill with the largest number of a type (3.4e38) and forget to declare it."""

REFLECTANCE_BELOW = 2.0
"""A float image whose 98 % quantile is below is reflectance: as digital numbers it would be black."""


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Stored values and what is valid; junk stands where valid is false. valid None: everything is.

    reflectance = stored x scale + offset, a band. days: since 1970-01-01 in UTC, -1 unknown. gsd: metres on the ground,
    nan unknown.
    """

    values: Shaped[np.ndarray, "date band row column"]
    valid: Bool[np.ndarray, "date band row column"] | None
    scale: Float[np.ndarray, " band"]
    offset: Float[np.ndarray, " band"]
    bands: tuple[Band, ...]
    grid: Grid
    days: Int32[np.ndarray, " date"]
    gsd: float

    @property
    def shape(self) -> tuple[int, int, int, int]:
        dates, bands, rows, columns = self.values.shape
        return dates, bands, rows, columns

    def reflectance(self) -> Float32[np.ndarray, "date band row column"]:
        """Stored x scale + offset, worked out in double precision; junk where not valid."""
        result = np.empty(self.values.shape, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # a nodata like -1.8e308 has no float32
            for band, (scale, offset) in enumerate(zip(self.scale, self.offset, strict=True)):
                result[:, band] = self.values[:, band].astype(np.float64) * scale + offset
        return result

    @classmethod
    def from_array(
        cls,
        values: Shaped[np.ndarray, "..."],
        *,
        bands: str | Sequence[Band],
        gsd: float | int | None = None,
        valid: Bool[np.ndarray, "..."] | None = None,
        scale: float | int | Sequence[float | int] | None = None,
        offset: float | int | Sequence[float | int] | None = None,
        dates: Sequence[str | date | None] | None = None,
        nodata: float | int | None = None,
        grid: Grid | None = None,
    ) -> "Pixels":
        """Pixels of an array (band, row, column) or (date, band, row, column).

        bands: a sensor's name (all its bands in file order), a list like `B2,B3`, or the bands themselves. gsd: metres,
        default the grid's. valid: of the values' shape, or of its last axes. scale, offset: one or one a band; default
        the sensor's convention, 1 and 0 for floats whose 98 % quantile is below 2. dates: ISO dates or None. NaN,
        infinity and nodata are not valid.

        BandError when the bands do not fit the array, RasterError when the rest does not.
        """
        what = "the array"
        if values.ndim not in (3, 4) or 0 in values.shape or not is_real(values.dtype):
            raise RasterError(
                f"found an array of {values.dtype} and shape {values.shape}; expected real numbers as "
                "(band, row, column) or (date, band, row, column), nothing empty."
            )
        stacked = values if values.ndim == 4 else values[None]
        found, named = bands_of(bands, stacked.shape[1], what)
        true = measured(stacked, [nodata] * len(found))
        if valid is not None:
            try:
                told = np.broadcast_to(valid, stacked.shape)
            except ValueError:
                raise RasterError(
                    f"found valid of shape {valid.shape}; expected the values' {stacked.shape} or its last axes."
                ) from None
            true = combined(true, told)
        if scale is None and offset is None:
            scales, offsets = convention(found, named, stacked, true)
        else:
            scales = [1.0] * len(found) if scale is None else _a_band(scale, len(found), "scale")
            offsets = [0.0] * len(found) if offset is None else _a_band(offset, len(found), "offset")
        place = grid if grid is not None else Grid(None, Affine.identity(), *stacked.shape[2:])
        if place.shape != stacked.shape[2:]:
            raise RasterError(f"found a grid of {place.shape} pixels; expected the values' {stacked.shape[2:]}.")
        return cls(
            values=stacked,
            valid=true,
            scale=np.array(scales, np.float64),
            offset=np.array(offsets, np.float64),
            bands=found,
            grid=place,
            days=_days(dates, stacked.shape[0]),
            gsd=float(gsd) if gsd is not None else place.gsd,
        )


def is_real(dtype: np.dtype[Any]) -> bool:
    """Whether an image may be stored in it: integers and floats, not complex numbers or text."""
    return dtype.kind in "iuf"


def measured(
    values: Shaped[np.ndarray, "date band row column"], nodata: Sequence[float | int | None]
) -> Bool[np.ndarray, "date band row column"] | None:
    """Where a value is finite, below LARGEST, and not its band's nodata; None where all are."""
    true: np.ndarray | None = None
    if values.dtype.kind == "f":
        true = np.isfinite(values) if values.dtype.itemsize < 4 else np.abs(values) < LARGEST
    for band, marked in enumerate(nodata):
        stored = _stored(marked, values.dtype)
        if stored is None:
            continue
        here = values[:, band] != stored
        if not here.all():
            if true is None:
                true = np.ones(values.shape, bool)
            true[:, band] &= here
    return None if true is None or true.all() else true


def _stored(nodata: float | int | None, dtype: np.dtype[Any]) -> Any:
    """nodata as it stands in the array; None where it cannot stand there (NaN, 300 in bytes, 0.5 in integers)."""
    if nodata is None or math.isnan(nodata):
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            # a float32 file tells its nodata in double precision
            return np.float64(nodata).astype(dtype)
    limits = np.iinfo(dtype)
    return dtype.type(int(nodata)) if nodata == int(nodata) and limits.min <= nodata <= limits.max else None


def combined(
    one: Bool[np.ndarray, "date band row column"] | None, other: Bool[np.ndarray, "date band row column"] | None
) -> Bool[np.ndarray, "date band row column"] | None:
    """Valid in both; None where all is."""
    if one is not None and other is not None:
        both: np.ndarray | None = one & other
    else:
        both = other if one is None else one
    return None if both is None or both.all() else np.ascontiguousarray(both)


def convention(
    bands: Sequence[Band],
    named: Sensor | None,
    values: Shaped[np.ndarray, "date band row column"],
    valid: Bool[np.ndarray, "date band row column"] | None,
) -> tuple[list[float], list[float]]:
    """Scale and offset a band where no metadata tell: the sensor's, but 1 and 0 for floats that are reflectance."""
    if values.dtype.kind == "f" and looks_like_reflectance(values.ravel() if valid is None else values[valid]):
        return [1.0] * len(bands), [0.0] * len(bands)
    known = {each.name: each for each in sensors()}
    whose = [named or known.get(band.sensor) for band in bands]
    return [each.scale if each else 1.0 for each in whose], [each.offset if each else 0.0 for each in whose]


def looks_like_reflectance(measured: Shaped[np.ndarray, " value"]) -> bool:
    """Whether the 98 % quantile of valid values is below 2. RasterError when there are none."""
    if not measured.size:
        raise RasterError("found no valid value: all are NaN, infinite or nodata; expected some that were measured.")
    return bool(np.quantile(measured, 0.98) < REFLECTANCE_BELOW)


def _a_band(given: float | int | Sequence[float | int], count: int, what: str) -> list[float]:
    each = np.asarray(given, np.float64)
    if each.shape not in ((), (1,), (count,)):
        raise RasterError(f"found {each.size} values of {what}; expected one, or {count}: one a band.")
    return [float(value) for value in np.broadcast_to(each, count)]


def _days(dates: Sequence[str | date | None] | None, count: int) -> Int32[np.ndarray, " date"]:
    if dates is None:
        return np.full(count, UNKNOWN, np.int32)
    if len(dates) != count:
        raise RasterError(f"found {len(dates)} dates for {count} images; expected one each.")
    return np.array([UNKNOWN if each is None else day_of(str(each), "dates") for each in dates], np.int32)
