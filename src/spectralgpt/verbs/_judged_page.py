"""The report on judged answers: the page and its numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from spectralgpt.verbs._probing import Judged, Trial
from spectralgpt.version import __version__

if TYPE_CHECKING:
    import numpy as np

    from spectralgpt.metrics import Interval
    from spectralgpt.report.evaluation import (
        CalibrationBins,
        ClassRow,
        EvaluationPage,
        LearningCurve,
        SampleCard,
        SampleGallery,
        ScoreRow,
    )
    from spectralgpt.weights import PretrainedModel, TrainedImages

CARDS = 6
"""Samples in a gallery."""

UNITS = {"class": "images", "classes": "labels", "mask": "pixels", "change": "pixels"}
"""What the counts of a target are of."""


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What was found: the judged answers, and those beside them, on one trial. intervals: of the main one's scores;
    differences: main minus other, per other. marks: warnings for the top of the page."""

    trial: Trial
    main: Judged
    others: Sequence[Judged]
    intervals: Mapping[str, "Interval"]
    differences: Sequence[Mapping[str, "Interval"]]
    other_intervals: Sequence[Mapping[str, "Interval"]]
    marks: Sequence[str] = ()
    notes: Sequence[str] = ()
    curves: Sequence["LearningCurve"] = ()
    facts: Sequence[tuple[str, str]] = field(default_factory=tuple)

    @classmethod
    def of(cls, trial: Trial, main: Judged, others: Sequence[Judged], **more: Any) -> "Findings":
        """With all intervals computed."""
        target = trial.data.target
        return cls(
            trial,
            main,
            others,
            main.intervals(target),
            [main.differences(other, target) for other in others],
            [other.intervals(target) for other in others],
            **more,
        )


def page_of(findings: Findings, title: str, subtitle: str, command: str) -> "EvaluationPage":
    """The page of the findings."""
    from spectralgpt.report.evaluation import EvaluationPage

    trial, main = findings.trial, findings.main
    places = len(set(main.places.tolist()))
    return EvaluationPage(
        title=title,
        subtitle=subtitle,
        method=main.title,
        marks=findings.marks,
        facts=findings.facts,
        notes=list(dict.fromkeys([*findings.notes, *trial.data.notes])),
        command=command,
        scores=_score_rows(findings),
        intervals="none, as all images are of one place"
        if places == 1
        else f"95 %, bootstrap over {places} places, 1,000 draws",
        classes=_class_rows(findings),
        confusion=_confusion(findings),
        unit="images" if trial.data.target in ("class", "classes") else "pixels",
        curves=findings.curves,
        calibration=_calibration(findings),
        galleries=_galleries(findings),
    )


def metrics_of(findings: Findings, **more: Any) -> dict[str, Any]:
    """What metrics.json says besides the page: every repeat, every choice, seeds, samples."""
    from spectralgpt.tasks import scores_of

    main, trial = findings.main, findings.trial
    scores = scores_of(trial.data.target)
    return {
        "target": trial.data.target,
        "method_settings": [asdict(choice) for choice in main.choices],
        "seeds": list(main.seeds),
        "repeats": {score.name: [score.of(table) for table in main.tables] for score in scores},
        "samples": [trial.names[index] for index in main.samples.tolist()],
        "places": main.places,
        **more,
    }


def _score_rows(findings: Findings) -> list["ScoreRow"]:
    from spectralgpt.report.evaluation import ComparedScore, ScoreRow
    from spectralgpt.tasks import scores_of

    rows = []
    for score in scores_of(findings.trial.data.target):
        own = findings.intervals[score.name]
        compared = []
        triples = zip(findings.others, findings.other_intervals, findings.differences, strict=True)
        for other, intervals, differences in triples:
            one, less = intervals[score.name], differences[score.name]
            compared.append(
                ComparedScore(other.title, one.value, (one.low, one.high), less.value, (less.low, less.high))
            )
        rows.append(ScoreRow(score.name, score.title, own.value, (own.low, own.high), compared, score.lower_is_better))
    return rows


def _joined(findings: Findings) -> Any:
    """One table of all repeats: counts of all answers."""
    kind: Any = type(findings.main.tables[0])
    return kind.joined(list(findings.main.tables))


def _class_rows(findings: Findings) -> list["ClassRow"]:
    from spectralgpt.metrics import by_class
    from spectralgpt.report.evaluation import ClassRow

    found = by_class(_joined(findings))
    repeats = len(findings.main.tables)
    titles = {"f1": "F1", "iou": "IoU", "precision": "precision", "recall": "recall", "average_precision": "AP"}
    if findings.trial.data.target in ("class", "classes"):
        del titles["iou"]
    return [
        ClassRow(
            name=one.name,
            colour=one.colour,
            count=int(found["truth"][index]) // repeats,
            scores={title: float(found[name][index]) for name, title in titles.items() if name in found},
        )
        for index, one in enumerate(findings.trial.data.classes)
    ]


def _confusion(findings: Findings) -> "np.ndarray | None":
    """Counts of true and predicted classes; None for several labels, and where an answer is missing."""
    if findings.trial.data.target == "classes":
        return None
    total: np.ndarray = _joined(findings).total()
    return total[:, :-1]


