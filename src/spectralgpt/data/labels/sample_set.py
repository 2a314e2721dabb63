"""Data sets in memory or of other libraries: samples as TorchGeo gives them, in place of files.

A sample is a mapping with `image` (band, row, column) or, for change, `image1` and `image2` or an `image` of two dates;
and with `label` (a whole number, or one 0 or 1 per class) or `mask` (row, column). None of these libraries is imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from spectralgpt.data.labels.class_list import refuse_repeated_names
from spectralgpt.data.labels.coding import CHANGE_NAMES
from spectralgpt.data.labels.faults import Fault, Faults
from spectralgpt.data.labels.label_report import LabelReport, report_of
from spectralgpt.data.labels.labelled import LabelledImage, LabelledSample
from spectralgpt.data.labels.places import centre_and_extent
from spectralgpt.data.labels.sample_check import suspected
from spectralgpt.data.labels.sample_form import labels_of, pixels_of, stored_mask, target_of
from spectralgpt.days import iso_date
from spectralgpt.errors import DataError, InputError, counted
from spectralgpt.products.arrays.pixels import Bands
from spectralgpt.progress import Progress, silent
from spectralgpt.tasks import Class, TargetKind

OTHER_SHAPE = Fault("sample", "with a mask of another size than its image", "one pixel of the mask per pixel")
OUTSIDE_CLASSES = Fault("sample", "with a label outside the classes", "indices of the classes, from 0")
OTHER_TARGET = Fault("sample", "without the kind of label that the first one has", "one kind in all samples")


@runtime_checkable
class SampleSource(Protocol):
    """A data set of samples, such as one of TorchGeo."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True, slots=True, eq=False)
class SampleLabels:
    """Of a sample: its labels as indices, or the pixels of its mask by code."""

    labels: tuple[int, ...] = ()
    counts: Mapping[int, int] | None = None

    @property
    def occurring(self) -> set[int]:
        """The values that occur."""
        return set(self.labels if self.counts is None else self.counts)

    def by_index(self, codes: Sequence[int]) -> dict[int, int]:
        """The pixels of the mask by index of their code."""
        counts = self.counts or {}
        return {index: counts[code] for index, code in enumerate(codes) if code in counts}


