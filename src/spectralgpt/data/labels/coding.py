"""Which classes a data set has, and what stands for them in its labels and masks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from spectralgpt.data.file_labels import FileLabels
from spectralgpt.data.labels.class_list import ClassList, in_natural_order, read_class_list, refuse_repeated_names
from spectralgpt.data.labels.codes import nodata_of, without
from spectralgpt.data.labels.faults import Fault, Faults
from spectralgpt.data.labels.legend import Legend, read_legend
from spectralgpt.data.labels.opened_sample import OpenedSample
from spectralgpt.data.labels.reading import LabelReading
from spectralgpt.errors import DataError, counted, first_few
from spectralgpt.tasks import Class

MOST_CODES = 1000
"""More different values in masks are no classes."""

MASKS_TRIED = 20
"""Masks that are searched for names and colours of their codes, or for nodata."""

CHANGE_NAMES = ("no change", "change")


@dataclass(frozen=True, slots=True)
class Coding:
    """classes: in order. labels: the labels of images, or codes of masks, that stand for them. is_given: whether by the
    user or the data set, not by what occurs. notes: what a user should know of it."""

    classes: tuple[Class, ...]
    labels: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    is_given: bool = False
    notes: tuple[str, ...] = ()


def coding_of(labels: FileLabels, opened: Sequence[OpenedSample], reading: LabelReading, faults: Faults) -> Coding:
    """The classes, by the user's list, else the data set's, else by what occurs, in natural order."""
    given = None if reading.classes is None else read_class_list(reading.classes)
    if given is None and labels.classes:
        codes = tuple(map(str, codes_of_set(labels)))
        given = ClassList(labels.classes, codes if labels.target in ("mask", "change") else ())
    if labels.target in ("class", "classes"):
        coding = _of_labels(opened, given, faults)
    else:
        coding = _of_masks(labels, opened, given, reading, faults)
    refuse_repeated_names(labels.source, coding.classes)
    if len(coding.classes) < 2 and labels.target != "classes":
        name = (coding.classes or (Class("nothing"),))[0].name
        found = f"{labels.source}: found one class only, {name}"
        _refuse_nodata(found, "two or more", opened)
        raise DataError(
            found,
            "two or more",
            "List all classes, with their names and codes, in a file and give it:",
            ("classes", "classes.toml"),
        )
    return coding


def _refuse_nodata(found: str, expected: str, opened: Sequence[OpenedSample]) -> None:
    """DataError where masks declare a code that occurs in them as nodata, as it may be the class that is missing."""
    declared = _declared_nodata(opened)
    if declared:
        codes = first_few(list(map(str, declared)), 4)
        raise DataError(
            f"{found}; masks declare {codes} as nodata, so such pixels are not labelled",
            expected,
            "If that is a class, remove the declaration from their files (in rasterio: dataset.nodata = None)",
        )


def _declared_nodata(opened: Sequence[OpenedSample]) -> list[int]:
    """Codes that occur in the first masks and are their nodata."""
    masks = sorted({each.sample.mask for each in opened if each.sample.mask})[:MASKS_TRIED]
    return sorted({code for mask in masks if (code := nodata_of(mask)) is not None})


def codes_of_set(labels: FileLabels) -> tuple[int, ...]:
    """The codes of a data set's own classes; where each mask has its own, they are counted as 0, 1, ..."""
    if not labels.codes and any(sample.codes for sample in labels.samples):
        return tuple(range(len(labels.classes)))
    return labels.codes


def _of_labels(opened: Sequence[OpenedSample], given: ClassList | None, faults: Faults) -> Coding:
    occurring = in_natural_order([label for each in opened for label in each.sample.labels])
    if given is None:
        return Coding(tuple(map(Class, occurring)), tuple(occurring))
    known = given.labels or tuple(one.name for one in given.classes)
    faults.add(
        Fault("image", "with a label outside the classes", f"one of: {first_few(known, 20)}"),
        [
            f"{each.sample.name} ({', '.join(sorted(outside))})"
            for each in opened
            if (outside := set(each.sample.labels) - set(known))
        ],
    )
    absent = [one.name for one, label in zip(given.classes, known, strict=True) if label not in occurring]
    notes = (f"classes that do not occur: {first_few(absent, 8)}",) if absent else ()
    return Coding(given.classes, known, is_given=True, notes=notes)


