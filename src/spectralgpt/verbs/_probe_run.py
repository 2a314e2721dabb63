"""Probing: features of a model and of baselines, judged in the same rounds; the read-out that is kept."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spectralgpt.progress import Progress
from spectralgpt.verbs._judged_page import Findings
from spectralgpt.verbs._labels import Labels
from spectralgpt.verbs._options import ProbeOptions
from spectralgpt.verbs._probing import (
    Judged,
    Trial,
    image_table,
    judge_images,
    judge_pixels,
    targets_of,
    trial_of,
)
from spectralgpt.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from spectralgpt.data.labels import LabelledSet
    from spectralgpt.evaluation import Chosen, DenseFeatures, Method
    from spectralgpt.features import Cache
    from spectralgpt.features.encoder import ReadOutName
    from spectralgpt.features.makers import ImageMaker
    from spectralgpt.nn import Precision
    from spectralgpt.report.evaluation import CurveLine, LearningCurve
    from spectralgpt.weights import PretrainedModel

PROBE_FILES = ("probe.json", "probe.safetensors")
"""Names of a fitted probe's files, which lie beside its report."""

PROBING = ("knn", "ridge", "logistic")
"""The methods among which `auto` chooses."""

IMAGE_TARGETS = ("class", "classes")


@dataclass(frozen=True, slots=True)
class Splitting:
    """How samples are split into rounds: as `trial_of`."""

    split: Literal["auto", "given", "places"]
    apart: float | int
    repeats: int
    folds: int
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class ProbeRun:
    """What is probed, and how features are made.

    methods: names of those that are judged on the model's features; auto: whether one of them is chosen. vectors: of
    the images by the model, None for masks. contents: a hash per image; seen: number of images that the model's
    pretraining saw.
    """

    labels: "Labels"
    model: "PretrainedModel"
    weights: str
    methods: tuple[str, ...]
    auto: bool
    read_out: "ReadOutName"
    own: bool
    precision: "Precision"
    cache: "Cache"
    seed: int
    progress: Progress
    vectors: "Float32[np.ndarray, 'image value'] | None" = None
    contents: tuple[str, ...] = ()
    seen: int = 0

    @property
    def data(self) -> "LabelledSet":
        return self.labels.data

    @property
    def of_images(self) -> bool:
        """Whether labels are of whole images, not of pixels."""
        return self.data.target in IMAGE_TARGETS

    def chosen_methods(self) -> list["Method"]:
        """The methods."""
        from spectralgpt.evaluation import methods

        return [methods.find(name) for name in self.methods]


def probe_run(
    labels: "Labels",
    model: "PretrainedModel",
    method: str,
    read_out: "ReadOutName",
    options: "ProbeOptions",
    progress: Progress,
) -> ProbeRun:
    """The run, with the vectors of images computed."""
    from spectralgpt.evaluation.leaks import seen_share
    from spectralgpt.features import Cache, image_vectors
    from spectralgpt.weights import TrainedImages

    run = ProbeRun(
        labels=labels,
        model=model,
        weights=os.fspath(options["weights"] or ""),
        methods=PROBING if method == "auto" else (method,),
        auto=method == "auto",
        read_out=read_out,
        own=options["bands_as"] == "own",
        precision=options["precision"],
        cache=Cache.default(),
        seed=options["seed"],
        progress=progress,
    )
    trained = TrainedImages.of(model.provenance)
    if run.of_images:
        made = image_vectors(labels.data, image_maker(run, model), run.cache, progress, sides=trained.chips)
        hashes: Sequence[frozenset[str]] = made.hashes
        run = replace(run, vectors=made.values)
    else:
        hashes = hashes_of(labels.data, trained.chips, progress)
    return replace(
        run,
        contents=tuple(",".join(sorted(each)) for each in hashes),
        seen=seen_share(hashes, trained.hashes).count,
    )


def hashes_of(data: "LabelledSet", sides: Iterable[int], progress: Progress) -> list[frozenset[str]]:
    """The hashes of each image and of its chips."""
    from spectralgpt.data.sample_hashes import sample_hashes

    found = []
    for index in range(len(data.samples)):
        found.append(sample_hashes(data.read(index).image, sides))
        progress("reading images", index + 1, len(data.samples))
    return found


def image_maker(run: ProbeRun, model: "PretrainedModel") -> "ImageMaker":
    """Makes the vectors of a model."""
    from spectralgpt.features import EncoderImages

    return EncoderImages(model, own=run.own, precision=run.precision, read_out=run.read_out)


