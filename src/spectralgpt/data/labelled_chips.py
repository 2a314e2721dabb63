"""A labelled image cut into chips with their labels.

Targets `mask` and `change`: chips as those of other images, each with its part of the mask; a chip without a labelled
pixel is left out. Targets `class` and `classes`: the label is that of the whole image, so an image is one sample. One
that is larger than a chip is padded to the next multiple of 32 pixels; of one above 512 pixels (or above the chip, if
that is larger), only the middle is stored.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from spectralgpt.data.chips import (
    ChipOrigin,
    Cut,
    chip_of,
    corners,
    left_at_edges,
    padded_side,
    place_at,
    place_of,
    position_in,
    read_together,
    refuse_too_large,
)
from spectralgpt.data.labels.labelled import LabelledImage, LabelledSample
from spectralgpt.data.layout import Layout, wavelength_order
from spectralgpt.data.manifest import Failure
from spectralgpt.data.stored_targets import StoredTarget, stored_labels, stored_mask_of
from spectralgpt.data.table import Chip
from spectralgpt.errors import InputError
from spectralgpt.raster import Grid, Pixels, Readable, Window
from spectralgpt.tasks import TargetKind

LARGEST_WHOLE = 512
"""Pixels up to which an image with one label is stored whole: larger ones would fill the memory of a batch."""

WHOLE_STEP = 32
"""Such an image is padded to a multiple of it, so that images of nearly one size share a layout."""

Corners = frozenset[tuple[int, int]]
"""First row and column of the chips of an image that are already stored."""


@dataclass(frozen=True, slots=True)
class LabelCutting:
    """What all images of a labelled set have in common. classes: their number. chip: side in pixels, as given."""

    target: TargetKind
    classes: int
    chip: int

    @property
    def is_per_pixel(self) -> bool:
        """Whether labels are masks."""
        return self.target in ("mask", "change")

    def side(self, height: int, width: int) -> int:
        """The side of an image's chips."""
        longest = max(height, width)
        if self.is_per_pixel or longest <= self.chip:
            return padded_side(height, width, self.chip)
        return min(math.ceil(longest / WHOLE_STEP) * WHOLE_STEP, max(LARGEST_WHOLE, self.chip))

    def windows(self, height: int, width: int) -> list[Window]:
        """The chips of an image."""
        side = self.side(height, width)
        rows, columns = min(side, height), min(side, width)
        if self.is_per_pixel:
            return [Window(row, column, rows, columns) for row, column in corners(height, width, side)]
        return [Window((height - rows) // 2, (width - columns) // 2, rows, columns)]

    def layout(self, image: Readable) -> Layout:
        """The layout of an image's chips."""
        dates, _, height, width = image.shape
        bands = tuple(image.bands[index] for index in wavelength_order(image.bands))
        dtype = image.dtype.newbyteorder("=")
        return Layout(bands, str(dtype), dates, self.side(height, width), self.target, self.classes)

    def notes(self, name: str, height: int, width: int) -> tuple[str, ...]:
        """What of an image is in no chip."""
        side = self.side(height, width)
        if self.is_per_pixel:
            return left_at_edges(name, height, width, side)
        if max(height, width) <= side:
            return ()
        return (f"{name}: only the middle of {height} x {width} pixels is stored ({side} pixels)",)


@dataclass(frozen=True, slots=True)
class NamedSample:
    """A labelled sample to be stored. image: its name in the shards, unique. split, group: the part and place given for
    it."""

    image: str
    sample: LabelledSample
    split: str
    group: str

    def place(self, grid: Grid) -> int:
        """The hash of its place."""
        if self.group:
            return place_of(f"group {self.group}")
        return place_at(*(self.sample.position or position_in(grid, grid.whole)), self.image)


def cuts_of(named: NamedSample, image: LabelledImage, cutting: LabelCutting, known: Corners) -> Iterator[Cut]:
    """The chips of a labelled image that are not stored yet, some at a time, so that a large one is never read whole.

    At least one Cut. left_out: chips without a labelled pixel, or without a valid one. A file that cannot be read
    becomes a failure.
    """
    layout, grid = cutting.layout(image.image), image.image.grid
    windows = cutting.windows(*grid.shape)
    labelled = [window for window in windows if image.mask is None or (image.mask[window.slices] >= 0).any()]
    left = [window for window in labelled if (window.row, window.column) not in known]
    origin = ChipOrigin(named.image, named.sample.name, named.place(grid), len(labelled))
    first = Cut(
        named.image, layout, (), len(windows) - len(labelled), (), cutting.notes(named.sample.name, *grid.shape)
    )
    try:
        refuse_too_large(named.sample.name, layout)
        many = read_together(layout)
        for start in range(0, max(1, len(left)), many):
            chips = [_chip(named, image, layout, origin, window) for window in left[start : start + many]]
            found = tuple(chip for chip in chips if chip is not None)
            yield replace(first, chips=found, left_out=first.left_out + len(chips) - len(found))
            first = Cut(named.image, layout)
    except InputError as error:
        yield replace(first, failures=(Failure(named.sample.name, str(error), named.image),))


def _chip(named: NamedSample, image: LabelledImage, layout: Layout, origin: ChipOrigin, window: Window) -> Chip | None:
    """A chip with its labels; None where no pixel is valid."""
    pixels = _by_wavelength(image.image.read(window))
    if pixels.valid is not None and not pixels.valid.any():
        return None
    chip = chip_of(origin, pixels, layout, image.image.grid, window)
    if image.mask is None:
        target = stored_labels(named.sample.labels, layout)
    else:
        target = stored_mask_of(image.mask[window.slices], layout)
    labels = StoredTarget(target, named.split, named.sample.name, named.group)
    lon, lat = (chip.lon, chip.lat) if math.isfinite(chip.lon) else named.sample.position or (chip.lon, chip.lat)
    return replace(chip, labels=labels, lon=lon, lat=lat)


def _by_wavelength(pixels: Pixels) -> Pixels:
    """The pixels with their bands in order of wavelength."""
    order = wavelength_order(pixels.bands)
    return replace(
        pixels,
        values=pixels.values[:, order],
        valid=None if pixels.valid is None else pixels.valid[:, order],
        scale=np.asarray(pixels.scale, np.float64)[order],
        offset=np.asarray(pixels.offset, np.float64)[order],
        bands=tuple(pixels.bands[index] for index in order),
    )
