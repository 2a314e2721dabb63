"""Honest answers for pixels: read-outs are fitted to drawn pixels of some images, and answer for all of the others."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int16, Int64

from spectralgpt.errors import DataError
from spectralgpt.evaluation.aims import aim_of, answers
from spectralgpt.evaluation.choice import Chosen, Pair
from spectralgpt.evaluation.method import Method
from spectralgpt.evaluation.outcome import Choice, check_finite
from spectralgpt.evaluation.pixels import BUDGET, DenseFeatures, DrawnPixels, sample_pixels, strips
from spectralgpt.evaluation.places import Places
from spectralgpt.evaluation.protocol import AUTO, Protocol
from spectralgpt.evaluation.rounds import Round, rounds_of
from spectralgpt.evaluation.splits import INNER_COUNT, Parts
from spectralgpt.raster import Window

UNANSWERED = -1
"""What is answered where there are no features."""


@dataclass(frozen=True, slots=True, eq=False)
class StripAnswer:
    """Answers for a strip of an image that no read-out has seen.

    probabilities: by method, nan where not valid. answered: indices of classes by method, -1 where not valid.
    """

    repeat: int
    image: int
    window: Window
    truth: Int16[np.ndarray, "row column"]
    valid: Bool[np.ndarray, "row column"]
    probabilities: Mapping[str, Float32[np.ndarray, "row column class"]]
    answered: Mapping[str, Int16[np.ndarray, "row column"]]


@dataclass(frozen=True, slots=True, eq=False)
class DenseOutcome:
    """What was chosen, by method: one per repeat and fold. images: those reported. pixels: drawn to fit and choose by,
    per fold. seconds: of choosing and fitting, by method."""

    images: Int64[np.ndarray, " image"]
    choices: Mapping[str, tuple[Choice, ...]]
    pixels: tuple[int, ...]
    aim: str
    seeds: tuple[int, ...]
    seconds: Mapping[str, float]
    notes: tuple[str, ...]


def run_dense(
    dense: DenseFeatures,
    split: Places | Parts,
    methods: Sequence[Method],
    kind: str,
    classes: Sequence[str],
    receive: Callable[[StripAnswer], None],
    *,
    places: Places | None = None,
    contents: Sequence[str] = (),
    auto: bool = False,
    only_auto: bool = False,
    repeats: int = 1,
    count: int = 5,
    seed: int = 0,
    budget: int = BUDGET,
) -> DenseOutcome:
    """Answers for every pixel of the reported images, strip by strip, to `receive`; and what was chosen.

    kind: mask or change. split, places, contents, repeats, count: of images, as for `run_protocol`. Pixels of an image
    are in one part. The pixels to fit to are drawn once, of all images that are ever fitted to. auto: also answer by
    the best method; only_auto: by nothing else, which spares the answers of the others.
    """
    names = [dense.name(image) for image in range(len(dense))]
    truth = np.array([_present(dense.truth(image), len(classes)) for image in range(len(dense))], bool)
    rounds = rounds_of(
        split,
        truth.reshape(len(dense), len(classes)),
        places=places,
        contents=contents,
        classes=classes,
        repeats=repeats,
        count=count,
        seed=seed,
    )
    fitted_to = np.unique(np.concatenate([np.concatenate([each.train, *_judges(each)]) for each in rounds.rounds]))
    drawn = sample_pixels(dense, fitted_to, len(classes), seed, budget=budget, contents=contents)
    check_finite(drawn.features, [names[image] for image in drawn.image])
    aim = aim_of(kind, len(classes))
    auto = auto or only_auto
    wanted = [*(method.name for method in methods if not only_auto), *([AUTO] if auto else [])]
    choices: dict[str, list[Choice]] = {name: [] for name in wanted}
    seconds = dict.fromkeys(wanted, 0.0)
    pixels = []
    for each in rounds.rounds:
        protocol = Protocol(each.test, aim, names, contents, each.seed)
        train, inner = pixel_pairs(drawn, each)
        pixels.append(len(train))
        for method in methods:
            start = time.perf_counter()
            arrays = drawn.features, drawn.targets
            protocol.choose(method, *arrays, inner, train, owner=drawn.image, judge_always=auto)
            spent = time.perf_counter() - start
            for name in {method.name, AUTO}.intersection(wanted):
                seconds[name] += spent
        if auto:
            protocol.choose_method()
        chosen = {name: one for name, one in protocol.report().items() if name in wanted}
        for name, one in chosen.items():
            choices[name].append(Choice.of(each.repeat, each.fold, one))
        for image in each.test.tolist():
            answer_strips(dense, image, chosen, each.repeat, receive)
    made = {name: tuple(found) for name, found in choices.items()}
    return DenseOutcome(rounds.reported, made, tuple(pixels), aim.name, rounds.seeds, seconds, rounds.notes)


def answer_strips(
    dense: DenseFeatures, image: int, chosen: Mapping[str, Chosen], repeat: int, receive: Callable[[StripAnswer], None]
) -> None:
    """What each read-out answers for an image, strip by strip, from features that are read once."""
    truth = dense.truth(image)
    for window in strips(*dense.shape(image)):
        valid = dense.valid(image, window)
        values = dense.features(image, window)[valid]
        probabilities, answered = {}, {}
        known: dict[int, Float32[np.ndarray, "sample class"]] = {}
        for name, one in chosen.items():
            found = known.get(id(one))  # `auto` is one of the others
            if found is None:
                found = known[id(one)] = one.fitted.probabilities(values)
            likely = np.full((*valid.shape, found.shape[1]), np.nan, np.float32)
            likely[valid] = found
            index = np.full(valid.shape, UNANSWERED, np.int16)
            index[valid] = answers(found, one.thresholds).argmax(axis=1)
            probabilities[name], answered[name] = likely, index
        receive(StripAnswer(repeat, image, window, truth[window.slices], valid, probabilities, answered))


def pixel_pairs(drawn: DrawnPixels, each: Round) -> tuple[Int64[np.ndarray, " train"], list[Pair]]:
    """The pixels to fit to, and the pairs to choose by. Where the images of a round cannot be parted (one image), the
    pixels are, by bands of rows. DataError when no pixel is drawn of any."""
    train = drawn.of_images(each.train)
    if not len(train):
        raise DataError("the training images have no pixel that is labelled and valid", "one or more")
    pairs = [(drawn.of_images(fit), drawn.of_images(judge)) for fit, judge in each.inner]
    pairs = [(fit, judge) for fit, judge in pairs if len(fit) and len(judge)]
    if pairs:
        return train, pairs
    band = np.minimum((drawn.row[train] * INNER_COUNT).astype(np.int64), INNER_COUNT - 1)
    bands = [(train[band != number], train[band == number]) for number in range(INNER_COUNT)]
    return train, [(fit, judge) for fit, judge in bands if len(fit) and len(judge)]


def _present(truth: Int16[np.ndarray, "row column"], classes: int) -> Bool[np.ndarray, " class"]:
    """Which classes occur."""
    return np.asarray(np.bincount(truth[truth >= 0], minlength=classes)[:classes] > 0)


def _judges(each: Round) -> list[Int64[np.ndarray, "_"]]:
    return [judge for _, judge in each.inner]
