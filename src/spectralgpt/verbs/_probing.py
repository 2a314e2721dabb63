"""Judging features by labels: rounds by place, answers of several methods, tables of counts, intervals."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from spectralgpt.errors import DataError, counted
from spectralgpt.verbs._labels import IMAGE_TARGETS, places_of_set

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float32, Int64

    from spectralgpt.data.labels import LabelledSet
    from spectralgpt.evaluation import Choice, DenseFeatures, Method, Outcome, Parts, Places, StripAnswer, Targets
    from spectralgpt.metrics import ConfusionCounts, ImageTable, Interval, LabelTable
    from spectralgpt.tasks import TargetKind

WORDS = {
    "auto": "chosen method",
    "knn": "k-nearest neighbours",
    "logistic": "logistic regression",
    "trees": "extra trees",
}
"""Methods in words, where their names are not."""

MOST_THUMBNAILS = 400
"""Images of which predicted masks are kept for the report."""

LARGEST_THUMBNAIL = 1024
"""Columns of an image above which its predicted mask is not kept."""


def with_interval(value: float, low: float, high: float, what: str = "") -> str:
    """A score and its interval; images of a single place give none. what: the interval's level, in words."""
    return f"{value:.3f} (no interval)" if low != low else f"{value:.3f} ({what}{low:.3f} to {high:.3f})"


def in_words(features: str, method: str) -> str:
    """Features and method in words."""
    return ", ".join(filter(None, (features, WORDS.get(method, method))))


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What every kind of features is judged on: the same samples in the same rounds.

    truth: the classes of each sample. split: the given parts, or the places to cross-validate over. contents: a text
    per image that is the same for the same pixels; empty until images were read. notes: on the split.
    """

    data: "LabelledSet"
    truth: "Bool[np.ndarray, 'sample class']"
    places: "Places"
    split: "Parts | Places"
    contents: tuple[str, ...]
    repeats: int
    folds: int
    seed: int
    notes: tuple[str, ...] = ()

    def with_contents(self, hashes: Sequence[frozenset[str]]) -> "Trial":
        """The same, with what its images contain. hashes: of each image."""
        texts = (",".join(sorted(each)) for each in hashes)
        # an image without a hash, as it is 0 everywhere, is a copy of no other
        return replace(self, contents=tuple(text or f"sample {index}" for index, text in enumerate(texts)))

    @property
    def names(self) -> list[str]:
        """Of the samples."""
        return [sample.name for sample in self.data.samples]

    @property
    def how(self) -> str:
        """The split in words."""
        from spectralgpt.evaluation import Parts

        if isinstance(self.split, Parts):
            split = self.split
            return f"given split: {len(split.train)} train, {len(split.val)} val, {len(split.test)} test"
        known = {"groups": "by group", "positions": "by position", "none": "each image its own, as none is known"}
        times = f", repeated {self.repeats} times" if self.repeats > 1 else ""
        # of fewer places there are fewer folds
        places = self.places.count
        return f"{min(self.folds, places)} folds over {places} places ({known[self.places.how]}){times}"

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return [one.name for one in self.data.classes]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Answers of one method on one kind of features.

    tables: one per repeat, each of the reported samples. samples: their indices; places: of them. likely: probabilities
    of the classes of images, mean over repeats; answered: those in most repeats; predicted: thumbnails of masks in the
    first repeat, by sample; each is None for the other kind of labels. choices: what was chosen in each round.
    """

    features: str
    method: str
    tables: tuple["ImageTable", ...]
    samples: "Int64[np.ndarray, ' reported']"
    places: "Int64[np.ndarray, ' reported']"
    choices: tuple["Choice", ...]
    seeds: tuple[int, ...]
    seconds: float
    notes: tuple[str, ...]
    likely: "Float32[np.ndarray, 'reported class'] | None" = None
    answered: "Bool[np.ndarray, 'reported class'] | None" = None
    predicted: "Mapping[int, np.ndarray] | None" = None

    @property
    def title(self) -> str:
        """Features and method in words."""
        return in_words(self.features, self.method)

    def intervals(self, target: "TargetKind") -> dict[str, "Interval"]:
        """Every score of the target with its interval, by name."""
        from spectralgpt.metrics import bootstrap
        from spectralgpt.tasks import scores_of

        return {score.name: bootstrap(self.tables, score, self.places) for score in scores_of(target)}

    def differences(self, other: "Judged", target: "TargetKind") -> dict[str, "Interval"]:
        """How much more this one scores than the other on the same samples, by name of the score."""
        from spectralgpt.metrics import paired_difference
        from spectralgpt.tasks import scores_of

        return {
            score.name: paired_difference(self.tables, other.tables, score, self.places) for score in scores_of(target)
        }


