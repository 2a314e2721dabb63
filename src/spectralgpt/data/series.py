"""The rasters of an image to be stored: opened, checked, and the dates of a stack put together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from spectralgpt.bands import Band
from spectralgpt.checks import check
from spectralgpt.data.image_source import ImageSource
from spectralgpt.data.layout import wavelength_order
from spectralgpt.data.manifest import Failure, Suspected, suspected_of
from spectralgpt.days import UNKNOWN
from spectralgpt.errors import InputError, RasterError
from spectralgpt.products import cloud_options, open_raster
from spectralgpt.raster import Raster


@dataclass(frozen=True, slots=True)
class Reading:
    """How images are read and cut: the user's options."""

    chip: int
    least_valid: float
    most_dates: int
    bands: str | None = None
    clouds: str | None = None
    gsd: float | int | None = None
    trust: bool = False
    nodata: str | float | int | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One raster of an image: consecutive dates. files: what open_raster opens, two of one day as one
    date. source: the first date's name."""

    files: tuple[str, ...]
    bands: str | None
    clouds: str | None
    gsd: float | int | None
    source: str
    nodata: str | float | int | None = None


@dataclass(frozen=True, slots=True)
class CheckedSeries:
    """The rasters of an image, and what opening and checking them brought up. failures: of dates that are left out."""

    several: tuple[Series, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    suspected: tuple[Suspected, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckedDate:
    """A file of a stack. bands, shape: of its raster; dates of one stack mostly have the same."""

    series: Series
    day: int
    bands: frozenset[Band]
    shape: tuple[int, int]
    warnings: tuple[str, ...]
    suspected: tuple[Suspected, ...]

    @property
    def kind(self) -> tuple[frozenset[Band], tuple[int, int]]:
        """Bands, rows and columns."""
        return self.bands, self.shape


def series_of(image: ImageSource, reading: Reading) -> CheckedSeries:
    """The rasters of an image, checked; a date of a stack that does not open or fit becomes a failure. InputError for
    an image that is no stack and cannot be read."""
    if image.stack:
        return _stack(image, reading)
    series = first_of(image, reading)
    verdict = check(opened(series), reading.trust)
    return CheckedSeries((series,), (), verdict.warnings, tuple(suspected_of(verdict.flags, series.source, image.name)))


def first_of(image: ImageSource, reading: Reading) -> Series:
    """The first date of an image, not checked: enough to know how large its samples are."""
    return _alone(image, 0, image.clouds or reading.clouds, reading)


def _alone(image: ImageSource, index: int, clouds: str | None, reading: Reading) -> Series:
    bands = image.bands or reading.bands
    return Series((image.opened(index),), bands, clouds, reading.gsd, image.sources[index], reading.nodata)


def _stack(image: ImageSource, reading: Reading) -> CheckedSeries:
    clouds = image.clouds or reading.clouds or ""
    masks = clouds.split(",")
    masks = masks if len(masks) == len(image.paths) else [clouds] * len(image.paths)
    dates: list[CheckedDate] = []
    failures: list[Failure] = []
    for index, mask in enumerate(masks):
        series = _alone(image, index, mask or None, reading)
        try:
            dates.append(_checked(image, index, series, reading.trust))
        except InputError as error:
            failures.append(Failure(series.source, str(error), image.name))
    by_day, of_one_day = _by_day(dates, image.name)
    fitting, of_other_kinds = _fitting(by_day, image.name)
    return CheckedSeries(
        several=tuple(
            _together(fitting[start : start + reading.most_dates])
            for start in range(0, len(fitting), reading.most_dates)
        ),
        failures=(*failures, *of_one_day, *of_other_kinds),
        warnings=tuple(warning for date in by_day for warning in date.warnings),
        suspected=tuple(each for date in by_day for each in date.suspected),
    )


def _checked(image: ImageSource, index: int, series: Series, trust: bool) -> CheckedDate:
    with _open(series) as raster:
        verdict = check(raster, trust)
        day = _day(image, index, raster)
    suspected = tuple(suspected_of(verdict.flags, series.source, image.name))
    return CheckedDate(series, day, frozenset(raster.bands), raster.grid.shape, verdict.warnings, suspected)


def _day(image: ImageSource, index: int, raster: Raster) -> int:
    path = image.opened(index)
    if len(raster.days) > 1:
        raise RasterError(
            f"{path}: found {len(raster.days)} dates in one file among the dates of a place",
            "files of one date",
            "Give the file alone, as an image of its own",
        )
    (day,) = raster.days
    if day == UNKNOWN and len(image.paths) > 1:
        raise RasterError(
            f"{path}: found no date in its metadata or name",
            "a date, as its place has several images",
            "Give it in the column `date` of a table",
        )
    return int(day)


def _by_day(dates: Sequence[CheckedDate], image: str) -> tuple[list[CheckedDate], list[Failure]]:
    """One per day, in the order in which the days came first: two files of one day are one date, valid pixels of the
    first before those of the other, as for open_raster. One that does not fit the first becomes a failure."""
    by_day: dict[int, CheckedDate] = {}
    failures = []
    for date in dates:
        if date.day not in by_day:
            by_day[date.day] = date
            continue
        first = by_day[date.day]
        both = _together([first.series, date.series])
        try:
            with _open(both) as raster:
                warnings = tuple(dict.fromkeys((*first.warnings, *date.warnings, *raster.warnings)))
        except InputError as error:
            failures.append(Failure(date.series.source, str(error), image))
        else:
            suspected = (*first.suspected, *date.suspected)
            by_day[date.day] = replace(first, series=both, warnings=warnings, suspected=suspected)
    return list(by_day.values()), failures


def _fitting(dates: Sequence[CheckedDate], image: str) -> tuple[list[Series], list[Failure]]:
    """The dates in order of time, without those that do not fit the most frequent kind: these become failures."""
    if not dates:
        return [], []
    most = Counter(date.kind for date in dates).most_common(1)[0][0]
    first = next(date.series for date in dates if date.kind == most)
    fitting, failures = [], []
    for date in sorted(dates, key=lambda date: date.day):
        try:
            if date.kind != most:
                _open(_together([first, date.series]))  # refuses other bands, and another place
            fitting.append(date.series)
        except InputError as error:
            failures.append(Failure(date.series.source, str(error), image))
    return fitting, failures


def _together(several: Sequence[Series]) -> Series:
    """Dates of one place, each file with its own cloud mask, or all with the product's own layer."""
    first, masks = several[0], [series.clouds or "" for series in several]
    clouds = masks[0] if masks[0].lower() in ("", *cloud_options()) else ",".join(masks)
    return replace(first, files=tuple(file for series in several for file in series.files), clouds=clouds or None)


def _open(series: Series) -> Raster:
    return by_wavelength(
        open_raster(series.files, bands=series.bands, clouds=series.clouds, gsd=series.gsd, nodata=series.nodata)
    )


def by_wavelength(raster: Raster) -> Raster:
    """The raster with its bands in order of wavelength: files that differ only in their order have one layout."""
    order = wavelength_order(raster.bands)
    return replace(
        raster,
        layers=tuple(tuple(of_date[index] for index in order) for of_date in raster.layers),
        scale=tuple(raster.scale[index] for index in order),
        offset=tuple(raster.offset[index] for index in order),
    )


@lru_cache(maxsize=2)
def opened(series: Series) -> Raster:
    """The raster of the series being read: a worker gets its parts one after another."""
    return _open(series)
