"""Learning curves: how good a read-out is with few labelled images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from spectralgpt.draws import keys, permutation
from spectralgpt.errors import DataError, first_few
from spectralgpt.evaluation.aims import aim_of, answers
from spectralgpt.evaluation.method import Method, Targets
from spectralgpt.evaluation.outcome import Choice, check_finite
from spectralgpt.evaluation.places import Places
from spectralgpt.evaluation.protocol import Protocol
from spectralgpt.evaluation.rounds import Round, rounds_of
from spectralgpt.evaluation.splits import Parts, inner_folds

SHOTS = (1, 2, 5, 10, 20, 50, 100)
CURVE = 5
"""What a permutation of samples is for."""


@dataclass(frozen=True, slots=True, eq=False)
class CurvePoint:
    """One method, fitted to a few images, in one repeat.

    shots: images per class that were asked for; train: the samples that were fitted to; test: those reported.
    """

    method: str
    shots: int
    repeat: int
    train: Int64[np.ndarray, " train"]
    test: Int64[np.ndarray, " test"]
    probabilities: Float32[np.ndarray, "test class"]
    answered: Bool[np.ndarray, "test class"]
    choice: Choice


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """All points, every repeat; seeds: one per repeat; notes: classes with fewer images than were asked for."""

    points: tuple[CurvePoint, ...]
    seeds: tuple[int, ...]
    notes: tuple[str, ...]


def nested_shots(
    truth: Bool[np.ndarray, "sample class"],
    pool: Int64[np.ndarray, " pool"],
    shots: Sequence[int],
    seed: int,
) -> list[Int64[np.ndarray, "_"]]:
    """For each number of shots k, indices of samples in the pool, ascending: of each class the first k in one order.

    The order is drawn once, so the 5 lie in the 10. Where a sample has several classes, it counts for each of them:
    the draw is the union, over classes, of the first k samples that have the class; so a class may have more than k. A
    class with fewer samples gives all.
    """
    order = pool[permutation(seed, CURVE, count=len(pool))]
    # the rank of a sample among those with the class
    rank = np.where(truth[order], np.cumsum(truth[order], axis=0), len(order) + 1)
    return [np.sort(order[(rank <= count).any(axis=1)]) for count in shots]


def learning_curve(
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
    shots: Sequence[int] = SHOTS,
    repeats: int = 10,
    count: int = 5,
    seed: int = 0,
) -> Curve:
    """Answers for each method, number of shots and repeat, on the test part of a given split, or on one fold of places
    per repeat (so the tested samples differ between repeats, but not between the points of one).

    Settings are chosen by folds of the drawn samples alone; with one per class, the method's usual settings are taken.
    A given validation part is not used: a curve of few labels has none. Numbers of shots beyond the most frequent
    class are left out, and said.
    """
    names = names or [f"sample {number}" for number in range(len(features))]
    check_finite(features, names)
    ids = (split if isinstance(split, Places) else places or Places(np.arange(len(features)), "none")).ids
    aim = aim_of(kind, targets.classes)
    found, seeds, notes = _repeats(split, targets, places, contents, repeats, count, seed)
    most = max(int(targets.truth[each.train].sum(axis=0).max()) for each in found)
    asked = [number for number in sorted(set(shots)) if number <= most]
    if not asked:
        raise DataError(f"at most {most} training images per class", f"{min(shots)} or more")
    if len(asked) < len(set(shots)):
        notes = (*notes, f"no class has more than {most} training images: the curve ends there")
    points = []
    fewer: dict[int, set[int]] = {}
    for repeat, each in enumerate(found):
        for number, drawn in zip(asked, nested_shots(targets.truth, each.train, asked, seeds[repeat]), strict=True):
            held = targets.truth[drawn].sum(axis=0)
            for short in np.flatnonzero(held < number).tolist():
                fewer.setdefault(number, set()).add(short)
            inner = inner_folds(ids, targets.truth, drawn, seed=seeds[repeat])
            protocol = Protocol(each.test, aim, names, contents, seeds[repeat])
            for method in methods:
                protocol.choose(method, features, targets, inner, drawn)
            for name, chosen in protocol.report().items():
                likely = chosen.fitted.probabilities(features[each.test])
                choice = Choice.of(repeat, each.fold, chosen)
                answer = answers(likely, chosen.thresholds)
                points.append(CurvePoint(name, number, repeat, drawn, each.test, likely, answer, choice))
    return Curve(tuple(points), seeds, (*notes, *_fewer(fewer, classes)))


def _repeats(
    split: Places | Parts,
    targets: Targets,
    places: Places | None,
    contents: Sequence[str],
    repeats: int,
    count: int,
    seed: int,
) -> tuple[list[Round], tuple[int, ...], tuple[str, ...]]:
    """A round and a seed for each repeat."""
    drawn = rounds_of(split, targets.truth, places=places, contents=contents, repeats=repeats, count=count, seed=seed)
    if isinstance(split, Parts):
        seeds = tuple(int(each >> np.uint64(33)) for each in keys(seed, CURVE, np.arange(repeats)))
        return list(drawn.rounds) * repeats, seeds, drawn.notes
    first = [next(each for each in drawn.rounds if each.repeat == repeat) for repeat in range(repeats)]
    return first, drawn.seeds, drawn.notes


def _fewer(fewer: dict[int, set[int]], classes: Sequence[str]) -> list[str]:
    """What is to be said where classes gave all that they have."""
    notes = []
    for shots, short in sorted(fewer.items()):
        names = [classes[number] if len(classes) else f"class {number}" for number in sorted(short)]
        notes.append(f"fewer than {shots} training images, so all of them: {first_few(names, 5)}")
    return notes