class SampleSet:
    """A LabelledSet of a data set of samples. `report` says what it holds.

    target: default by the samples: `mask` with two dates is change, a vector of labels is several classes. bands: as
    for as_pixels, where the samples do not name them. classes: in the order of the labels; default the data set's
    `classes`, else the labels that occur. gsd: metres, default the samples' grids'. ignore: values of masks that are
    not labelled. split: the part that all samples are in. Every sample is read once, now, and checked: one DataError
    for all that cannot be used; trust_input: go on where values are not reflectance.
    """

    def __init__(
        self,
        dataset: SampleSource,
        target: TargetKind | None = None,
        *,
        bands: Bands | None = None,
        classes: Sequence[str | Class] | None = None,
        gsd: float | int | None = None,
        ignore: Sequence[int] = (),
        split: str = "",
        trust_input: bool = False,
        progress: Progress = silent,
    ) -> None:
        self.dataset = dataset
        self.source = type(dataset).__name__
        self._bands, self._gsd = bands, gsd
        if len(dataset) < 1:
            raise DataError(f"{self.source}: found no sample", "at least one")
        self.target: TargetKind = target or target_of(dataset[0], "0")
        faults = Faults(self.source)
        found = [self._opened(index, faults, progress) for index in range(len(dataset))]
        faults.refuse()
        opened = [each for each in found if each is not None]
        if not trust_input:
            _refuse_units(self.source, [each.flags for each in opened])
        self.classes, self.codes = self._coding([each.labels for each in opened], classes, set(ignore), faults)
        faults.refuse()
        self.samples = tuple(each.sample(index, self.target, split) for index, each in enumerate(opened))
        self.notes = _notes(opened)
        self.report = self._report(opened)

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, index: int) -> LabelledImage:
        """The image and mask of a sample, read anew. Thread-safe where the data set is."""
        sample = self.dataset[index]
        mask = stored_mask(sample, self.target)
        return LabelledImage(
            pixels_of(sample, self._bands, self._gsd), None if mask is None else mask.indices(self.codes)
        )

    def _opened(self, index: int, faults: Faults, progress: Progress) -> "_Opened | None":
        name = str(index)
        progress("reading labelled samples", index + 1, len(self.dataset))
        try:
            sample = self.dataset[index]
            pixels = pixels_of(sample, self._bands, self._gsd)
            if (target_of(sample, name) in ("mask", "change")) != (self.target in ("mask", "change")):
                faults.add(OTHER_TARGET, [name])
                return None
            mask = stored_mask(sample, self.target)
            if mask is not None and mask.codes.shape != pixels.shape[2:]:
                faults.add(OTHER_SHAPE, [f"{name} ({mask.codes.shape}, {pixels.shape[2:]})"])
                return None
            labels = (
                SampleLabels(labels_of(sample, self.target)) if mask is None else SampleLabels(counts=mask.counts())
            )
        except InputError as error:
            faults.add_error(name, error)
            return None
        flags = tuple((flag.kind, flag.text) for flag in suspected(pixels))
        place = centre_and_extent(pixels.grid)
        days = [int(day) for day in pixels.days if day >= 0]
        return _Opened(labels, pixels.shape, pixels.bands[0].sensor, flags, place, iso_date(days[0]) if days else "")

    def _coding(
        self, found: Sequence[SampleLabels], given: Sequence[str | Class] | None, ignore: set[int], faults: Faults
    ) -> tuple[tuple[Class, ...], tuple[int, ...]]:
        """The classes, and the values that stand for them in labels or masks."""
        occurring = sorted({each for one in found for each in one.occurring} - ignore)
        names = given if given is not None else getattr(self.dataset, "classes", None)
        if names is None and self.target == "change" and len(occurring) == 2:
            return (Class(CHANGE_NAMES[0]), Class(CHANGE_NAMES[1])), tuple(occurring)
        if names is None:
            codes = occurring if self.target in ("mask", "change") else range(max(occurring, default=-1) + 1)
            names = [f"class {code}" for code in codes]
        else:
            codes = range(len(names))
        classes = tuple(name if isinstance(name, Class) else Class(str(name)) for name in names)
        refuse_repeated_names(self.source, classes)
        if self.target == "change" and len(classes) != 2:
            raise DataError(f"{self.source}: found {len(classes)} classes of change", "two: no change, change")
        strange = [one.occurring - ignore - set(codes) for one in found]
        faults.add(OUTSIDE_CLASSES, [f"{index} ({min(each)})" for index, each in enumerate(strange) if each])
        return classes, tuple(codes)

    def _report(self, opened: "Sequence[_Opened]") -> LabelReport:
        masked = self.target in ("mask", "change")
        pixels = [each.labels.by_index(self.codes) for each in opened] if masked else []
        whole = sum(each.shape[2] * each.shape[3] for each in opened)
        return report_of(
            source=self.source,
            target=self.target,
            classes=self.classes,
            samples=self.samples,
            pixels=pixels,
            unlabelled=whole - sum(sum(each.values()) for each in pixels) if masked else 0,
            shapes=[f"{each.shape[2]} x {each.shape[3]}" for each in opened],
            bands=[f"{each.sensor}, {counted(each.shape[1], 'band')}" for each in opened],
            notes=self.notes,
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """What is kept of a sample. flags: kind and text of each suspicion."""

    labels: SampleLabels
    shape: tuple[int, int, int, int]
    sensor: str
    flags: tuple[tuple[str, str], ...]
    place: tuple[tuple[float, float], float] | None
    date: str

    def sample(self, index: int, target: TargetKind, split: str) -> LabelledSample:
        return LabelledSample(
            name=str(index),
            labels=self.labels.labels if target in ("class", "classes") else (),
            split=split,
            position=self.place[0] if self.place else None,
            extent=self.place[1] if self.place else float("nan"),
            date=self.date,
        )


def _refuse_units(source: str, flags: Sequence[tuple[tuple[str, str], ...]]) -> None:
    wrong = [(index, text) for index, each in enumerate(flags) for kind, text in each if kind == "units"]
    if wrong:
        more = f" (the same in {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise DataError(
            f"{source}: sample {wrong[0][0]}: {wrong[0][1]}{more}", "", "To go on anyway, give", ("trust_input", True)
        )


def _notes(opened: Sequence[_Opened]) -> tuple[str, ...]:
    """The suspicions, each kind once."""
    kinds: dict[str, list[str]] = {}
    for index, each in enumerate(opened):
        for kind, text in each.flags:
            kinds.setdefault(kind, []).append(f"sample {index}: {text}")
    return tuple(
        texts[0] if len(texts) == 1 else f"{texts[0]} (and {counted(len(texts) - 1, 'more sample')})"
        for texts in kinds.values()
    )
