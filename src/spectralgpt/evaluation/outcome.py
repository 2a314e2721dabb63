"""Honest answers for images: a whole evaluation of several methods on the same features."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from spectralgpt.errors import DataError, counted, first_few
from spectralgpt.evaluation.aims import aim_of, answers
from spectralgpt.evaluation.choice import Chosen
from spectralgpt.evaluation.method import Method, Setting, Targets
from spectralgpt.evaluation.places import Places
from spectralgpt.evaluation.protocol import AUTO, Protocol
from spectralgpt.evaluation.rounds import rounds_of
from spectralgpt.evaluation.splits import Parts


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What was chosen for one report. thresholds: empty where the likeliest class is the answer. score: by which it was
    chosen, nan where nothing was."""

    repeat: int
    fold: int
    method: str
    settings: Setting
    thresholds: tuple[float, ...]
    score: float

    @classmethod
    def of(cls, repeat: int, fold: int, chosen: Chosen) -> "Choice":
        """The choice in plain values."""
        thresholds = () if chosen.thresholds is None else tuple(chosen.thresholds.tolist())
        return cls(repeat, fold, chosen.method, dict(chosen.settings), thresholds, chosen.score)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Answers of one method, each by a read-out that did not see the sample.

    samples: indices of the reported samples. answered: the classes that are answered. choices: one per repeat and fold.
    aim: what was chosen by. seeds: one per repeat. seconds: of choosing and fitting; of `auto`, of all methods.
    """

    method: str
    samples: Int64[np.ndarray, " reported"]
    probabilities: Float32[np.ndarray, "repeat reported class"]
    answered: Bool[np.ndarray, "repeat reported class"]
    choices: tuple[Choice, ...]
    aim: str
    seeds: tuple[int, ...]
    seconds: float
    notes: tuple[str, ...]


def run_protocol(
    features: Float32[np.ndarray, "sample value"],
    targets: Targets,
    split: Places | Parts,
    methods: Sequence[Method],
    kind: str,
    *,
    places: Places | None = None,
    names: Sequence[str] = (),
    classes: Sequence[str] = (),
    contents: Sequence[str] = (),
    auto: bool = False,
    repeats: int = 10,
    count: int = 5,
    seed: int = 0,
) -> Mapping[str, Outcome]:
    """Answers of each method by name, and of `auto` if asked: cross-validated over places, or on a given split.

    kind: of the labels (class, classes). names, classes: of samples and classes, for messages. places, contents: as in
    `rounds_of`; copies in two parts of a given split are refused. `repeats` and `count` are for cross-validation: a
    given split is reported once. DataError also for features that are not finite.
    """
    names = names or [f"sample {number}" for number in range(len(features))]
    check_finite(features, names)
    aim = aim_of(kind, targets.classes)
    rounds = rounds_of(
        split, targets.truth, places=places, contents=contents, classes=classes, repeats=repeats, count=count, seed=seed
    )
    shape = (len(rounds.seeds), len(rounds.reported), targets.classes)
    found = {name: _Collected(shape) for name in [*(method.name for method in methods), *([AUTO] if auto else [])]}
    for each in rounds.rounds:
        protocol = Protocol(each.test, aim, names, contents, each.seed)
        for method in methods:
            start = time.perf_counter()
            protocol.choose(method, features, targets, each.inner, each.train, judge_always=auto)
            found[method.name].seconds += time.perf_counter() - start
        if auto:
            protocol.choose_method()
        rows = rounds.rows(each.test)
        for name, chosen in protocol.report().items():
            probabilities = chosen.fitted.probabilities(features[each.test])
            found[name].probabilities[each.repeat, rows] = probabilities
            found[name].answered[each.repeat, rows] = answers(probabilities, chosen.thresholds)
            found[name].choices.append(Choice.of(each.repeat, each.fold, chosen))
    if auto:
        found[AUTO].seconds = sum(found[method.name].seconds for method in methods)
    return {
        name: Outcome(
            name,
            rounds.reported,
            one.probabilities,
            one.answered,
            tuple(one.choices),
            aim.name,
            rounds.seeds,
            one.seconds,
            rounds.notes,
        )
        for name, one in found.items()
    }


def check_finite(features: Float32[np.ndarray, "sample value"], names: Sequence[str]) -> None:
    """DataError naming samples with features that are not finite."""
    # a sum is not finite where a value is not, and needs no array of flags
    broken = np.flatnonzero(~np.isfinite(features.sum(axis=1, dtype=np.float64)))
    if len(broken):
        found = first_few([names[int(number)] for number in broken], 3)
        raise DataError(f"{counted(len(broken), 'sample')} with features that are not finite: {found}", "finite values")


class _Collected:
    """What is collected of one method."""

    def __init__(self, shape: tuple[int, int, int]):
        self.probabilities = np.full(shape, np.nan, np.float32)
        self.answered = np.zeros(shape, bool)
        self.choices: list[Choice] = []
        self.seconds = 0.0