def trial_of(
    data: "LabelledSet",
    *,
    split: Literal["auto", "given", "places", "none"],
    apart: float | int,
    repeats: int,
    folds: int,
    seed: int,
) -> Trial:
    """The rounds of a labelled set: folds over places, or its own split.

    split: given, the set's own, reported on its test part or, where it has none, on its validation part; places, folds
    over all samples; auto, the set's own if it has a test part; none, as nothing is fitted. DataError for a split that
    cannot be used.
    """
    from spectralgpt.evaluation import given_parts

    samples, truth, places = data.samples, truth_of(data), places_of_set(data, apart)
    splits = [sample.split for sample in samples]
    notes: tuple[str, ...] = ()
    parts: Parts | Places = places
    if split == "given" or (split == "auto" and "test" in splits):
        if "test" not in splits and "val" in splits:
            splits = ["test" if each == "val" else each for each in splits]
            notes = ("the split has no test part: the part val is reported, and inner folds of train choose",)
        try:
            parts = given_parts(splits, truth, [one.name for one in data.classes])
        except DataError as error:
            raise error.about(data.source) from None
        notes = (*notes, *_neighbours(data, splits, apart))
    elif places.count < 2 and split != "none":
        raise DataError(
            f"{data.source}: all {len(samples)} samples lie in one place",
            "at least two places, to hold one back",
            "Give a test part, or groups that may be in different parts, or",
            ("apart", 0),
        )
    elif split == "auto" and any(splits):
        notes = (
            f"the data's own split ({', '.join(sorted(set(splits) - {''}))}) has no test part, so folds over places "
            "are used; split='given' reports on its validation part",
        )
    return Trial(data, truth, places, parts, (), repeats, folds, seed, (*notes, *_unmeasured(data)))


def _unmeasured(data: "LabelledSet") -> Iterator[str]:
    """What is to be said of labels where nothing was measured."""
    from spectralgpt.data.labels import MeasuredLabels, Selection

    whole = data.whole if isinstance(data, Selection) else data
    if isinstance(whole, MeasuredLabels):
        labelled, dropped = whole.dropped
        if dropped:
            yield (
                f"{dropped / labelled:.2%} of the labelled pixels have no valid data in their image: they are neither "
                "fitted to nor scored"
            )


def _neighbours(data: "LabelledSet", splits: Sequence[str], apart: float | int) -> Iterator[str]:
    """Warnings of samples that overlap, or lie near, one of another part."""
    import numpy as np

    from spectralgpt.evaluation.leaks import near

    unknown = (float("nan"), float("nan"))
    positions = np.array([sample.position or unknown for sample in data.samples], np.float64).reshape(-1, 2)
    names = [sample.name for sample in data.samples]
    found = near(positions, np.array([sample.extent for sample in data.samples], np.float64), splits, apart)
    for across, what in ((found.overlapping, "overlap one"), (found.near, f"lie less than {apart:g} km from one")):
        if across.samples:
            yield (
                f"{counted(across.samples, 'image')} {what} of another part, so the score may be too good: "
                f"{across.words(names, splits)}"
            )
    if found.unplaced:
        yield f"{counted(found.unplaced, 'image')} without a position: whether parts overlap there is unknown"


def truth_of(data: "LabelledSet") -> "Bool[np.ndarray, 'sample class']":
    """The classes of each sample; for masks, those that occur in it."""
    import numpy as np

    truth = np.zeros((len(data.samples), len(data.classes)), bool)
    for index, sample in enumerate(data.samples):
        labels: Sequence[int] | np.ndarray = sample.labels
        if data.target not in IMAGE_TARGETS:
            found = data.read(index).mask
            assert found is not None, "a target of masks has masks"
            labels = np.unique(found[found >= 0])
        truth[index, labels] = True
    return truth


