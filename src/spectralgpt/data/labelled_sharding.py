"""From a labelled set to a shards folder with targets: resumable, as `shard` is."""

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from spectralgpt.cores import available_cores
from spectralgpt.data.chips import Cut
from spectralgpt.data.labelled_chips import Corners, LabelCutting, NamedSample, cuts_of
from spectralgpt.data.labels.label_report import REPORT_PARTS
from spectralgpt.data.labels.labelled import LabelledSet
from spectralgpt.data.loader import prefetched
from spectralgpt.data.manifest import Failure, LabelsMark, Manifest
from spectralgpt.data.sharding import MEGABYTE, ShardingOutcome, ShardingReport
from spectralgpt.data.stored_targets import stored_labels
from spectralgpt.data.writing import ShardsWriter
from spectralgpt.errors import DataError, InputError, OptionError, RasterError, argument, counted, first_few
from spectralgpt.interruption import Interruption
from spectralgpt.progress import Progress, silent

MOST_READERS = 4
"""Threads that read images unless a number is given."""

CHIP_SIDES = (8, 32_000)
"""Pixels of the side of a chip."""

DIFFERENT_SHOWN = 5
"""Splits or classes in a message about other ones."""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """What the shards hold of a sample. chips: how many it has in all. labels: the column `target` of one class or
    several, None for masks."""

    split: str
    group: str
    labels: int | bytes | None
    chips: int
    corners: Corners


def shard_labels(
    labels: LabelledSet,
    folder: str | os.PathLike[str],
    *,
    splits: Sequence[str],
    groups: Sequence[str],
    chip: int = 128,
    size: int = 256 * MEGABYTE,
    workers: int | None = None,
    strict: bool = False,
    progress: Progress = silent,
) -> ShardingReport:
    """Store the samples of a labelled set with their labels, for training.

    splits: per sample, the part it is in: train, val, test, or empty. groups: per sample, the place by which it was
    split, empty where unknown. chip: side in pixels; how images are cut is said in `labelled_chips`. All bands are
    stored; samples of other sensors, types and sizes are of other layouts. size: bytes of values per shard. workers:
    number of threads; the bytes written do not depend on it. strict: the first sample that cannot be read ends the run.
    progress: stage "sharding", in samples.

    The report counts samples as images; its `left_out` are chips without a labelled pixel or without a valid one. What
    is already stored stays as it is, and samples that could not be read are tried again. A mask that changed under its
    old name is not noticed. Graceful shutdown: an interrupt (SIGINT, SIGTERM) finishes the open shards, then raises
    KeyboardInterrupt.

    OptionError for options that do not fit; DataError for a folder that was made of other labels, classes, splits or
    groups, with another chip, or without labels; RasterError in strict mode; TargetError as ShardsWriter.
    """
    named = _named(labels, splits, groups)
    if not CHIP_SIDES[0] <= chip <= CHIP_SIDES[1]:
        raise OptionError(argument("chip", chip), f"{CHIP_SIDES[0]} to {CHIP_SIDES[1]} pixels")
    cutting = LabelCutting(labels.target, len(labels.classes), chip)
    mark = LabelsMark(_digest(named), chip)
    with ShardsWriter(Path(folder), size) as writer, Interruption() as interruption:
        stored = _stored_rows(writer)
        _refuse_other_labels(writer, labels, named, mark, stored)
        classes = writer.manifest.classes or labels.classes
        writer.update(replace(writer.manifest, target=labels.target, classes=classes, labels=mark))
        left = [index for index, each in enumerate(named) if not _is_whole(stored.get(each.image))]
        known = len(named) - len(left)
        outcome = ShardingOutcome(writer.manifest)
        progress("sharding", known, len(named))

        def looked(index: int) -> tuple[Cut, Iterator[Cut]]:
            row = stored.get(named[index].image)
            cuts = _cuts(labels, index, named[index], cutting, frozenset() if row is None else row.corners)
            return next(cuts), cuts

        threads = min(MOST_READERS, available_cores()) if workers is None else workers
        with closing(prefetched(looked, left, threads if threads > 1 else 0)) as results:
            for first, rest in results:
                failures = _store(outcome, writer, first, rest)
                outcome.end(first.image, first.image in stored)
                progress("sharding", known + outcome.done, len(named))
                if interruption.asked or (strict and failures):
                    break
    writer.update(outcome.noted_in(writer.manifest))
    if strict and outcome.first_failure is not None:
        raise RasterError(outcome.first_failure.reason)
    if interruption.asked:
        raise KeyboardInterrupt
    return outcome.report(writer.manifest, len(named), known)


def _store(outcome: ShardingOutcome, writer: ShardsWriter, first: Cut, rest: Iterator[Cut]) -> list[Failure]:
    """Write all chips of a sample."""
    failures: list[Failure] = []
    for cut in (first, *rest):
        outcome.store(cut, writer)
        failures += cut.failures
    return failures


