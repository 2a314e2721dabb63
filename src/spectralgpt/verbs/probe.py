"""Labels in, honest numbers out: read-outs of frozen features, judged by place."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Literal, Unpack

from spectralgpt.progress import silent, unheard
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import (
    Announced,
    JudgingOptions,
    LabelledData,
    LabelledObject,
    PathLike,
    ShowProgress,
)
from spectralgpt.verbs._probing import WORDS, in_words, with_interval

CHOICES_SHOWN = 3
"""Different choices that the text lists, the most frequent first."""

if TYPE_CHECKING:
    from spectralgpt.data.labels import LabelledSet
    from spectralgpt.verbs._judged_page import Findings
    from spectralgpt.verbs._probe_run import ProbeRun


@dataclass(frozen=True, slots=True)
class ScoreOfMethod:
    """A score of one method on one kind of features. difference: how much more the probe scores, paired, with its
    interval; 0 of the probe itself."""

    features: str
    method: str
    value: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float


@dataclass(frozen=True, slots=True)
class Probed:
    """How good a read-out of frozen features is.

    target: class, classes, mask or change. score: the name of the first score; value, low, high: it, with its interval.
    accuracy: of a target `class`, the first score; None of others. scores: all, by name. counts: images, classes,
    places, and per class. methods: the first score of everything that was judged. method: chosen by inner folds or
    validation; chosen: its settings, the most frequent first. seen: images that pretraining saw. report: what the
    labels are.
    """

    target: str
    method: str
    score: str
    value: float
    low: float
    high: float
    accuracy: float | None
    scores: Mapping[str, float]
    counts: Mapping[str, int]
    per_class: Mapping[str, int]
    methods: tuple[ScoreOfMethod, ...]
    chosen: tuple[str, ...]
    curve: Mapping[str, Mapping[str, tuple[float, ...]]]
    split: str
    seen: int
    fingerprint: str
    out: Path | None
    report: str
    seconds: float
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        by = in_words(self.methods[0].features, self.method)
        lines = [f"{self.score} {with_interval(self.value, self.low, self.high, '95 % interval ')}: {by}"]
        others = [f"{name} {value:.3f}" for name, value in self.scores.items() if name != self.score]
        lines.append(f"{self.split}; {', '.join(others)}")
        names = [in_words(each.features, each.method) for each in self.methods]
        for name, each in zip(names, self.methods, strict=True):
            found = with_interval(each.value, each.low, each.high)
            lines.append(f"  {name.ljust(max(map(len, names)))}  {found}{_difference(each)}")
        lines.append(f"chosen: {'; '.join(self.chosen[:CHOICES_SHOWN])}")
        for method, points in self.curve.items():
            means = ", ".join(f"{shots}: {mean(values):.3f}" for shots, values in points.items())
            lines.append(f"{self.score} by images per class, {WORDS.get(method, method)}: {means}")
        if self.seen:
            lines.append(f"NOT COMPARABLE: pretraining saw {self.seen} of these images, so the score is too good")
        if self.out is not None:
            lines.append(f"{self.out / 'report.html'}, {self.out / 'metrics.json'}, and the probe itself")
        lines.append(f"weights: {self.fingerprint[:16]} ({self.seconds:.1f} s)")
        return "\n".join(lines)


@with_shared_options
def probe(
    data: LabelledData,
    *,
    val: PathLike | LabelledObject | None = None,
    test: PathLike | LabelledObject | None = None,
    out: PathLike | None = None,
    method: Literal["auto", "knn", "ridge", "logistic", "trees"] = "auto",
    read_out: Literal["auto", "mean", "layers"] = "auto",
    split: Literal["auto", "given", "places"] = "auto",
    beside: Literal["handmade"] | None = None,
    shots: str | None = None,
    baselines: bool = False,
    repeats: int | None = None,
    folds: int = 5,
    announce: Announced = unheard,
    progress: ShowProgress = silent,
    **options: Unpack[JudgingOptions],
) -> Probed:
    """Judge a model's frozen features by labelled images, and keep the read-out.

    DATA is a folder of class folders; a table (CSV, Parquet, GeoJSON) with the columns image and label, labels or mask;
    a folder of images and masks, or of pairs and masks; or a known data set. Features are computed once; k-nearest
    neighbours, ridge regression and logistic regression are fitted to them, their settings and thresholds are chosen by
    inner folds or the validation part, and what is reported was never used to choose. Without a split, whole places are
    held back in turn.

    Args:
        val: Labelled images to choose by, where there is a test part; default: the part val of DATA, else inner folds.
        test: Labelled images to report on; all of DATA is then trained on. Default: the part test of DATA, else
            cross-validation by place.
        out: Folder for the report (report.html, metrics.json) and the fitted probe; default: neither is kept.
        method: What is fitted to the features; auto chooses among k-nearest neighbours, ridge and logistic regression.
        read_out: What is read of the model: the measured read-out of the weights or, without one, the mean of the last
            block (auto), that mean in any case (mean), or mean and deviation per band group at four depths (layers).
        beside: handmade: put hand-made features beside the model's, choose how much each counts, and also judge each
            alone; for labels of whole images.
        split: given: use the split of the data; places: cross-validate by place; auto: given if it has a test part.
        shots: Also draw a learning curve with these numbers of images per class, like 1,5,10.
        baselines: Also judge the same network untrained, band statistics, random convolutions and hand-made features.
        repeats: How often cross-validation is repeated with new folds; default: 10 for images, 1 for masks.
        folds: Number of folds of cross-validation.

    Example:
        spectralgpt probe labelled --bands s2-l1c --out report
    """
    import time

    from spectralgpt.report.evaluation import REPORT_FILES, check_report_target
    from spectralgpt.verbs._labels import (
        IMAGE_TARGETS,
        check_apart,
        check_val,
        mark_of_labels,
        opened_parts,
        refuse_read_targets,
    )
    from spectralgpt.verbs._probe_run import PROBE_FILES, findings_of, keep, probe_run
    from spectralgpt.verbs._probing import trial_of
    from spectralgpt.weights import load_model

    start = time.perf_counter()
    folder = None if out is None else Path(out)
    mark = mark_of_labels("probe", (data, val, test))
    if folder is not None:
        for line in check_report_target(folder, PROBE_FILES, mark=mark.tags, overwrite=options["overwrite"]):
            announce(line)
        _check_probe(folder, options["overwrite"])
    numbers = _shots(shots)
    _check_counts(repeats, folds)
    check_apart(options["apart"])
    model = load_model(options["weights"], options["device"])
    labels = opened_parts([("train" if test else "", data), ("val", val), ("test", test)], options, progress)
    if folder is not None:
        targets = [folder / name for name in (*REPORT_FILES, *PROBE_FILES)]
        refuse_read_targets(targets, labels, options, (data, val, test, options["weights"]))
    check_val(labels.data, val is not None)
    _check_beside(labels.data, beside)
    announce(labels.text)
    trial = trial_of(
        labels.data,
        split=split,
        apart=options["apart"],
        repeats=repeats or (10 if labels.data.target in IMAGE_TARGETS else 1),
        folds=folds,
        seed=options["seed"],
    )
    run = probe_run(labels, model, method, read_out, options, progress, beside)
    findings = findings_of(run, trial, baselines=baselines, shots=numbers)
    if folder is not None:
        keep(folder, run, findings, mark, options["overwrite"])
    return _result(run, findings, folder, time.perf_counter() - start)


def _check_probe(folder: Path, overwrite: bool) -> None:
    """TargetError for a file of another program that has the name of a probe's description."""
    from spectralgpt.errors import TargetError
    from spectralgpt.features.probe_files import DESCRIPTION, is_foreign

    if is_foreign(folder) and not overwrite:
        raise TargetError(
            f"{folder}: found another {DESCRIPTION}",
            "a new folder, or one that `probe` wrote",
            "Choose another folder, or replace it:",
            ("overwrite", True),
        )