def judge_images(
    trial: Trial,
    features: "Float32[np.ndarray, 'sample value']",
    title: str,
    methods: Sequence["Method"],
    *,
    auto: bool,
) -> dict[str, Judged]:
    """Answers of each method, and of `auto` if asked, by the method's name."""
    from spectralgpt.evaluation import fit_threads, run_protocol

    with fit_threads(features):
        outcomes: Mapping[str, Outcome] = run_protocol(
            features,
            targets_of(trial),
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


def targets_of(trial: Trial) -> "Targets":
    """The labels of images."""
    import numpy as np

    from spectralgpt.evaluation import Targets

    return Targets(trial.truth, trial.data.target == "classes", np.ones(len(trial.truth)))


def image_table(
    trial: Trial,
    samples: "Int64[np.ndarray, ' reported']",
    answered: "Bool[np.ndarray, 'reported class']",
    likely: "Float32[np.ndarray, 'reported class']",
) -> "ConfusionCounts | LabelTable":
    """The table of answers for images; one without any answer, as nothing in it is valid, is an error of its class."""
    import numpy as np

    from spectralgpt.metrics import ConfusionCounts, LabelTable

    truth = trial.truth[samples]
    if trial.data.target == "classes":
        return LabelTable(truth, answered, likely)
    predicted = np.where(answered.any(axis=1), answered.argmax(axis=1), -1)
    return ConfusionCounts.of_classes(truth.argmax(axis=1), predicted, truth.shape[1], likely)


def _judged(trial: Trial, title: str, outcome: "Outcome") -> Judged:
    pairs = zip(outcome.answered, outcome.probabilities, strict=True)
    tables = tuple(image_table(trial, outcome.samples, answered, likely) for answered, likely in pairs)
    return Judged(
        features=title,
        method=outcome.method,
        tables=tables,
        samples=outcome.samples,
        places=trial.places.ids[outcome.samples],
        choices=outcome.choices,
        seeds=outcome.seeds,
        seconds=outcome.seconds,
        notes=outcome.notes,
        likely=outcome.probabilities.mean(axis=0),
        answered=outcome.answered.mean(axis=0) > 0.5,
    )


def judge_pixels(
    trial: Trial,
    dense: "DenseFeatures",
    title: str,
    methods: Sequence["Method"],
    *,
    auto: bool,
    only_auto: bool = False,
) -> dict[str, Judged]:
    """Answers of each method for the pixels of masks, and of `auto` if asked, by the method's name; or of `auto` alone,
    as each method's answers for all pixels take long."""
    from spectralgpt.evaluation import run_dense

    counted = _Counted(trial)
    outcome = run_dense(
        dense,
        trial.split,
        methods,
        trial.data.target,
        trial.classes,
        counted.add,
        places=trial.places,
        contents=trial.contents,
        auto=auto,
        only_auto=only_auto,
        repeats=trial.repeats,
        count=trial.folds,
        seed=trial.seed,
    )
    return {
        name: Judged(
            features=title,
            method=name,
            tables=counted.tables(name, len(outcome.seeds), outcome.images),
            samples=outcome.images,
            places=trial.places.ids[outcome.images],
            choices=choices,
            seeds=outcome.seeds,
            seconds=outcome.seconds[name],
            notes=outcome.notes,
            predicted=counted.thumbnails[name],
        )
        for name, choices in outcome.choices.items()
    }


class _Counted:
    """Counts of answers, added up strip by strip, and thumbnails of the first repeat."""

    def __init__(self, trial: Trial):
        self._classes = len(trial.classes)
        self._counts: dict[tuple[str, int, int], ConfusionCounts] = {}
        self.thumbnails: dict[str, dict[int, np.ndarray]] = {}

    def add(self, strip: "StripAnswer") -> None:
        """Count a strip. A labelled pixel without an answer is an error of its class."""
        import numpy as np

        from spectralgpt.metrics import ConfusionCounts

        for name, answered in strip.answered.items():
            # of pixels without an answer nothing is asked
            likely = np.nan_to_num(strip.probabilities[name])
            counts = ConfusionCounts.of_mask(strip.truth, answered, self._classes, likely)
            key = name, strip.repeat, strip.image
            self._counts[key] = self._counts[key] + counts if key in self._counts else counts
            if strip.repeat == 0:
                self._keep(name, strip.image, answered)

    def tables(self, name: str, repeats: int, images: "Int64[np.ndarray, ' image']") -> tuple["ConfusionCounts", ...]:
        """The table of each repeat."""
        from spectralgpt.metrics import ConfusionCounts

        return tuple(
            ConfusionCounts.joined([self._counts[name, repeat, image] for image in images.tolist()])
            for repeat in range(repeats)
        )

    def _keep(self, name: str, image: int, answered: "np.ndarray") -> None:
        import numpy as np

        kept = self.thumbnails.setdefault(name, {})
        if image in kept:
            kept[image] = np.concatenate([kept[image], answered])
        elif len(kept) < MOST_THUMBNAILS and answered.shape[1] <= LARGEST_THUMBNAIL:
            kept[image] = answered
