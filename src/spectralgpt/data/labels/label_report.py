"""What a labelled data set holds, before anything is computed of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spectralgpt.data.labels.labelled import LabelledSample
from spectralgpt.errors import counted, first_few
from spectralgpt.tasks import Class, TargetKind

REPORT_CLASSES, REPORT_NOTES = 12, 6
"""Rows of classes, and notes, that a report prints."""

LONGEST_NAME = 40
"""Characters of a class's name that a report prints."""

REPORT_PARTS = ("train", "val", "test", "")
"""Parts in the order of a report's columns."""

TARGET_WORDS: Mapping[TargetKind, str] = {
    "class": "one label each",
    "classes": "any number of labels each",
    "mask": "a mask each",
    "change": "pairs with a mask of change",
}


@dataclass(frozen=True, slots=True)
class LabelReport:
    """samples: their number by part, `` where they are in none. counts: by part and class, images or, for masks,
    pixels. unlabelled: share of mask pixels that are not labelled or ignored, or of images without a label. sizes,
    bands: images by `rows x columns` and by bands. positions, groups, dates: number of images with one; group_count:
    number of different groups. notes: warnings, what was left out and why.
    """

    source: str
    target: TargetKind
    samples: Mapping[str, int]
    counts: Mapping[str, Mapping[str, int]]
    unlabelled: float
    sizes: Mapping[str, int]
    bands: Mapping[str, int]
    positions: int
    groups: int
    group_count: int
    dates: int
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        total = sum(self.samples.values())
        unit = "pixels" if self.target in ("mask", "change") else "images"
        lines = [
            f"{self.source}: {counted(total, 'sample')}, {TARGET_WORDS[self.target]}",
            f"sizes: {_listed(self.sizes)}; bands: {_listed(self.bands)}",
            f"with position: {self.positions}, group: {self.groups} ({self.group_count} different), date: {self.dates}",
        ]
        if self.unlabelled:
            lines.append(f"not labelled: {self.unlabelled:.1%} of {unit}")
        lines += class_table(self.samples, self.counts, unit)
        lines += [f"note: {note}" for note in self.notes[:REPORT_NOTES]]
        if len(self.notes) > REPORT_NOTES:
            lines.append(f"and {counted(len(self.notes) - REPORT_NOTES, 'more note')}")
        return "\n".join(lines)


def class_table(samples: Mapping[str, int], counts: Mapping[str, Mapping[str, int]], unit: str) -> list[str]:
    """Lines of a table: how often each class occurs in each part. samples: images by part; counts: by part and class;
    unit: what is counted."""
    parts = [part for part in REPORT_PARTS if part in counts]
    names = list(next(iter(counts.values()), {}))
    shown = names if len(names) <= REPORT_CLASSES else names[: REPORT_CLASSES - 1]
    rows = [["images", *(str(samples[part]) for part in parts)]]
    rows += [[_shortened(name), *(str(counts[part][name]) for part in parts)] for name in shown]
    if len(names) > len(shown):
        rest = names[len(shown) :]
        rows.append([f"{len(rest)} more classes", *(str(sum(counts[part][each] for each in rest)) for part in parts)])
    rows.insert(0, [f"{unit} per class", *(part or ("all" if len(parts) == 1 else "no part") for part in parts)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(text.ljust(width) if not at else text.rjust(width) for at, (text, width) in
                  enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]  # fmt: skip


def report_of(
    source: str,
    target: TargetKind,
    classes: Sequence[Class],
    samples: Sequence[LabelledSample],
    pixels: Sequence[Mapping[int, int]],
    unlabelled: int,
    shapes: Sequence[str],
    bands: Sequence[str],
    notes: Sequence[str],
) -> LabelReport:
    """The report on samples. pixels: of each mask by index of its class; empty where labels are of images. unlabelled:
    number of mask pixels that are not labelled. shapes, bands: of each image, in words."""
    parts = [part for part in REPORT_PARTS if any(sample.split == part for sample in samples)]
    counts = {part: dict.fromkeys((one.name for one in classes), 0) for part in parts}
    for index, sample in enumerate(samples):
        found = pixels[index] if pixels else dict.fromkeys(sample.labels, 1)
        for label, count in found.items():
            counts[sample.split][classes[label].name] += count
    if pixels:
        labelled = sum(sum(each.values()) for each in pixels)
        share = unlabelled / max(1, unlabelled + labelled)
    else:
        share = sum(not sample.labels for sample in samples) / max(1, len(samples))
    return LabelReport(
        source=source,
        target=target,
        samples={part: sum(sample.split == part for sample in samples) for part in parts},
        counts=counts,
        unlabelled=share,
        sizes=dict(Counter(shapes).most_common()),
        bands=dict(Counter(bands).most_common()),
        positions=sum(sample.position is not None for sample in samples),
        groups=sum(bool(sample.group) for sample in samples),
        group_count=len({sample.group for sample in samples if sample.group}),
        dates=sum(bool(sample.date) for sample in samples),
        notes=tuple(notes),
    )


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _listed(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return first_few([f"{what} ({count})" for what, count in counts.items()], 3)