def _of_masks(
    labels: FileLabels,
    opened: Sequence[OpenedSample],
    given: ClassList | None,
    reading: LabelReading,
    faults: Faults,
) -> Coding:
    ignore = {*reading.ignore, *labels.ignore}
    totals: dict[int, int] = {}
    for each in opened:
        for code, count in without(dict(each.counts), ignore).items():
            totals[code] = totals.get(code, 0) + count
    occurring = sorted(totals)
    if len(occurring) > MOST_CODES:
        raise DataError(f"{labels.source}: found {len(occurring)} different values in masks", "codes of classes")
    if not occurring:
        found = f"{labels.source}: found no labelled pixel in {counted(len(opened), 'mask')}"
        _refuse_nodata(found, "some", opened)
        raise DataError(found, "some")
    if given is not None and given.labels:
        return _of_codes(given, opened, totals, ignore, faults)
    if labels.target == "change":
        _refuse_no_change(labels.source, totals, opened)
    names = given.classes if given is not None else None
    if names is not None and len(names) != len(occurring):
        found, expected = (
            f"{labels.source}: found {_counts(totals)}",
            f"{counted(len(names), 'code')}, one for each of the given classes",
        )
        if len(names) > len(occurring):
            _refuse_nodata(found, expected, opened)
        raise DataError(
            found,
            expected,
            "Name the codes in a .toml file with",
            ("classes", "classes.toml"),
        )
    if names is None:
        legend = _legend([each.sample.mask for each in opened])
        names = _named(occurring, legend, CHANGE_NAMES if labels.target == "change" else ())
    return Coding(names, codes=tuple(occurring))


def _of_codes(
    given: ClassList, opened: Sequence[OpenedSample], totals: Mapping[int, int], ignore: Collection[int], faults: Faults
) -> Coding:
    """The classes whose codes are given; every other code is a fault, with its pixels counted."""
    codes = given.codes
    if not codes:
        raise DataError(
            f"found the labels {first_few(given.labels, 4)} for classes of masks", "whole numbers, the codes in masks"
        )
    outside = without(dict(totals), {*codes, *ignore})
    faults.add(
        Fault(
            "image",
            f"with mask codes outside the classes ({_counts(outside)})",
            f"one of: {first_few(list(map(str, codes)), 20)}",
            "Leave such pixels out with",
            (("ignore", sorted(outside)[0] if outside else 0),),
        ),
        [each.sample.name for each in opened if set(each.counts) & set(outside)],
    )
    absent = {code: one.name for one, code in zip(given.classes, codes, strict=True) if code not in totals}
    notes = [f"classes that do not occur: {first_few(list(absent.values()), 8)}"] if absent else []
    declared = sorted(set(absent) & set(_declared_nodata(opened))) if absent else []
    notes += [
        f"{code} ({absent[code]}) is declared as nodata in masks: such pixels are not labelled" for code in declared
    ]
    return Coding(given.classes, codes=codes, is_given=True, notes=tuple(notes))


def _refuse_no_change(source: str, totals: Mapping[int, int], opened: Sequence[OpenedSample]) -> None:
    if len(totals) != 2:
        found = f"{source}: found {_counts(totals)} in masks of change"
        expected = "two codes, the lower for no change, the higher for change"
        if len(totals) < 2:
            _refuse_nodata(found, expected, opened)
        raise DataError(
            found,
            expected,
            "Name codes of pixels that are not labelled with",
            ("ignore", min(totals)),
        )


def _counts(totals: Mapping[int, int]) -> str:
    return first_few([f"{code} ({counted(count, 'pixel')})" for code, count in sorted(totals.items())], 6)


def _legend(masks: Sequence[str]) -> Legend:
    """The first legend among the first masks by name."""
    for path in sorted({mask for mask in masks if mask})[:MASKS_TRIED]:
        legend = read_legend(path)
        if legend:
            return legend
    return Legend({}, {})


def _named(codes: Sequence[int], legend: Legend, usual: Sequence[str]) -> tuple[Class, ...]:
    """The classes of codes, with the legend's names and colours; codes without a name are `class 10`."""
    names = [legend.names.get(code, "") for code in codes]
    if len(set(filter(None, names))) < len(list(filter(None, names))):
        names = [""] * len(codes)  # a legend that calls two codes alike names neither
    plain = usual or [f"class {code}" for code in codes]
    return tuple(
        Class(name if name.isprintable() and name.strip() else other, legend.colours.get(code))
        for name, other, code in zip(names, plain, codes, strict=True)
    )