def model_pixels(run: ProbeRun, model: "PretrainedModel") -> "DenseFeatures":
    """Features of pixels of a model."""
    from spectralgpt.features import EncoderPlaces, PixelFeatures

    maker = EncoderPlaces(model, own=run.own, precision=run.precision)
    dense = PixelFeatures(run.data, maker, model.config.bands, own=run.own, cache=run.cache)
    dense.prepare(run.progress)
    return dense


def findings_of(run: ProbeRun, rounds: Splitting, *, baselines: bool, shots: Sequence[int]) -> Findings:
    """Everything that was asked for, judged in the same rounds."""
    trial = trial_of(
        run.data,
        run.contents,
        split=rounds.split,
        apart=rounds.apart,
        repeats=rounds.repeats,
        folds=rounds.folds,
        seed=rounds.seed,
    )
    own = _judged_by_model(run, trial)
    main = own["auto" if run.auto else run.methods[0]]
    others = [each for each in own.values() if each is not main]
    curves, notes = [], [*trial.notes, *main.notes]
    others += _baselines(run, trial, notes) if baselines else []
    if shots and run.vectors is not None:
        curve, noted = curve_of(run, trial, run.vectors, shots)
        curves.append(curve)
        notes += noted
    elif shots:
        notes.append("no learning curve is drawn for masks")
    if run.cache.note:
        notes.append(run.cache.note)
    return Findings.of(
        trial,
        main,
        others,
        marks=_marks(run),
        notes=tuple(dict.fromkeys(notes)),
        curves=curves,
        facts=_facts(run, trial),
    )


def _judged_by_model(run: ProbeRun, trial: Trial) -> dict[str, Judged]:
    title = f"{run.model.task.class_name} {run.model.fingerprint()[:8]}"
    if run.vectors is not None:
        return judge_images(trial, run.vectors, title, run.chosen_methods(), auto=run.auto)
    return judge_pixels(trial, model_pixels(run, run.model), title, run.chosen_methods(), auto=run.auto)


def _marks(run: ProbeRun) -> list[str]:
    if not run.seen:
        return []
    return [
        f"Pretraining of these weights saw {run.seen} of {len(run.data.samples)} images: the scores are too good to be "
        "compared with others."
    ]


def _facts(run: ProbeRun, trial: Trial) -> list[tuple[str, str]]:
    import hashlib

    import sklearn
    import torch

    content = hashlib.sha256("\n".join(sorted(run.contents)).encode()).hexdigest()
    recipe = run.model.provenance.get("recipe")
    return [
        ("Weights", f"{run.weights}, fingerprint {run.model.fingerprint()}"),
        ("Pretraining", f"recipe {recipe}" if recipe else "not stated by the weights"),
        ("Images seen in pretraining", f"{run.seen} of {len(run.data.samples)}" if _is_known(run) else "unknown"),
        ("Data", f"{run.data.source}; content {content[:16]}"),
        ("Split", trial.how),
        ("Read-out, bands, precision", f"{run.read_out}, {'own' if run.own else 'model'}, {run.precision}"),
        ("Seed", str(run.seed)),
        ("Versions", f"spectralgpt {__version__}, torch {torch.__version__}, scikit-learn {sklearn.__version__}"),
    ]


def _is_known(run: ProbeRun) -> bool:
    """Whether the weights list the images they were trained on; weights that were never trained saw none."""
    return "images" in run.model.provenance or run.model.provenance.get("steps") == 0


def _baselines(run: ProbeRun, trial: Trial, notes: list[str]) -> Iterator[Judged]:
    """The same network untrained, and the baselines for these labels, each by its method. notes: of missing bands."""
    from spectralgpt.errors import BandError
    from spectralgpt.evaluation import methods
    from spectralgpt.features import baselines

    yield _untrained(run, trial)
    for name in baselines.names(run.data.target):
        baseline = baselines.find(name)
        same = baseline.method == baselines.SAME_METHOD
        asked = run.chosen_methods() if same else [methods.find(baseline.method)]
        auto = run.auto and same
        if run.of_images:
            assert baseline.images is not None, "it is a baseline for images"
            found = judge_images(trial, _vectors(run, baseline.images), baseline.title, asked, auto=auto)
        else:
            dense = baselines.BaselinePixels(run.data, baseline.pixels[run.data.target])
            try:
                found = judge_pixels(trial, dense, baseline.title, asked, auto=auto, only_auto=auto)
            except BandError as error:
                notes.append(f"without the baseline {baseline.title}: {error.found}, expected {error.expected}")
                continue
        yield found["auto" if auto else asked[0].name]


