"""What `probe` and `evaluate` do before they compute: open all labels, and say what they are."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.plain import as_text
from spectralgpt.progress import Progress
from spectralgpt.verbs._image_kind import kind_of_image
from spectralgpt.verbs._options import LabelledObject, LabelOptions, PathLike, ProbeOptions, SceneOptions

if TYPE_CHECKING:
    from spectralgpt.data.labels import ClassList, LabelledImage, LabelledSample, LabelledSet, LabelReading
    from spectralgpt.evaluation import Places
    from spectralgpt.raster import ResultMark
    from spectralgpt.tasks import Class, TargetKind
    from spectralgpt.weights import PretrainedModel, TrainedDomain
    from spectralgpt.weights.trained_domain import ImageKind

IMAGE_TARGETS: tuple["TargetKind", ...] = ("class", "classes")
"""Kinds of labels that are of whole images."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labelled images of all parts, and the report on each source. files: what they are read from."""

    data: "LabelledSet"
    reports: tuple[str, ...]
    files: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The reports, one after the other."""
        return "\n\n".join(self.reports)


@dataclass(frozen=True, slots=True, eq=False)
class WatchedSet:
    """A labelled set that keeps the kind of each image that is read, as it is to a model."""

    whole: "LabelledSet"
    model: "PretrainedModel"
    kinds: "dict[int, ImageKind]" = field(default_factory=dict)

    @property
    def source(self) -> str:
        return self.whole.source

    @property
    def target(self) -> "TargetKind":
        return self.whole.target

    @property
    def classes(self) -> "tuple[Class, ...]":
        return self.whole.classes

    @property
    def samples(self) -> "tuple[LabelledSample, ...]":
        return self.whole.samples

    @property
    def notes(self) -> tuple[str, ...]:
        return self.whole.notes

    def read(self, index: int) -> "LabelledImage":
        """The image and mask of a sample."""
        found = self.whole.read(index)
        self.kinds[index] = kind_of_image(found.image, self.model)
        return found

    def notes_on_weights(self, weights: PathLike | None, fitted_on: "TrainedDomain | None" = None) -> tuple[str, ...]:
        """Lines on images, of those that were read, outside what the model was trained on, or the probe fitted to, and
        on a path that was taken for the weights although others have its name."""
        from spectralgpt.weights.named import name_note
        from spectralgpt.weights.trained_domain import outside_note, outside_probe_note

        kinds = list(self.kinds.values())
        outside = outside_note(self.model.provenance, self.source, kinds)
        return (*outside, *outside_probe_note(fitted_on, self.source, kinds), *filter(None, [name_note(weights)]))


def hashes_of(
    data: "LabelledSet", sides: Iterable[int], progress: Progress, *, skip_damaged: bool = False
) -> list[frozenset[str]]:
    """The hashes of each image and of its chips. skip_damaged: an image that cannot be read has none, for a caller that
    names it where it is stored or judged; otherwise it is refused with RasterError."""
    from spectralgpt.data.sample_hashes import sample_hashes
    from spectralgpt.errors import RasterError

    found: list[frozenset[str]] = []
    for index in range(len(data.samples)):
        try:
            found.append(sample_hashes(data.read(index).image, sides))
        except RasterError:
            if not skip_damaged:
                raise
            found.append(frozenset())
        progress("reading images", index + 1, len(data.samples))
    return found


def mark_of_labels(verb: str, data: Sequence[PathLike | LabelledObject | None]) -> "ResultMark":
    """The mark of a report on labelled images. Labels made in Python count by what they say they are."""
    from spectralgpt.raster import ResultMark

    given = [each for each in data if each is not None]
    return ResultMark.of(
        verb, [each if isinstance(each, str | os.PathLike) else str(getattr(each, "source", "")) for each in given]
    )


def opened_parts(
    parts: Sequence[tuple[str, PathLike | LabelledObject | None]],
    options: LabelOptions,
    progress: Progress,
    known: "ClassList | None" = None,
) -> Labels:
    """The labelled images of sources as one set. parts: the split that a source is, empty for its own splits, and the
    source, None where not given. known: the classes of labels of images, where neither the user nor an earlier part
    gives them; labels outside them are refused. Raises InputError before anything is computed."""
    from spectralgpt.data.labels import LabelledSet, MeasuredLabels, find_labels, join, open_labels
    from spectralgpt.errors import OptionError

    reading = label_reading(options)
    kinds = IMAGE_TARGETS
    sets, reports = [], []
    files: list[str] = []
    for split, source in parts:
        if isinstance(source, LabelledSet):
            sets.append((split, source))
            reports.append(str(getattr(source, "report", source.source)))
        elif isinstance(source, str | os.PathLike):
            found = find_labels(source, reading)
            # another kind of labels is refused as that, not for its classes
            classes = reading.classes or (known if found.target in kinds else None)
            opened = open_labels(found, replace(reading, classes=classes), progress)
            sets.append((split, opened.data))
            reports.append(str(opened.report))
            files += found.files
        elif source is not None:
            raise OptionError(f"found labels of the type {type(source).__name__}", "a path, or a LabelledSet")
        if sets and known is None:
            known, kinds = class_list(sets[0][1]), (sets[0][1].target,)
    data = join(sets)
    return Labels(data if data.target in IMAGE_TARGETS else MeasuredLabels(data), tuple(reports), tuple(files))


def refuse_read_targets(
    targets: Iterable[Path], labels: Labels, options: LabelOptions, given: Iterable[PathLike | LabelledObject | None]
) -> None:
    """TargetError for an existing target that the labels, what is in the options, or what was given are read from: it
    is never replaced. Images may have any name, that of a report too."""
    from spectralgpt.products import source_files
    from spectralgpt.products.targets import refuse_source

    existing = [target for target in targets if os.path.lexists(target)]
    if existing:
        chosen = (*given, as_text(options["bands"]), as_text(options["classes"]))
        files = source_files([each for each in chosen if isinstance(each, str | os.PathLike)], labels.files)
        for target in existing:
            refuse_source(target, files)


def class_list(data: "LabelledSet") -> "ClassList | None":
    """The classes of a set, as a list for others; None for changes, as their masks may be coded differently."""
    from spectralgpt.data.labels import ClassList, FileSet

    if data.target in ("class", "classes"):
        return ClassList(data.classes, tuple(one.name for one in data.classes))
    if data.target == "mask" and isinstance(data, FileSet):
        return ClassList(data.classes, tuple(map(str, data.codes)))
    return None


def places_of_set(data: "LabelledSet", apart: float | int) -> "Places":
    """The places of its samples. apart: images nearer than this, in km, are of one place."""
    import numpy as np

    from spectralgpt.evaluation import places_of

    unknown = (float("nan"), float("nan"))
    return places_of(
        [sample.group for sample in data.samples],
        np.array([sample.position or unknown for sample in data.samples], np.float64).reshape(-1, 2),
        np.array([sample.extent for sample in data.samples], np.float64),
        apart,
    )


def read_with(options: ProbeOptions | SceneOptions) -> dict[str, str]:
    """The options that change the pixels of an image, where they are given."""
    given = {name: options[name] for name in ("gsd", "clouds", "nodata", "bands_as")}
    return {name: str(value) for name, value in given.items() if value is not None}


def label_reading(options: LabelOptions) -> "LabelReading":
    """The options in the words of `data.labels`."""
    from spectralgpt.data.labels import LabelReading
    from spectralgpt.products.nodata import given_nodata

    given_nodata(as_text(options["nodata"]))  # refused here, once, and not for each image

    def path(name: str) -> str | None:
        given = as_text(options[name])  # type: ignore[literal-required]
        return None if given is None else os.fspath(given)

    return LabelReading(
        masks=path("masks"),
        after=path("after"),
        classes=path("classes"),
        ignore=_codes(as_text(options["ignore"])),
        label=options["label"],
        variant=options["variant"],
        bands=as_text(options["bands"]),
        gsd=options["gsd"],
        nodata=as_text(options["nodata"]),
        clouds=path("clouds"),
        trust_input=options["trust_input"],
    )


def check_apart(apart: float | int) -> None:
    """OptionError for a distance that is none."""
    from spectralgpt.errors import OptionError, argument

    if not 0 <= apart < 20_000:  # also of NaN
        raise OptionError(argument("apart", apart), "kilometres, from 0 to below 20,000")


def check_val(data: "LabelledSet", given: bool) -> None:
    """DataError for a validation part without anything to report on."""
    from spectralgpt.errors import DataError

    if given and not any(sample.split == "test" for sample in data.samples):
        raise DataError(
            f"{data.source}: found labels to choose by, and no test part to report on",
            "the part test in the data, or test='TEST'",
            "Without a test part, the images themselves are split, and no val is needed",
        )


def _codes(text: str | None) -> tuple[int, ...]:
    from spectralgpt.errors import OptionError, argument

    try:
        return tuple(int(part) for part in (text or "").replace(",", " ").split())
    except ValueError:
        raise OptionError(argument("ignore", text), "whole numbers, separated by commas, like 0,255") from None
