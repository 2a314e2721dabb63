"""What a user gives beside an array: days, scale and offset, what is valid, the size of a pixel."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32

from spectralgpt.bands import Sensor
from spectralgpt.days import UNKNOWN, day_of, iso_date
from spectralgpt.errors import RasterError, argument, counted
from spectralgpt.products.acquisition import why_impossible
from spectralgpt.products.arrays.description import as_numpy

Dates = str | date | np.datetime64 | Sequence[str | date | np.datetime64 | None]
"""ISO dates, None for an unknown one of a list."""


def given_days(dates: Dates | None, count: int) -> Int32[np.ndarray, " date"]:
    """The days of `count` dates, -1 where unknown. RasterError for another number of them."""
    if dates is None:
        return np.full(count, UNKNOWN, np.int32)
    if isinstance(dates, str | date | np.datetime64):
        dates = str(dates).split(",")
    if len(dates) != count:
        raise RasterError(
            f"dates: found {len(dates)} for {counted(count, 'date')} in the array", "one per date of the array"
        )
    unknown = [day is None or (isinstance(day, np.datetime64) and bool(np.isnat(day))) for day in dates]
    days = [
        UNKNOWN if is_unknown else day_of(str(day), "dates") for day, is_unknown in zip(dates, unknown, strict=True)
    ]
    return np.array(days, np.int32)


def refuse_days(days: Int32[np.ndarray, " date"], taken_by: Sensor | None) -> None:
    """RasterError for a day in the future, before the launch of the sensor, or that occurs twice. taken_by: the sensor,
    None if unknown."""
    known = [int(day) for day in days if day != UNKNOWN]
    wrong = next((day for day in known if why_impossible(day, taken_by)), None)
    if wrong is not None:
        first = UNKNOWN if taken_by is None or taken_by.launched is None else taken_by.launched
        raise RasterError(
            f"the array: found the date {iso_date(wrong)}, which {why_impossible(wrong, taken_by)}",
            f"dates from {iso_date(first) or '1970-01-02'} to today",
            "Give the days of the images with the argument `dates`, or choose the sensor that took them",
        )
    twice = next((day for day in known if known.count(day) > 1), None)
    if twice is not None:
        raise RasterError(
            f"the array: found the date {iso_date(twice)} more than once",
            "different days",
            "Make one image of those of one day, or give their days with the argument `dates`",
        )


def numbers_per_band(given: float | int | Sequence[float | int], count: int, name: str) -> list[float]:
    """The argument scale or offset as one number per band. RasterError for another number of them, and for numbers that
    make no reflectance."""
    numbers = np.asarray(given, np.float64)
    if numbers.shape not in ((), (1,), (count,)):
        raise RasterError(f"{name}: found {counted(numbers.size, 'value')}", f"one, or {count}: one per band")
    wrong = [float(each) for each in numbers.ravel() if not math.isfinite(each) or (name == "scale" and each == 0)]
    if wrong:
        raise RasterError(
            f"{name}: found {wrong[0]:g}", "a number other than 0, like 0.0001" if name == "scale" else "a number"
        )
    return [float(number) for number in np.broadcast_to(numbers, count)]


def given_gsd(gsd: float | int) -> float:
    """The argument gsd in metres. RasterError for what is no size."""
    if not (math.isfinite(gsd) and gsd > 0):
        raise RasterError(argument("gsd", gsd), "a number of metres on the ground above 0, like 10")
    return float(gsd)


def given_valid(given: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "date band row column"]:
    """The argument valid: true, or 1, where something was measured. RasterError for another shape or other values."""
    valid = np.asarray(as_numpy(given))
    if valid.dtype.kind in "iu" and valid.size and valid.min() >= 0 and valid.max() <= 1:
        valid = valid.astype(bool)
    if valid.dtype.kind != "b":
        what = f"{valid.dtype} of shape {valid.shape}" if valid.dtype.kind in "iuf" else f"{type(given).__name__}"
        raise RasterError(
            f"valid: found {what}",
            "an array that is true where something was measured",
            "Compare it, like valid=mask > 0" if valid.dtype.kind in "iuf" and valid.ndim else "",
        )
    try:
        fits = valid.ndim >= 2 and np.broadcast_to(valid, shape)
    except ValueError:
        fits = False
    if isinstance(fits, bool):
        whole = f"{shape} (date, band, row, column), or its last axes: {shape[1:]} or {shape[2:]}"
        raise RasterError(f"valid: found shape {valid.shape}", whole)
    return fits