def _calibration(findings: Findings) -> "CalibrationBins":
    from spectralgpt.metrics import reliability
    from spectralgpt.report.evaluation import CalibrationBins

    # bins of all repeats together; the error is the score, the mean over repeats
    found = reliability(_joined(findings))
    error = findings.intervals["calibration_error"].value
    return CalibrationBins(found.number[0], found.confidence[0], found.right[0], error)


def command_line() -> str:
    """The command that is running; empty where Python called a verb."""
    import os
    import shlex
    import sys

    called = os.path.basename(sys.argv[0])
    return shlex.join(["spectralgpt", *sys.argv[1:]]) if called in ("spectralgpt", "__main__.py") else ""


def settings_of(judged: Judged) -> list[str]:
    """What was chosen, the most frequent first: `ridge, strength 0.1: 31 of 50 rounds`."""
    from collections import Counter

    texts = [
        ", ".join([each.method, *(f"{name} {value}" for name, value in each.settings.items())])
        for each in judged.choices
    ]
    return [f"{text}: {count} of {len(texts)} rounds" for text, count in Counter(texts).most_common()]


def content_fact(trial: Trial) -> tuple[str, str]:
    """The data, with a hash of all their images."""
    import hashlib

    content = hashlib.sha256("\n".join(sorted(trial.contents)).encode()).hexdigest()
    return "Data", f"{trial.data.source}; content {content[:16]}"


def seen_fact(model: "PretrainedModel", seen: int, images: int) -> tuple[str, str]:
    """How many of the images training saw; unknown for weights that do not list theirs. Weights that were never trained
    saw none."""
    known = "images" in model.provenance or model.provenance.get("steps") == 0
    return "Images seen in training", f"{seen} of {images}" if known else "unknown"


def seen_marks(trained: "TrainedImages", hashes: "Sequence[frozenset[str]]") -> list[str]:
    """Warnings where training saw images, with their labels or without. hashes: of each image and its chips."""
    from spectralgpt.evaluation.leaks import seen_share

    labelled = seen_share(hashes, trained.labelled).count
    others = seen_share(hashes, trained.hashes).count - labelled
    return [
        f"Training of the weights saw {count} of {len(hashes)} images {how}: the scores are too good to be compared "
        "with others."
        for count, how in ((labelled, "with their labels"), (others, "without labels"))
        if count
    ]


def version_fact() -> tuple[str, str]:
    """The versions that made the numbers, and the commit where there is one."""
    import sklearn
    import torch

    from spectralgpt.verbs._checkout import commit

    own = f"{__version__} (commit {commit()})" if commit() else __version__
    return "Versions", f"spectralgpt {own}, torch {torch.__version__}, scikit-learn {sklearn.__version__}"


# -- samples ----------------------------------------------------------------------------------------------------------


def _galleries(findings: Findings) -> list["SampleGallery"]:
    """The best and the worst samples."""
    import numpy as np

    from spectralgpt.report.evaluation import SampleGallery

    main = findings.main
    scores = _sample_scores(findings)
    order = np.argsort(scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    if main.predicted is not None:
        order = np.array([row for row in order if int(main.samples[row]) in main.predicted], np.int64)
    if not len(order):
        return []
    worst, best = order[:CARDS], order[::-1][: min(CARDS, max(0, len(order) - CARDS))]
    what = {"class": "probability of the true class", "classes": "agreement", "mask": "mean IoU", "change": "F1"}
    title = what[findings.trial.data.target]
    return [
        SampleGallery("Worst", [_card(findings, int(row), float(scores[row])) for row in worst], title),
        SampleGallery("Best", [_card(findings, int(row), float(scores[row])) for row in best], title),
    ]


def _sample_scores(findings: Findings) -> "np.ndarray":
    """How good the answer for each reported sample is, 1 for perfect."""
    import numpy as np

    from spectralgpt.tasks import scores_of

    main, trial = findings.main, findings.trial
    if main.likely is None:
        score = scores_of(trial.data.target)[0]
        table = main.tables[0]
        return np.array([score.of(table.take(np.array([row]))) for row in range(len(table))])
    truth = trial.truth[main.samples]
    if trial.data.target == "class":
        return np.asarray(main.likely[truth], np.float64)
    return np.asarray(1 - np.abs(main.likely - truth).mean(axis=1), np.float64)


def _card(findings: Findings, row: int, score: float) -> "SampleCard":
    import numpy as np

    from spectralgpt.report.evaluation import SampleCard, composites

    main, trial = findings.main, findings.trial
    index = int(main.samples[row])
    sample = trial.data.read(index)
    pixels = sample.image.read()
    values = pixels.reflectance()
    if pixels.valid is not None:
        values = np.where(pixels.valid, values, np.float32(math.nan))
    dates = ["before", "after"] if trial.data.target == "change" else [""] * len(values)
    pictures = list(zip(dates, composites(values, [band.wavelength for band in pixels.bands]), strict=True))
    names = trial.classes
    if main.likely is None:
        predicted = (main.predicted or {})[index]
        return SampleCard(trial.names[index], pictures, truth_mask=sample.mask, predicted_mask=predicted, score=score)
    likely = main.likely[row]
    several = trial.data.target == "classes"
    at_thresholds = likely >= 0.5 if main.answered is None else main.answered[row]
    answered = np.flatnonzero(at_thresholds) if several else [int(likely.argmax())]
    return SampleCard(
        trial.names[index],
        pictures[:1],
        truth=[names[at] for at in np.flatnonzero(trial.truth[index])],
        predicted=[names[int(at)] for at in answered],
        score=score,
    )