def _check_beside(data: "LabelledSet", beside: str | None) -> None:
    """OptionError for descriptors beside the features of pixels."""
    from spectralgpt.errors import OptionError, argument
    from spectralgpt.verbs._labels import IMAGE_TARGETS

    if beside is not None and data.target not in IMAGE_TARGETS:
        raise OptionError(
            f"{argument('beside', beside)}: {data.source} has labels of pixels",
            "labels of whole images",
            "Judge both kinds of features of pixels one beside the other:",
            ("baselines", True),
        )


def _shots(text: str | None) -> tuple[int, ...]:
    """The numbers of images per class of a learning curve."""
    from spectralgpt.errors import OptionError, argument

    try:
        found = tuple(int(part) for part in (text or "").replace(",", " ").split())
    except ValueError:
        found = (0,)
    if any(number < 1 for number in found):
        raise OptionError(argument("shots", text), "whole numbers from 1, separated by commas, like 1,5,10")
    return found


def _check_counts(repeats: int | None, folds: int) -> None:
    from spectralgpt.errors import OptionError, argument

    if repeats is not None and repeats < 1:
        raise OptionError(argument("repeats", repeats), "1 or more")
    if folds < 2:
        raise OptionError(argument("folds", folds), "2 or more")


def _result(run: "ProbeRun", findings: "Findings", out: Path | None, seconds: float) -> Probed:
    from spectralgpt.verbs._judged_page import settings_of

    trial, main = findings.trial, findings.main
    first = next(iter(findings.intervals))
    value = findings.intervals[first]
    per_class = trial.truth[main.samples].sum(axis=0)
    return Probed(
        target=trial.data.target,
        method=main.method,
        score=first,
        value=value.value,
        low=value.low,
        high=value.high,
        accuracy=value.value if first == "accuracy" else None,
        scores={name: each.value for name, each in findings.intervals.items()},
        counts={
            "images": len(trial.names),
            "reported": len(main.samples),
            "classes": len(trial.classes),
            "classes_present": int((per_class > 0).sum()),
            "places": trial.places.count,
            "repeats": len(main.tables),
        },
        per_class=dict(zip(trial.classes, map(int, per_class), strict=True)),
        methods=tuple(_methods(findings, first)),
        chosen=tuple(settings_of(main)),
        curve={
            line.method: {str(at): tuple(map(float, row)) for at, row in zip(line.shots, line.values, strict=True)}
            for curve in findings.curves
            for line in curve.lines
        },
        split=trial.how,
        seen=run.seen,
        fingerprint=run.model.fingerprint(),
        out=out,
        report=run.labels.text,
        seconds=seconds,
        warnings=tuple(findings.notes),
    )


def _methods(findings: "Findings", score: str) -> Iterator[ScoreOfMethod]:
    """The score of everything that was judged, the probe itself first."""
    own = findings.intervals[score]
    yield ScoreOfMethod(findings.main.features, findings.main.method, own.value, own.low, own.high, 0.0, 0.0, 0.0)
    for other, intervals, differences in zip(
        findings.others, findings.other_intervals, findings.differences, strict=True
    ):
        one, less = intervals[score], differences[score]
        yield ScoreOfMethod(
            other.features,
            other.method,
            one.value,
            one.low,
            one.high,
            less.value,
            less.low,
            less.high,
        )


def _difference(each: ScoreOfMethod) -> str:
    if each.difference_low != each.difference_low or each.difference == each.difference_low == 0:
        return ""
    return f"; the probe is {each.difference:+.3f} ({each.difference_low:+.3f} to {each.difference_high:+.3f})"
