"""Maps of what changed: a class per place, from distances and a threshold; and the counts of such maps."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from rasterio.windows import Window as RasterioWindow

from spectralgpt.raster import CogWriter, Grid, Profile
from spectralgpt.raster.areas import row_areas
from spectralgpt.raster.handles import open_dataset
from spectralgpt.raster.tags import CLASSES_TAG, THRESHOLD_TAG
from spectralgpt.report.evaluation import class_colours
from spectralgpt.report.evaluation.colours import rgb
from spectralgpt.tasks import Class

CHANGE_CLASSES = (Class("unchanged", "#d9d9d9"), Class("changed", "#d7191c"))
"""Of maps by distance, and of weights that have no names for two classes."""

NO_CLASS = 255
"""Value of the map where nothing is known."""

ROBUST_DEVIATIONS = 3.0
"""Robust standard deviations above the median from which on a distance is a change."""

OF_NORMAL = 1.4826
"""The standard deviation of a normal distribution over its median distance from the median."""

OTSU_BINS = 1024


@dataclass(frozen=True, slots=True)
class ChangeThreshold:
    """From which distance on a place has changed (above, not at it), and how that was chosen."""

    value: float
    chosen: str


def change_threshold(distances: Float32[np.ndarray, " place"]) -> ChangeThreshold:
    """The larger of two: the median plus three robust standard deviations, as most places have not changed, and Otsu's,
    which tells two clear groups apart. Of equal distances, or none, nothing is above it.

    On ten OSCD pairs the second alone would mark a third of all places, where 5 % have changed (docs/change.md); it
    counts where most of a scene has not changed at all, so that its spread says nothing.
    """
    if not len(distances):
        return ChangeThreshold(0.0, "no distances")
    values = distances.astype(np.float64)
    middle = float(np.median(values))
    robust = middle + ROBUST_DEVIATIONS * OF_NORMAL * float(np.median(np.abs(values - middle)))
    apart = otsu(values)
    if robust >= apart:
        return ChangeThreshold(robust, "median + 3 robust standard deviations")
    return ChangeThreshold(apart, "Otsu, above median + 3 robust standard deviations")


def otsu(values: np.ndarray) -> float:
    """The threshold between two groups of values with the largest variance between them (Otsu 1979); the largest value
    where all are the same."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return high
    counts, edges = np.histogram(values, OTSU_BINS, (low, high))
    middles = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * middles)[:-1]
    above = counts.sum() - below
    apart = sums / below - ((counts * middles).sum() - sums) / np.maximum(above, 1)
    variance = below * above * apart**2
    # of equally good places, as in a gap, the middle one
    best = np.flatnonzero(variance >= variance.max() * (1 - 1e-12))
    return float(edges[1:-1][best].mean())


@dataclass(frozen=True, slots=True)
class ClassTotals:
    """Of each class of a map, by its name: pixels of the map, and square metres (nan without a CRS). known: pixels that
    have a class."""

    pixels: dict[str, int]
    square_metres: dict[str, float]
    known: int

    @property
    def changed_share(self) -> float:
        """Of all classes but the first, nan where nothing is known."""
        return sum(list(self.pixels.values())[1:]) / self.known if self.known else float("nan")

    @property
    def changed_square_metres(self) -> float:
        """Of all classes but the first."""
        return sum(list(self.square_metres.values())[1:])


def class_totals(classes: Sequence[Class], grid: Grid, rows: Iterable[UInt8[np.ndarray, "_ column"]]) -> ClassTotals:
    """Counts over the rows of a map, from the top."""
    areas, pixels, area, top = row_areas(grid), np.zeros(len(classes), int), np.zeros(len(classes)), 0
    for block in rows:
        of_each = (block == np.arange(len(classes))[:, None, None]).sum(axis=2)
        pixels += of_each.sum(axis=1)
        area += of_each @ areas[top : top + len(block)]
        top += len(block)
    names = [each.name for each in classes]
    return ClassTotals(
        dict(zip(names, pixels.tolist(), strict=True)), dict(zip(names, area.tolist(), strict=True)), int(pixels.sum())
    )


def coloured_classes(classes: Sequence[Class]) -> tuple[Class, ...]:
    """The classes with a colour each."""
    colours = class_colours([each.colour for each in classes])
    return tuple(Class(each.name, colour) for each, colour in zip(classes, colours, strict=True))


def class_profile(grid: Grid, classes: Sequence[Class], tags: dict[str, str]) -> Profile:
    """The layout of a map of classes, with their colours and names."""
    named = coloured_classes(classes)
    return Profile(
        grid=grid,
        count=1,
        dtype="uint8",
        nodata=NO_CLASS,
        descriptions=("class",),
        tags={**tags, CLASSES_TAG: json.dumps([asdict(each) for each in named])},
        interleave="band",
        block=128,
        resampling="nearest",
        categories=tuple(each.name for each in named),
        colours=tuple(rgb(each.colour or "") for each in named),
    )


def write_changed(distances: Path, target: Path, grid: Grid, threshold: float | None) -> ChangeThreshold:
    """Write the map of places with a distance above a threshold, the given or the chosen one, with the tags of the map
    of distances. grid: of both. TargetError when the disk refuses."""
    with open_dataset(str(distances)) as dataset:
        tags, values = dict(dataset.tags()), dataset.read(1)
    known = ~np.isnan(values)
    chosen = change_threshold(values[known]) if threshold is None else ChangeThreshold(float(threshold), "given")
    profile = class_profile(grid, CHANGE_CLASSES, {**tags, THRESHOLD_TAG: f"{chosen.value:.9g} ({chosen.chosen})"})
    with CogWriter(target, profile) as writer:
        writer.write(0, np.where(known, values > chosen.value, NO_CLASS).astype(np.uint8)[None])
    return chosen


def stored_rows(path: Path, height: int = 512) -> Iterable[np.ndarray]:
    """The first band of a raster, some rows at a time."""
    with open_dataset(str(path)) as dataset:
        for row in range(0, dataset.height, height):
            yield dataset.read(1, window=RasterioWindow(0, row, dataset.width, min(height, dataset.height - row)))
