"""How good weights with a head, or a probe, are on labelled images."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from spectralgpt.errors import counted
from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import (
    Announced,
    JudgingOptions,
    LabelledData,
    PathLike,
    ShowProgress,
)
from spectralgpt.verbs._probing import with_interval

if TYPE_CHECKING:
    from spectralgpt.data.labels import LabelledSet
    from spectralgpt.verbs._answering import Answerer
    from spectralgpt.verbs._judged_page import Findings
    from spectralgpt.verbs._labels import Labels


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Scores on labelled images.

    score: the name of the first score; value, low, high: it, with its interval over places. accuracy: of a target
    `class`, the first score; None of others. scores, intervals: all, by name. counts: images, classes, classes_present
    (in the truth, over which means run), places. part: what was evaluated. seen: images that training saw. marks: why
    the scores cannot be compared with others.
    """

    target: str
    name: str
    score: str
    value: float
    low: float
    high: float
    accuracy: float | None
    scores: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    counts: Mapping[str, int]
    part: str
    seen: int
    fingerprint: str
    out: Path | None
    report: str
    seconds: float
    marks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        width = max(map(len, self.scores))
        lines = [
            f"{self.name}; {self.part}: {self.counts['images']} images at {counted(self.counts['places'], 'place')}, "
            f"{self.counts['classes_present']} of {self.counts['classes']} classes in the truth",
        ]
        for name, value in self.scores.items():
            lines.append(f"  {name.ljust(width)}  {with_interval(value, *self.intervals[name])}")
        lines += [f"NOT COMPARABLE: {mark}" for mark in self.marks]
        if self.out is not None:
            lines.append(f"{self.out / 'report.html'}, {self.out / 'metrics.json'}")
        lines.append(f"weights: {self.fingerprint[:16]} ({self.seconds:.1f} s)")
        return "\n".join(lines)


@with_shared_options
def evaluate(
    data: LabelledData,
    *,
    out: PathLike | None = None,
    part: Literal["auto", "test", "val", "train", "all"] = "auto",
    encoder: PathLike | None = None,
    announce: Announced = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[JudgingOptions],
) -> Evaluated:
    """Score weights with a head, or a probe, on labelled images.

    DATA is as for `probe`. Nothing is fitted or chosen: thresholds are those that were chosen with the probe. One table
    of counts per image is made, and every score is a reduction of it; intervals are by bootstrap over places.

    Args:
        out: Folder for the report (report.html, metrics.json); default: none is kept.
        part: Samples that are scored; auto: the part test where the data have one, else all.
        encoder: Weights that a probe was fitted with, if they have moved.
        weights: A folder that `probe` wrote, or weights with a head: a weights folder, a released checkpoint (.pth), or
            a model on the Hugging Face hub (owner/name).
        seed: Seed of the draws of places.

    Example:
        spectralgpt evaluate labelled --bands s2-l1c --weights report --out evaluation
    """
    import time

    from spectralgpt.report.evaluation import REPORT_FILES, check_report_target
    from spectralgpt.verbs._answering import opened_answerer
    from spectralgpt.verbs._evaluating import judged_answers, write_judged
    from spectralgpt.verbs._labels import check_apart, mark_of_labels, opened_parts, refuse_read_targets

    start = time.perf_counter()
    folder = None if out is None else Path(out)
    mark = mark_of_labels("evaluate", (data,))
    if folder is not None:
        _check_no_fitting(folder)
        for line in check_report_target(folder, mark=mark.tags, overwrite=options["overwrite"]):
            announce(line)
    check_apart(options["apart"])
    answerer = opened_answerer(options, encoder)
    labels = opened_parts([("", data)], options, progress, answerer.known_classes)
    if folder is not None:
        targets = [folder / name for name in REPORT_FILES]
        refuse_read_targets(targets, labels, options, (data, options["weights"], encoder))
    announce(labels.text)
    chosen, name = _part(labels.data, part)
    findings, seen = judged_answers(answerer, labels, chosen, options, progress)
    if folder is not None:
        write_judged(folder, answerer, findings, labels, name, seen, mark, overwrite=options["overwrite"])
    return _result(answerer, findings, labels, name, seen, folder, time.perf_counter() - start)


def _check_no_fitting(folder: Path) -> None:
    """TargetError for the folder of a probe or a fine-tuning: its report is the one on images that it was not fitted
    to."""
    from spectralgpt.errors import TargetError
    from spectralgpt.features.probe_files import is_probe
    from spectralgpt.verbs._fit_folder import ASKED

    if is_probe(folder):
        raise TargetError(f"{folder}: holds a probe and the report on it", "a folder without a probe", "Choose another")
    of_a_seed = folder.name.startswith("seed-") and (folder.parent / ASKED).exists()
    if of_a_seed or (folder / ASKED).exists():
        raise TargetError(
            f"{folder}: holds a fine-tuning and the report on it", "a folder without one", "Choose another"
        )


def _part(data: "LabelledSet", part: str) -> tuple[list[int], str]:
    """Indices of the samples of a part, and the part in words. DataError for an empty one."""
    from spectralgpt.errors import DataError

    splits = [sample.split for sample in data.samples]
    if part == "auto":
        part = "test" if "test" in splits else "all"
    if part == "all":
        return list(range(len(splits))), "all samples"
    chosen = [index for index, split in enumerate(splits) if split == part]
    if not chosen:
        have = ", ".join(sorted(set(filter(None, splits)))) or "no parts"
        raise DataError(f"{data.source}: has no sample in the part {part}", f"one of its parts: {have}")
    return chosen, f"the part {part}"


def _result(
    answerer: "Answerer",
    findings: "Findings",
    labels: "Labels",
    part: str,
    seen: int,
    out: Path | None,
    seconds: float,
) -> Evaluated:
    trial = findings.trial
    first = next(iter(findings.intervals))
    value = findings.intervals[first]
    return Evaluated(
        target=trial.data.target,
        name=answerer.name,
        score=first,
        value=value.value,
        low=value.low,
        high=value.high,
        accuracy=value.value if first == "accuracy" else None,
        scores={name: each.value for name, each in findings.intervals.items()},
        intervals={name: (each.low, each.high) for name, each in findings.intervals.items()},
        counts={
            "images": len(trial.names),
            "classes": len(trial.classes),
            "classes_present": int((trial.truth.any(axis=0)).sum()),
            "places": trial.places.count,
        },
        part=part,
        seen=seen,
        fingerprint=answerer.model.fingerprint(),
        out=out,
        report=labels.text,
        seconds=seconds,
        marks=tuple(findings.marks),
        warnings=tuple(findings.notes),
    )
