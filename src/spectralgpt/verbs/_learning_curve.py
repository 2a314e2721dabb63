"""Learning curves of a probe: scores over the number of labelled images."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spectralgpt.verbs._probing import WORDS, Trial, image_table, targets_of

if TYPE_CHECKING:
    import numpy as np

    from spectralgpt.evaluation import Method
    from spectralgpt.report.evaluation import CurveLine, LearningCurve


def curve_of(
    trial: Trial, vectors: "np.ndarray", methods: Sequence["Method"], shots: Sequence[int]
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
            methods,
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
    return LearningCurve(
        title, [_line(trial, curve, each.name, each is not methods[0]) for each in methods]
    ), curve.notes


def _line(trial: Trial, curve: Any, method: str, compared: bool) -> "CurveLine":
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
    return CurveLine(WORDS.get(method, method), shots, values, compared=compared)
