"""Probing: features of a model and of baselines, judged in the same rounds; the read-out that is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spectralgpt.progress import Progress
from spectralgpt.verbs._judged_page import Findings
from spectralgpt.verbs._probing import Judged, Trial, judge_images, judge_pixels

if TYPE_CHECKING:
    import numpy as np

    from spectralgpt.data.labels import LabelledSet
    from spectralgpt.evaluation import Chosen, DenseFeatures, Method
    from spectralgpt.features import Cache
    from spectralgpt.features.encoder import ReadOutName
    from spectralgpt.features.makers import ImageMaker
    from spectralgpt.nn import Precision
    from spectralgpt.report.evaluation import CurveLine, LearningCurve
    from spectralgpt.weights import PretrainedModel

PROBING = ("knn", "ridge", "logistic")
"""The methods among which `auto` chooses."""

IMAGE_TARGETS = ("class", "classes")


@dataclass(frozen=True, slots=True, eq=False)
class ProbeRun:
    """What is probed, and how features are made.

    methods: names of those that are judged on the model's features; auto: whether one of them is chosen.
    """

    data: "LabelledSet"
    model: "PretrainedModel"
    methods: tuple[str, ...]
    auto: bool
    read_out: "ReadOutName"
    own: bool
    precision: "Precision"
    cache: "Cache"
    seed: int
    progress: Progress

    @property
    def of_images(self) -> bool:
        """Whether labels are of whole images, not of pixels."""
        return self.data.target in IMAGE_TARGETS

    def chosen_methods(self) -> list["Method"]:
        """The methods."""
        from spectralgpt.evaluation import methods

        return [methods.find(name) for name in self.methods]


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


def judged(run: ProbeRun, trial: Trial, *, baselines: bool, vectors: "np.ndarray | None") -> Findings:
    """Everything that was asked for, judged. vectors: of the images by the model, None for masks."""
    title = f"{run.model.task.class_name} {run.model.fingerprint()[:8]}"
    if run.of_images:
        assert vectors is not None, "labels of images have vectors"
        own = judge_images(trial, vectors, title, run.chosen_methods(), auto=run.auto)
    else:
        own = judge_pixels(trial, model_pixels(run, run.model), title, run.chosen_methods(), auto=run.auto)
    main = own["auto" if run.auto else run.methods[0]]
    others = [each for each in own.values() if each is not main]
    if baselines:
        others += _baselines(run, trial)
    return Findings.of(trial, main, others)


def _baselines(run: ProbeRun, trial: Trial) -> Iterator[Judged]:
    """The same network untrained, and the baselines for these labels, each by the method it is read with."""
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
            found = judge_pixels(trial, dense, baseline.title, asked, auto=auto)
        yield found["auto" if auto else asked[0].name]


def _untrained(run: ProbeRun, trial: Trial) -> Judged:
    from spectralgpt.features.baselines import untrained

    model, title = untrained(run.model, run.seed), "the same network untrained"
    if run.of_images:
        found = judge_images(
            trial, _vectors(run, image_maker(run, model)), title, run.chosen_methods(), auto=run.auto
        )
    else:
        found = judge_pixels(trial, model_pixels(run, model), title, run.chosen_methods(), auto=run.auto)
    return found["auto" if run.auto else run.methods[0]]


def _vectors(run: ProbeRun, maker: "ImageMaker") -> "np.ndarray":
    from spectralgpt.features import image_vectors

    return image_vectors(run.data, maker, run.cache, run.progress).values


# -- learning curve ---------------------------------------------------------------------------------------------------


def curve_of(
    run: ProbeRun, trial: Trial, vectors: "np.ndarray", shots: Sequence[int]
) -> tuple["LearningCurve", tuple[str, ...]]:
    """Scores over the number of images per class, by each method; and its notes."""
    from spectralgpt.evaluation import learning_curve
    from spectralgpt.report.evaluation import LearningCurve
    from spectralgpt.tasks import scores_of
    from spectralgpt.verbs._probing import targets_of

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
    from spectralgpt.verbs._probing import image_table

    score = scores_of(trial.data.target)[0]
    points = [point for point in curve.points if point.method == method]
    shots = sorted({point.shots for point in points})
    values = np.full((len(shots), len(curve.seeds)), np.nan)
    for point in points:
        table = image_table(trial, point.test, point.answered, point.probabilities)
        values[shots.index(point.shots), point.repeat] = score.of(table)
    return CurveLine(method, shots, values)


# -- the read-out that is kept ----------------------------------------------------------------------------------------


def final_choice(run: ProbeRun, trial: Trial, method: str, vectors: "np.ndarray | None") -> "Chosen":
    """A read-out fitted to all samples (of a given split: to its training part), chosen by inner folds or validation.

    method: `auto`, or the name of one. It is kept, and not judged: its score is that of the rounds.
    """
    from spectralgpt.evaluation import choose_among, fitting_round

    each = fitting_round(trial.split, trial.truth, trial.places, trial.seed)
    names = run.methods if method == "auto" else (method,)
    found = [one for one in run.chosen_methods() if one.name in names]
    if run.of_images:
        from spectralgpt.verbs._probing import targets_of

        assert vectors is not None, "labels of images have vectors"
        return choose_among(found, vectors, targets_of(trial), each, trial.data.target)
    from spectralgpt.evaluation import choose_among_pixels

    return choose_among_pixels(found, model_pixels(run, run.model), each, trial.data.target, len(trial.classes))
