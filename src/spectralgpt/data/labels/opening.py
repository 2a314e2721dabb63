"""Opening labelled images: every file is looked at before anything is computed, and all faults are one message."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from spectralgpt.bands import Band
from spectralgpt.cores import available_cores
from spectralgpt.data.file_labels import FileLabels
from spectralgpt.data.labels.coding import Coding, codes_of_set, coding_of
from spectralgpt.data.labels.faults import Fault, Faults, kind_of_text
from spectralgpt.data.labels.file_set import FileSet
from spectralgpt.data.labels.finding import find_labels
from spectralgpt.data.labels.label_report import LabelReport, report_of
from spectralgpt.data.labels.label_table import is_table
from spectralgpt.data.labels.labelled import LabelledSample, LabelledSet
from spectralgpt.data.labels.opened_sample import OpenedSample, open_sample, opener
from spectralgpt.data.labels.reading import LabelReading
from spectralgpt.errors import DataError, InputError, counted
from spectralgpt.progress import Progress, silent

THREADS = min(8, available_cores())
"""Files that are opened at a time."""

ABSENT_CLASS = Fault("class", "without a sample in the part train", "samples of every class to train on")
FEWER_BANDS = Fault(
    "image",
    "with fewer bands than the others",
    "the same bands in all",
    "List the bands that all have in the argument `bands`",
)
EMPTY_PART = Fault("part", "without a labelled sample", "labels in every part")


@dataclass(frozen=True, slots=True, eq=False)
class OpenedLabels:
    """A labelled data set, checked, and the report on it."""

    data: LabelledSet
    report: LabelReport


def open_labels(
    source: str | os.PathLike[str] | FileLabels, reading: LabelReading | None = None, progress: Progress = silent
) -> OpenedLabels:
    """The labelled images of a source: a folder of class folders, a table, folders of images and masks, a known data
    set (`find_labels`).

    Every image is opened and checked, every mask counted. InputError, one message with the first files and the count
    of each kind of fault, for anything that cannot be used.
    """
    reading = reading or LabelReading()
    labels = source if isinstance(source, FileLabels) else find_labels(source, reading)
    if not labels.samples:
        raise DataError(f"{labels.source}: found no labelled image", "at least one")
    opened = _opened(labels, reading, progress)
    faults = Faults(labels.source)
    for each in opened:
        if each.error is not None:
            faults.add_error(each.sample.name, each.error)
        for fault, name in each.faults:
            faults.add(fault, [name])
    usable = [each for each in opened if each.image is not None]
    faults.add(FEWER_BANDS, _with_fewer_bands(usable))
    coding = _coding(labels, usable, reading, faults)
    samples = [_sample(each, coding) for each in usable]
    pixels = [_pixels(each, coding) for each in usable] if coding.codes else []
    if len(usable) == len(opened):  # else a class may be absent because its images could not be opened
        _check_parts(samples, pixels, coding, faults)
    faults.refuse()
    notes = (*labels.notes, *coding.notes, *_warnings(usable), *_without_part(samples))
    return OpenedLabels(
        _set(labels, coding, usable, samples, notes), _report(labels, coding, usable, samples, pixels, notes)
    )


def _opened(labels: FileLabels, reading: LabelReading, progress: Progress) -> list[OpenedSample]:
    """All samples in their order, opened in threads, as GDAL waits for files."""
    how = opener(labels.open, reading, of_rows=is_table(labels.source))
    codes = codes_of_set(labels)
    ignore = frozenset((*reading.ignore, *labels.ignore))
    found: list[OpenedSample] = []
    with ThreadPoolExecutor(THREADS) as threads:
        for each in threads.map(lambda sample: open_sample(sample, how, reading, codes, ignore), labels.samples):
            found.append(each)
            progress("opening labelled images", len(found), len(labels.samples))
    return found


def _coding(labels: FileLabels, usable: Sequence[OpenedSample], reading: LabelReading, faults: Faults) -> Coding:
    """The classes. InputError, for all faults so far, where there can be none."""
    if not usable:
        faults.refuse()
    try:
        return coding_of(labels, usable, reading, faults)
    except InputError as error:
        if len(usable) == len(labels.samples):  # else it may be for want of the images that could not be opened
            faults.add_error(labels.source, error)
        faults.refuse()
        raise


def _with_fewer_bands(opened: Sequence[OpenedSample]) -> list[str]:
    """Names of the images with only a part of the bands that most images of their sensor have."""
    usual: dict[str, set[Band]] = {}
    for bands, _ in Counter(each.bands for each in opened).most_common():
        usual.setdefault(bands[0].sensor, set(bands))
    return [
        f"{each.sample.name} ({counted(len(each.bands), 'band')})"
        for each in opened
        if set(each.bands) < usual[each.bands[0].sensor]
    ]


def _sample(each: OpenedSample, coding: Coding) -> LabelledSample:
    """The sample with the indices of its labels; those outside the classes were noted as faults."""
    return LabelledSample(
        name=each.sample.name,
        labels=tuple(sorted(coding.labels.index(label) for label in each.sample.labels if label in coding.labels)),
        split=each.sample.split,
        group=each.sample.group,
        position=each.position,
        extent=each.extent,
        date=each.date,
    )


def _pixels(each: OpenedSample, coding: Coding) -> dict[int, int]:
    """The labelled pixels of a mask by index of their class."""
    return {index: each.counts[code] for index, code in enumerate(coding.codes) if code in each.counts}


def _check_parts(
    samples: Sequence[LabelledSample], pixels: Sequence[Mapping[int, int]], coding: Coding, faults: Faults
) -> None:
    """Note parts without a label, and classes that occur in another part but not in train."""
    classes: dict[str, set[int]] = {}
    for index, sample in enumerate(samples):
        classes.setdefault(sample.split, set()).update(pixels[index] if pixels else sample.labels)
    faults.add(EMPTY_PART, [part for part, found in classes.items() if part and not found])
    if "train" in classes:
        elsewhere = set().union(*(found for part, found in classes.items() if part != "train"))
        absent = sorted(elsewhere - classes["train"])
        faults.add(ABSENT_CLASS, [coding.classes[index].name for index in absent])


def _warnings(opened: Sequence[OpenedSample]) -> list[str]:
    """The warnings on images, each kind once, with the number of other images that have it."""
    kinds: dict[str, list[str]] = {}
    for each in opened:
        for kind, text in each.warnings:
            kinds.setdefault(kind or kind_of_text(text), []).append(text)
    return [
        texts[0]
        if len(texts) == 1
        else f"{texts[0]} (and {counted(len(texts) - 1, 'more image')} with a warning of this kind)"
        for texts in kinds.values()
    ]


def _without_part(samples: Sequence[LabelledSample]) -> list[str]:
    alone = sum(not sample.split for sample in samples)
    return [f"{counted(alone, 'sample')} in no part"] if 0 < alone < len(samples) else []


def _set(
    labels: FileLabels,
    coding: Coding,
    opened: Sequence[OpenedSample],
    samples: Sequence[LabelledSample],
    notes: tuple[str, ...],
) -> FileSet:
    return FileSet(
        source=labels.source,
        target=labels.target,
        classes=coding.classes,
        samples=tuple(samples),
        notes=notes,
        images=tuple(each.image for each in opened if each.image is not None),
        natives=tuple(each.native for each in opened if each.native is not None),
        masks=tuple(each.sample.mask for each in opened) if coding.codes else (),
        codes=tuple(each.sample.codes or coding.codes for each in opened) if coding.codes else (),
    )


def _report(
    labels: FileLabels,
    coding: Coding,
    opened: Sequence[OpenedSample],
    samples: Sequence[LabelledSample],
    pixels: Sequence[Mapping[int, int]],
    notes: tuple[str, ...],
) -> LabelReport:
    whole = sum(each.native.height * each.native.width for each in opened if each.native is not None)
    return report_of(
        source=labels.source,
        target=labels.target,
        classes=coding.classes,
        samples=samples,
        pixels=pixels,
        unlabelled=whole - sum(sum(each.values()) for each in pixels) if pixels else 0,
        shapes=[f"{each.shape[2]} x {each.shape[3]}" for each in opened],
        bands=[f"{each.bands[0].sensor}, {counted(len(each.bands), 'band')}" for each in opened],
        notes=notes,
    )
