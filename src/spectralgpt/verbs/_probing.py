"""Judging features by labels: rounds by place, answers of several methods, tables of counts, intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float32, Int64

    from spectralgpt.data.labels import LabelledSet
    from spectralgpt.evaluation import Choice, Method, Outcome, Parts, Places, Targets
    from spectralgpt.metrics import ImageTable, Interval


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What every kind of features is judged on: the same samples in the same rounds.

    split: the given parts, or the places to cross-validate over. contents: a hash per image.
    """

    data: "LabelledSet"
    places: "Places"
    split: "Parts | Places"
    contents: tuple[str, ...]
    repeats: int
    folds: int
    seed: int

    @property
    def names(self) -> list[str]:
        """Of the samples."""
        return [sample.name for sample in self.data.samples]

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return [one.name for one in self.data.classes]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Answers of one method on one kind of features.

    tables: one per repeat, each of the reported samples. samples: their indices. places: of them. choices: what was
    chosen in each round.
    """

    features: str
    method: str
    tables: tuple["ImageTable", ...]
    samples: "Int64[np.ndarray, ' reported']"
    places: "Int64[np.ndarray, ' reported']"
    choices: tuple["Choice", ...]
    seconds: float
    notes: tuple[str, ...]

    def intervals(self, target: str, seed: int = 0) -> dict[str, "Interval"]:
        """Every score of the target with its interval, by name."""
        from spectralgpt.metrics import bootstrap
        from spectralgpt.tasks import scores_of

        return {score.name: bootstrap(self.tables, score, self.places, seed=seed) for score in scores_of(target)}  # type: ignore[arg-type]

    def differences(self, other: "Judged", target: str, seed: int = 0) -> dict[str, "Interval"]:
        """How much more this one scores than the other on the same samples, by name of the score."""
        from spectralgpt.metrics import paired_difference
        from spectralgpt.tasks import scores_of

        return {
            score.name: paired_difference(self.tables, other.tables, score, self.places, seed=seed)
            for score in scores_of(target)  # type: ignore[arg-type]
        }


def trial_of(
    data: "LabelledSet", contents: Sequence[str], *, apart: float | int, repeats: int, folds: int, seed: int
) -> Trial:
    """The rounds of a labelled set: its own split where it has one, else folds over places.

    A split without a test part is reported on its validation part; choices are then made within training. Raises
    DataError for a split that cannot be used.
    """
    import numpy as np

    from spectralgpt.evaluation import given_parts, places_of

    samples = data.samples
    unknown = (float("nan"), float("nan"))
    places = places_of(
        [sample.group for sample in samples],
        np.array([sample.position or unknown for sample in samples], np.float64).reshape(-1, 2),
        np.array([sample.extent for sample in samples], np.float64),
        apart,
    )
    splits = [sample.split for sample in samples]
    split: Parts | Places = places
    if any(splits):
        if "test" not in splits:
            splits = ["test" if each == "val" else each for each in splits]
        split = given_parts(splits, truth_of(data), [one.name for one in data.classes])
    return Trial(data, places, split, tuple(contents), repeats, folds, seed)


def truth_of(data: "LabelledSet") -> "Bool[np.ndarray, 'sample class']":
    """The classes of each sample; for masks, those that occur in it."""
    import numpy as np

    truth = np.zeros((len(data.samples), len(data.classes)), bool)
    for index, sample in enumerate(data.samples):
        labels: Sequence[int] | np.ndarray = sample.labels
        if data.target in ("mask", "change"):
            found = data.read(index).mask
            assert found is not None, "a target of masks has masks"
            labels = np.unique(found[found >= 0])
        truth[index, labels] = True
    return truth


def judge_images(
    trial: Trial, features: "Float32[np.ndarray, 'sample value']", title: str, methods: Sequence["Method"], *, auto: bool
) -> dict[str, Judged]:
    """Answers of each method, and of `auto` if asked, by the method's name."""
    from spectralgpt.evaluation import run_protocol

    outcomes: Mapping[str, Outcome] = run_protocol(
        features,
        image_targets(trial.data),
        trial.split,
        methods,
        trial.data.target,
        places=trial.places,
        names=trial.names,
        classes=trial.classes,
        contents=trial.contents,
        auto=auto,
        repeats=trial.repeats,
        count=trial.folds,
        seed=trial.seed,
    )
    return {name: _judged(trial, title, outcome) for name, outcome in outcomes.items()}


def image_targets(data: "LabelledSet") -> "Targets":
    """The labels of images."""
    import numpy as np

    from spectralgpt.evaluation import Targets

    return Targets(truth_of(data), data.target == "classes", np.ones(len(data.samples)))


def _judged(trial: Trial, title: str, outcome: "Outcome") -> Judged:
    from spectralgpt.metrics import ConfusionCounts, LabelTable

    truth = truth_of(trial.data)[outcome.samples]
    pairs = zip(outcome.answered, outcome.probabilities, strict=True)
    if trial.data.target == "classes":
        tables: tuple[ImageTable, ...] = tuple(LabelTable(truth, answered, likely) for answered, likely in pairs)
    else:
        count = truth.shape[1]
        tables = tuple(
            ConfusionCounts.of_classes(truth.argmax(axis=1), answered.argmax(axis=1), count, likely)
            for answered, likely in pairs
        )
    return Judged(
        features=title,
        method=outcome.method,
        tables=tables,
        samples=outcome.samples,
        places=trial.places.ids[outcome.samples],
        choices=outcome.choices,
        seconds=outcome.seconds,
        notes=outcome.notes,
    )
