"""A sample whose files were opened and checked: its image, what is known of it, what is wrong with it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from spectralgpt.bands import Band, is_list
from spectralgpt.checks import check
from spectralgpt.data.file_labels import FileSample
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.labels.chosen_bands import open_chosen, with_bands
from spectralgpt.data.labels.codes import lies_on, read_mask
from spectralgpt.data.labels.faults import Fault
from spectralgpt.data.labels.pairs import fault_of_pair, paired, paired_pixels
from spectralgpt.data.labels.places import centre_and_extent
from spectralgpt.data.labels.reading import LabelReading
from spectralgpt.days import iso_date
from spectralgpt.errors import InputError
from spectralgpt.products import open_raster
from spectralgpt.raster import Grid, Raster, Readable

OTHER_PIXELS = Fault("image", "with a mask of another size", "one pixel of the mask per pixel of the image")
ONE_FILE = Fault("pair", "of a file with itself", "an image before and another one after")
ELSEWHERE = Fault("image", "with a mask of another CRS or transform", "the grid of the image")

Opener = Callable[[ImageSource], Readable]
"""How an image is opened."""


@dataclass(frozen=True, slots=True, eq=False)
class Reopened:
    """An image that is no Raster, and so is opened anew for each read, not kept in memory."""

    open: Opener
    image: ImageSource
    after: ImageSource | None

    def readable(self) -> Readable:
        """The image or pair."""
        before = self.open(self.image)
        return before if self.after is None else _pair(before, self.open(self.after))


@dataclass(frozen=True, slots=True, eq=False)
class OpenedSample:
    """image: None where it cannot be used; then `faults` (each with a name) or `error` says why. shape: of the image,
    date, band, row, column. native: the grid of its files. counts: the mask's pixels by code. warnings: what the check
    says, each with its kind.
    """

    sample: FileSample
    image: "Raster | Reopened | None" = None
    shape: tuple[int, int, int, int] = (0, 0, 0, 0)
    bands: tuple[Band, ...] = ()
    native: Grid | None = None
    counts: Mapping[int, int] = field(default_factory=dict)
    position: tuple[float, float] | None = None
    extent: float = float("nan")
    date: str = ""
    warnings: tuple[tuple[str, str], ...] = ()
    faults: tuple[tuple[Fault, str], ...] = ()
    error: InputError | None = None


def opener(given: Opener | None, reading: LabelReading, of_rows: bool = False) -> Opener:
    """How the images of a data set are opened: by its own function, else by `open_raster` with the user's options.

    The user's bands take precedence over those of a data set, of which a list of names is a selection. of_rows: the
    images are of a table: a sensor in a row takes precedence, as it is that of one image.
    """
    options: dict[str, Any] = {} if reading.nodata is None else {"nodata": reading.nodata}

    def by_raster(source: ImageSource) -> Readable:
        return open_raster(
            [source.opened(index) for index in range(len(source.paths))],
            bands=source.bands,
            clouds=source.clouds or reading.clouds,
            **options,
        )

    open_source = given or by_raster

    def opened(source: ImageSource) -> Readable:
        if reading.bands is None or (of_rows and source.bands and not is_list(reading.bands)):
            return open_source(source)
        if source.bands:
            return open_chosen(lambda bands: open_source(replace(source, bands=bands)), source.bands, reading.bands)
        if given is not None:
            return with_bands(given(source), reading.bands)
        return by_raster(replace(source, bands=reading.bands))

    return opened


def open_sample(
    sample: FileSample, opened: Opener, reading: LabelReading, codes: tuple[int, ...], ignore: frozenset[int]
) -> OpenedSample:
    """Open a sample's image or pair, check its values, and count the codes of its mask. No file stays open.

    codes: of the set, in which those of a mask that is coded differently are counted. ignore: codes that are left out.
    """
    if sample.after is not None and _files(sample.image) == _files(sample.after):
        return OpenedSample(sample, faults=((ONE_FILE, sample.name),))
    try:
        image = opened(sample.image)
        if sample.after is not None:
            after = opened(sample.after)
            fault = fault_of_pair(image, after)
            if fault is not None:
                return OpenedSample(sample, faults=((fault, sample.name),))
            image = _pair(image, after)
        warnings = _checked(image, reading)
        native = image.grid
        counts: Mapping[int, int] = {}
        if sample.mask:
            stored = read_mask(sample.mask)
            if not lies_on(stored.grid, native):
                return OpenedSample(sample, faults=(_misplaced(sample, stored.grid, native),))
            counts, strange = in_codes_of_set(stored.counts(), sample.codes, codes)
            if not strange <= ignore:
                fault = Fault("mask", "with codes outside its classes", f"{', '.join(map(str, sample.codes))}")
                return OpenedSample(sample, faults=((fault, f"{sample.name} ({min(strange - ignore)})"),))
        if reading.gsd is not None and isinstance(image, Raster):
            image = replace(image, grid=native.at_gsd(reading.gsd))
    except InputError as error:
        return OpenedSample(sample, error=error)
    place = centre_and_extent(native)
    days = [int(day) for day in image.days if day >= 0]
    return OpenedSample(
        sample=sample,
        image=image if isinstance(image, Raster) else Reopened(opened, sample.image, sample.after),
        shape=image.shape,
        bands=image.bands,
        native=native,
        counts=counts,
        position=sample.position or (place[0] if place else None),
        extent=place[1] if place else float("nan"),
        date=sample.date or (iso_date(days[0]) if days else ""),
        warnings=warnings,
    )


def _files(image: ImageSource) -> list[str]:
    return [os.path.realpath(path) for path in image.paths]


def in_codes_of_set(
    counts: Mapping[int, int], own: Sequence[int], codes: Sequence[int]
) -> tuple[dict[int, int], set[int]]:
    """The counts of a mask with codes of its own, by the set's codes in the same order; and the codes that are neither.

    Without codes of its own: as they are.
    """
    if not own:
        return dict(counts), set()
    of_set = dict(zip(own, codes, strict=True))
    return {of_set[code]: count for code, count in counts.items() if code in of_set}, set(counts) - set(own)


def _pair(before: Readable, after: Readable) -> Readable:
    if isinstance(before, Raster) and isinstance(after, Raster):
        return paired(before, after)
    return paired_pixels(before.read(), after.read())


def _checked(image: Readable, reading: LabelReading) -> tuple[tuple[str, str], ...]:
    """The warnings of the check, each with its kind; InputError where the image is refused."""
    if not isinstance(image, Raster):
        return ()
    with image:
        verdict = check(image, reading.trust_input)
    source = image.source
    kinds = {flag.text: flag.kind for flag in verdict.flags}
    return tuple((kinds.get(text.removeprefix(f"{source}: "), ""), text) for text in verdict.warnings)


def _misplaced(sample: FileSample, mask: Grid, image: Grid) -> tuple[Fault, str]:
    if mask.shape == image.shape:
        return ELSEWHERE, sample.name
    return (
        OTHER_PIXELS,
        f"{sample.name} (mask {mask.height} x {mask.width}, image {image.height} x {image.width})",
    )