def _untrained(run: ProbeRun, trial: Trial) -> Judged:
    from spectralgpt.features.baselines import untrained

    model, title = untrained(run.model, run.seed), "the same network untrained"
    if run.of_images:
        found = judge_images(trial, _vectors(run, image_maker(run, model)), title, run.chosen_methods(), auto=run.auto)
    else:
        dense = model_pixels(run, model)
        found = judge_pixels(trial, dense, title, run.chosen_methods(), auto=run.auto, only_auto=run.auto)
    return found["auto" if run.auto else run.methods[0]]


def _vectors(run: ProbeRun, maker: "ImageMaker") -> "np.ndarray":
    from spectralgpt.features import image_vectors

    return image_vectors(run.data, maker, run.cache, run.progress).values


# -- learning curve ---------------------------------------------------------------------------------------------------


def curve_of(
    run: ProbeRun, trial: Trial, vectors: "np.ndarray", shots: Sequence[int]
) -> tuple["LearningCurve", tuple[str, ...]]:
    """Scores over the number of images per class, by each method; and its notes."""
    from spectralgpt.evaluation import fit_threads, learning_curve
    from spectralgpt.report.evaluation import LearningCurve
    from spectralgpt.tasks import scores_of

    with fit_threads(vectors):
        curve = learning_curve(
            vectors,
            targets_of(trial),
            trial.split,
            run.chosen_methods(),
            trial.data.target,
            places=trial.places,
            names=trial.names,
            classes=trial.classes,
            contents=trial.contents,
            shots=shots,
            repeats=trial.repeats,
            count=trial.folds,
            seed=trial.seed,
        )
    title = scores_of(trial.data.target)[0].title
    return LearningCurve(title, [_line(trial, curve, name) for name in run.methods]), curve.notes


def _line(trial: Trial, curve: Any, method: str) -> "CurveLine":
    import numpy as np

    from spectralgpt.report.evaluation import CurveLine
    from spectralgpt.tasks import scores_of

    score = scores_of(trial.data.target)[0]
    points = [point for point in curve.points if point.method == method]
    shots = sorted({point.shots for point in points})
    values = np.full((len(shots), len(curve.seeds)), np.nan)
    for point in points:
        table = image_table(trial, point.test, point.answered, point.probabilities)
        values[shots.index(point.shots), point.repeat] = score.of(table)
    return CurveLine(method, shots, values)


# -- the read-out that is kept ----------------------------------------------------------------------------------------


def keep(folder: Path, run: ProbeRun, findings: Findings) -> None:
    """Write the report, and the probe beside it."""
    from spectralgpt.features import Probe
    from spectralgpt.report.evaluation import write_report
    from spectralgpt.verbs._judged_page import metrics_of, page_of

    trial, main = findings.trial, findings.main
    chosen = final_choice(run, trial, main.method)
    score, interval = next(iter(findings.intervals.items()))
    probe = Probe.of(
        run.model,
        chosen,
        trial.data.target,
        trial.data.classes,
        weights=lasting_name(run.weights),
        read_out=run.read_out,
        own=run.own,
        precision=run.precision,
        made={
            "data": run.data.source,
            "split": trial.how,
            "seed": str(run.seed),
            score: f"{interval.value:.6g} ({interval.low:.6g} to {interval.high:.6g})",
            "version": __version__,
        },
    )
    page = page_of(
        findings,
        title=f"Probe of {len(trial.names)} images, {len(trial.classes)} classes",
        subtitle=f"{main.title} on {run.data.source}",
        command="",
    )
    final = {"method": chosen.method, "settings": chosen.settings, "thresholds": chosen.thresholds}
    write_report(
        folder,
        page,
        metrics_of(
            findings,
            weights={"name": run.weights, "fingerprint": run.model.fingerprint()},
            seen_in_pretraining=run.seen,
            probe=final,
            labels=run.labels.text,
        ),
        PROBE_FILES,
    )
    probe.save(folder)


def final_choice(run: ProbeRun, trial: Trial, method: str) -> "Chosen":
    """A read-out fitted to all samples (of a given split: to its training part), chosen by inner folds or validation.

    method: `auto`, or the name of one. It is kept, and not judged: its score is that of the rounds.
    """
    from spectralgpt.evaluation import choose_among, choose_among_pixels, final_round, fit_threads

    each = final_round(trial.split, trial.truth, trial.places, trial.seed)
    names = run.methods if method == "auto" else (method,)
    found = [one for one in run.chosen_methods() if one.name in names]
    if run.vectors is not None:
        with fit_threads(run.vectors):
            return choose_among(found, run.vectors, targets_of(trial), each, trial.data.target)
    return choose_among_pixels(found, model_pixels(run, run.model), each, trial.data.target, len(trial.classes))


def lasting_name(weights: str) -> str:
    """An absolute path, as the probe may be opened from another folder; other names stay as they are."""
    return os.path.abspath(weights) if os.path.exists(weights) else weights
