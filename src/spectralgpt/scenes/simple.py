"""What a rebuilt scene is measured against: the simple way to estimate what was hidden, on the same pixels.

There is one way per kind of hiding: linear regression from the visible bands for hidden bands, the nearest or the
neighbouring dates for hidden dates, interpolation in space for a share. Of several kinds, bands come before dates, and
these before a share.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64

from spectralgpt.bands import BandSet
from spectralgpt.days import UNKNOWN
from spectralgpt.draws import keys
from spectralgpt.metrics import RegressionSums, WaySums, harmonic, in_time
from spectralgpt.nn import Hide
from spectralgpt.raster import Window
from spectralgpt.scenes.plan import Plan

BLOCK_SIDE = 64
"""Side of the squares whose pixels alternate between the two halves of a regression, at most half the scene, pixels."""

MOST_PREDICTORS, MOST_SUMS = 40, 30_000
"""Visible bands in a regression, and numbers kept of a block row: its notes are at most 1 MB."""

FEWEST_WINDOWS, MOST_WINDOWS, VALUES_PER_WINDOW = 2, 64, 5_000
"""Windows in which interpolation in space is measured, and the values that it may fill per window of the scene: filling
all would take longer than the model does, this a twentieth of its time."""

MARGIN_PATCHES = 2
"""Width of the border of a window in which interpolation in space is not measured, as it sees no more on that side; at
most a quarter of the window."""


@dataclass(frozen=True, slots=True, eq=False)
class RebuiltPart:
    """A window of the scene, which may extend beyond it, and what was rebuilt of it: its first rows and columns.

    truth, hidden, known (valid): of the window; prediction: of the rebuilt part, blended. In reflectance.
    """

    window: Window
    truth: Float32[np.ndarray, "date band row column"]
    hidden: Bool[np.ndarray, "date band row column"]
    known: Bool[np.ndarray, "date band row column"]
    prediction: Float64[np.ndarray, "date band rebuiltrow rebuiltcolumn"]

    @property
    def rebuilt(
        self,
    ) -> tuple[
        Float32[np.ndarray, "date band rebuiltrow rebuiltcolumn"],
        Bool[np.ndarray, "date band rebuiltrow rebuiltcolumn"],
        Bool[np.ndarray, "date band rebuiltrow rebuiltcolumn"],
    ]:
        """Truth, hidden, known of the rebuilt part."""
        rows, columns = self.prediction.shape[2:]
        truth, hidden, known = (each[..., :rows, :columns] for each in (self.truth, self.hidden, self.known))
        return truth, hidden, known


@runtime_checkable
class SimpleWay(Protocol):
    """How a scene is estimated without a model: sums of parts, which are added, and the errors that follow from them.

    names: of the ways that it compares. missing: why nothing was measured, if nothing was.
    """

    names: ClassVar[tuple[str, ...]]
    missing: ClassVar[str]

    def of(self, part: RebuiltPart) -> Any:
        """Sums over a part: with notes, and added with +."""

    def read(self, notes: Mapping[str, Any]) -> Any:
        """Sums from their notes."""

    def sums(self, found: Any) -> WaySums:
        """The squared errors that the sums of the whole scene give."""


@dataclass(frozen=True, slots=True)
class FromBands:
    """Linear regression of each hidden band from the visible bands of the same pixel and date, in two halves of the
    scene: fitted on one and scored on the other. side: of their squares. shown: whether each date is visible."""

    names: ClassVar[tuple[str, ...]] = ("linear regression from the visible bands, fitted elsewhere in this image",)
    missing: ClassVar[str] = "too few pixels with another band visible"
    bands: int
    targets: tuple[int, ...]
    predictors: tuple[int, ...]
    side: int
    shown: tuple[bool, ...]

    @classmethod
    def named(cls, hide: Hide, bandset: BandSet, dates: int, height: int, width: int, patch: int) -> "FromBands":
        group = bandset.group_of_band
        targets = [band for band in range(len(bandset)) if group[band] in hide.groups]
        others = [band for band in range(len(bandset)) if group[band] not in hide.groups]
        most = max(1, min(MOST_PREDICTORS, math.isqrt(MOST_SUMS // (2 * len(targets))) - 2))
        colour = np.log([band.wavelength for band in bandset.bands])
        # the nearest in wavelength
        nearest = sorted(others, key=lambda band: float(np.abs(colour[targets] - colour[band]).min()))
        half = math.ceil(min(height, width) / 2 / patch) * patch
        shown = tuple(date not in hide.dates for date in range(dates))
        return cls(len(bandset), tuple(targets), tuple(sorted(nearest[:most])), min(BLOCK_SIDE, half), shown)

    def of(self, part: RebuiltPart) -> RegressionSums:
        truth, hidden, known = part.rebuilt
        scored = hidden & known & np.array(self.shown)[:, None, None, None]
        rows, columns = (
            (np.arange(start, start + size) // self.side)
            for start, size in zip((part.window.row, part.window.column), truth.shape[2:], strict=True)
        )
        second = (rows[:, None] + columns) % 2 == 1
        return RegressionSums.of(truth, part.prediction, scored, known & ~hidden, second, self.predictors, self.targets)

    def read(self, notes: Mapping[str, Any]) -> RegressionSums:
        return RegressionSums.from_notes(notes)

    def sums(self, found: RegressionSums) -> WaySums:
        return found.scored(self.targets, self.bands)


@dataclass(frozen=True, slots=True)
class FromDates:
    """Hidden dates from the dates where the pixel is visible. times: days, or positions where any is unknown."""

    names: ClassVar[tuple[str, ...]] = ("nearest visible date", "linear in time")
    missing: ClassVar[str] = "no other date visible"
    times: tuple[int, ...]
    dates: tuple[int, ...]

    @classmethod
    def named(cls, hide: Hide, days: Sequence[int]) -> "FromDates":
        known = UNKNOWN not in days and list(days) == sorted(days)
        return cls(tuple(map(int, days)) if known else tuple(range(len(days))), hide.dates)

    def of(self, part: RebuiltPart) -> WaySums:
        truth, hidden, known = part.rebuilt
        total = WaySums.empty(len(self.names), truth.shape[1])
        for date in self.dates:
            estimates, found = in_time(truth, known & ~hidden, self.times, date)
            one = slice(date, date + 1)
            scored = (hidden & known)[one] & found
            total += WaySums.of(truth[one], part.prediction[one], estimates[:, None], scored)
        return total

    def read(self, notes: Mapping[str, Any]) -> WaySums:
        return WaySums.from_notes(notes)

    def sums(self, found: WaySums) -> WaySums:
        return found


@dataclass(frozen=True, slots=True)
class FromPlaces:
    """Hidden places from the visible pixels of the band in the same window, by harmonic interpolation.

    windows: the first row and column of those in which it is measured. margin: pixels. height, width: of the scene.
    """

    names: ClassVar[tuple[str, ...]] = ("harmonic interpolation in space",)
    missing: ClassVar[str] = "no visible pixel in the windows measured"
    windows: frozenset[tuple[int, int]]
    margin: int
    height: int
    width: int

    @classmethod
    def sampled(cls, plan: Plan, images: int) -> "FromPlaces":
        """In some of the plan's windows, spread over the scene by a hash of their place. images: bands of all dates."""
        margin = min(MARGIN_PATCHES * plan.patch, min(plan.side_rows, plan.side_columns) // 4)
        way = cls(frozenset(), margin, plan.height, plan.width)
        rows = way._measured(plan.rows, plan.block_rows, plan.side_rows, plan.height)
        columns = way._measured(plan.columns, plan.block_columns, plan.side_columns, plan.width)
        places = [(row, column) for row in rows for column in columns]
        values = images * plan.side_rows * plan.side_columns
        count = min(MOST_WINDOWS, max(FEWEST_WINDOWS, math.ceil(plan.count * VALUES_PER_WINDOW / values)))
        chosen = np.argsort(keys(0, *np.array(places).T), kind="stable")[:count]
        return replace(way, windows=frozenset(places[index] for index in chosen))

    def of(self, part: RebuiltPart) -> WaySums:
        dates, bands, *shape = part.truth.shape
        total = WaySums.empty(len(self.names), bands)
        window = part.window
        if (window.row, window.column) not in self.windows:
            return total
        (height, width), (below, right) = shape, part.prediction.shape[2:]
        rows = self._inner(window.row, height, self.height, below)
        columns = self._inner(window.column, width, self.width, right)
        prediction = part.prediction[..., rows, columns]
        truth, hidden, known = (each[..., rows, columns] for each in (part.truth, part.hidden, part.known))
        visible = part.known & ~part.hidden
        scored = hidden & known & visible.any(axis=(2, 3), keepdims=True)
        estimates = np.zeros((1, *truth.shape))
        for date in range(dates):
            some = np.flatnonzero(scored[date].any(axis=(1, 2)))
            solved = harmonic(part.truth[date, some], visible[date, some])
            estimates[0, date, some] = solved[:, rows, columns]
        return total + WaySums.of(truth, prediction, estimates, scored)

    def read(self, notes: Mapping[str, Any]) -> WaySums:
        return WaySums.from_notes(notes)

    def sums(self, found: WaySums) -> WaySums:
        return found

    def _measured(self, starts: Sequence[int], blocks: Sequence[tuple[int, int]], side: int, length: int) -> list[int]:
        """The windows along an axis that measure at least half as many pixels as any: a window that ends a narrow
        piece may measure none."""
        inner = [
            self._inner(start, side, length, last - first) for start, (first, last) in zip(starts, blocks, strict=True)
        ]
        sizes = [each.stop - each.start for each in inner]
        return [start for start, size in zip(starts, sizes, strict=True) if 2 * size >= max(sizes)]

    def _inner(self, start: int, side: int, length: int, rebuilt: int) -> slice:
        """Along an axis, the rebuilt pixels that are not near the border of the window, except at that of the scene."""
        first = self.margin if start else 0
        last = side if start + side >= length else side - self.margin
        return slice(first, max(first, min(last, rebuilt)))


def simple_way(hide: Hide, bandset: BandSet, days: Sequence[int], plan: Plan) -> FromBands | FromDates | FromPlaces:
    """The simple way for what is hidden of a scene."""
    if hide.groups:
        return FromBands.named(hide, bandset, len(days), plan.height, plan.width, plan.patch)
    return FromDates.named(hide, days) if hide.dates else FromPlaces.sampled(plan, len(days) * len(bandset))