def _cuts(labels: LabelledSet, index: int, named: NamedSample, cutting: LabelCutting, known: Corners) -> Iterator[Cut]:
    """The chips of a sample that are not stored yet; one that cannot be read becomes a failure."""
    try:
        image = labels.read(index)
    except InputError as error:
        yield Cut(named.image, failures=(Failure(named.sample.name, str(error), named.image),))
        return
    yield from cuts_of(named, image, cutting, known)


def _named(labels: LabelledSet, splits: Sequence[str], groups: Sequence[str]) -> list[NamedSample]:
    """The samples with what is given for them. A name that several have, as in joined sets, is numbered."""
    samples = labels.samples
    for option, given in (("splits", splits), ("groups", groups)):
        if len(given) != len(samples):
            raise OptionError(f"{option}: found {len(given)} for {counted(len(samples), 'sample')}", "one per sample")
    if strange := sorted(set(splits) - set(REPORT_PARTS)):
        raise OptionError(f"splits: found {first_few(strange, DIFFERENT_SHOWN)}", "train, val, test or empty")
    seen: Counter[str] = Counter()
    named = []
    for sample, split, group in zip(samples, splits, groups, strict=True):
        seen[sample.name] += 1
        again = f"#{seen[sample.name]}" if seen[sample.name] > 1 else ""
        named.append(NamedSample(sample.name + again, sample, split, group))
    return named


def _digest(named: Sequence[NamedSample]) -> str:
    """SHA-256 over the samples' names, labels, splits and groups."""
    content = [[each.image, each.sample.labels, each.split, each.group] for each in named]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _stored_rows(writer: ShardsWriter) -> dict[str, StoredRow]:
    """What the folder holds, by name of the image."""
    corners: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
    rows: dict[str, tuple[str, str, int | bytes | None, int]] = {}
    for layout, table in writer.tables():
        if layout.target is None:
            continue
        image, split, group, row, column, chips = (
            table.column(name).to_pylist() for name in ("image", "split", "group", "row", "column", "chips")
        )
        is_per_pixel = layout.target in ("mask", "change")
        labels = [None] * len(image) if is_per_pixel else table.column("target").to_pylist()
        for name, *corner in zip(image, row, column, strict=True):
            corners[name].add((corner[0], corner[1]))
        rows |= zip(image, zip(split, group, labels, chips, strict=True), strict=True)
    return {name: StoredRow(*values, frozenset(corners[name])) for name, values in rows.items()}


def _is_whole(row: StoredRow | None) -> bool:
    return row is not None and len(row.corners) == row.chips


def _refuse_other_labels(
    writer: ShardsWriter,
    labels: LabelledSet,
    named: Sequence[NamedSample],
    mark: LabelsMark,
    stored: Mapping[str, StoredRow],
) -> None:
    """DataError where the folder holds something other than a part of these labels."""
    different = _difference(writer.manifest, labels, named, mark, stored)
    if different:
        raise DataError(
            f"{writer.folder}: {different}", "the labels that the folder was made of", "Choose another folder"
        )


def _difference(
    manifest: Manifest,
    labels: LabelledSet,
    named: Sequence[NamedSample],
    mark: LabelsMark,
    stored: Mapping[str, StoredRow],
) -> str:
    """In what the folder differs from what is to be stored, in words; empty where it does not."""
    if manifest.target is None:
        return "contains samples without labels" if manifest.shards else ""
    if manifest.target != labels.target:
        return f"contains labels of the kind {manifest.target!r}, not {labels.target!r}"
    kept, given = ([one.name for one in each] for each in (manifest.classes, labels.classes))
    if kept != given:
        return f"contains the classes {first_few(kept, DIFFERENT_SHOWN)}, not {first_few(given, DIFFERENT_SHOWN)}"
    if manifest.labels is None or manifest.labels == mark:
        return ""
    if manifest.labels.chip != mark.chip:
        return f"contains samples with {argument('chip', manifest.labels.chip)}, not {argument('chip', mark.chip)}"
    wanted = {each.image: each for each in named}
    differences = (_of_sample(image, row, wanted.get(image), manifest) for image, row in stored.items())
    return next(filter(None, differences), "was made of other samples, splits or groups")


def _of_sample(image: str, row: StoredRow, wanted: NamedSample | None, manifest: Manifest) -> str:
    """In what a stored sample differs."""
    if wanted is None:
        return f"contains the sample {image}, which is not among the labels"
    if row.split != wanted.split:
        return f"contains the sample {image} in the part {row.split!r}, not {wanted.split!r}"
    if row.group != wanted.group:
        return f"contains the sample {image} in the group {row.group!r}, not {wanted.group!r}"
    if row.labels is not None and row.labels != stored_labels(wanted.sample.labels, manifest.layouts[0]):
        return f"contains the sample {image} with another label"
    return ""
