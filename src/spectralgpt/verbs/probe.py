"""Labels in, honest numbers out: read-outs of frozen features, judged by place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from spectralgpt.progress import Progress, silent
from spectralgpt.verbs._options import (
    DeviceOption,
    LabelOptions,
    PathLike,
    PrecisionChoice,
    SeedOption,
    ShowProgress,
    WeightsOption,
    with_shared_options,
)

if TYPE_CHECKING:
    from spectralgpt.verbs._probing import Judged, Trial


class ProbeOptions(WeightsOption, LabelOptions, SeedOption, DeviceOption, total=False):
    """Options of a probe that other verbs have too."""


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
    validation. seen: images that pretraining saw. report: what the labels are.
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
    split: str
    seen: int
    fingerprint: str
    out: Path | None
    report: str
    seconds: float
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [self.report, "", f"{self.score} {_interval(self.value, self.low, self.high)}: {self.method}"]
        others = [f"{name} {value:.3f}" for name, value in self.scores.items() if name != self.score]
        lines.append(f"{self.split}; {', '.join(others)}")
        width = max(len(f"{each.features}, {each.method}") for each in self.methods)
        for each in self.methods:
            name = f"{each.features}, {each.method}".ljust(width)
            lines.append(f"  {name}  {_interval(each.value, each.low, each.high)}{_difference(each)}")
        if self.seen:
            lines.append(f"PRETRAINING SAW {self.seen} of these images: the score is too good")
        if self.out is not None:
            lines.append(f"{self.out / 'report.html'}, {self.out / 'metrics.json'}, and the probe itself")
        lines.append(f"weights: {self.fingerprint[:16]} ({self.seconds:.1f} s)")
        return "\n".join(lines)


@with_shared_options
def probe(
    data: PathLike,
    *,
    val: PathLike | None = None,
    test: PathLike | None = None,
    out: PathLike | None = None,
    method: Literal["auto", "knn", "ridge", "logistic", "trees"] = "auto",
    read_out: Literal["auto", "mean", "layers"] = "auto",
    split: Literal["auto", "given", "places"] = "auto",
    shots: str | None = None,
    baselines: bool = False,
    repeats: int | None = None,
    folds: int = 5,
    apart: float = 1.0,
    progress: ShowProgress = silent,
    **options: Unpack[ProbeOptions],
) -> Probed:
    """Judge the frozen features of a model by labelled images, and keep the fitted read-out.

    DATA is a folder of class folders; a table (CSV, Parquet, GeoJSON) with the columns image and label, labels or mask;
    a folder of images and masks, or of pairs and masks; or a known data set. Features are computed once; k-nearest
    neighbours, ridge regression and logistic regression are fitted to them, their settings and thresholds are chosen by
    inner folds or the validation part, and what is reported was never used to choose. Without a split, whole places are
    held back in turn.

    Args:
        data: Labelled images: a folder of class folders, a table, images and masks, pairs and masks, or a known data
            set.
        val: Labelled images to choose by; default: the part val of DATA, else inner folds.
        test: Labelled images to report on; all of DATA is then trained on. Default: the part test of DATA, else
            cross-validation by place.
        out: Folder for the report (report.html, metrics.json) and the fitted probe; default: neither is kept.
        method: What is fitted to the features; auto chooses among k-nearest neighbours, ridge and logistic regression.
        read_out: What is read of the model: the measured read-out of the weights or, without one, the mean of the last
            block (auto), that mean in any case (mean), or mean and deviation per band group at four depths (layers).
        split: given: use the split of the data; places: cross-validate by place; auto: given if it has a test part.
        shots: Also draw a learning curve with these numbers of images per class, like 1,5,10.
        baselines: Also judge the same network untrained, band statistics, random convolutions and hand-made features.
        repeats: How often cross-validation is repeated with new folds; default: 10 for images, 1 for masks.
        folds: Number of folds of cross-validation.
        apart: Images nearer than this, in km, count as one place.

    Example:
        spectralgpt probe labelled --bands s2-l1c --weights demo-output/weights --out report
    """
    import time

    from spectralgpt.report.evaluation import check_report_target
    from spectralgpt.verbs._labels import opened_parts
    from spectralgpt.verbs._probe_run import ProbeRun, fitted_probe, judged

    start = time.perf_counter()
    folder = None if out is None else Path(out)
    if folder is not None:
        check_report_target(folder, PROBE_FILES)
    labels = opened_parts(
        [("train" if val or test else "", data), ("val", val), ("test", test)], options, progress
    )
    run = ProbeRun.of(labels.data, method, read_out, options, progress)
    trial = run.trial(split=split, apart=apart, repeats=repeats, folds=folds)
    findings = judged(run, trial, baselines=baselines, shots=_numbers(shots))
    if folder is not None:
        _write(folder, run, findings, labels.text)
        fitted_probe(run, trial, findings.main.method).save(folder)
    return _result(run, findings, labels.text, folder, time.perf_counter() - start)
