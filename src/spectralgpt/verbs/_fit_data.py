"""The labels of a fine-tuning: opened, divided into parts, drawn by fraction, and stored for training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.errors import counted, first_few
from spectralgpt.progress import Progress
from spectralgpt.verbs._options import LabelledObject, PathLike, ProbeOptions

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Int64

    from spectralgpt.data.labels import LabelledSet
    from spectralgpt.evaluation import Places, ThreeParts
    from spectralgpt.recipes import LabelFacts
    from spectralgpt.verbs._labels import Labels

SHAPES_READ = 25
"""Images of which the size is looked at, to choose a recipe."""

LARGEST_CHIP = 128
"""Pixels of the side of stored chips, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class FitData:
    """Labels with their parts. truth: the classes of each sample; for masks, those that occur."""

    labels: "Labels"
    truth: "Bool[np.ndarray, 'sample class']"
    places: "Places"
    parts: "ThreeParts"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the split."""
        return *self.parts.notes, *self.places.notes

    @property
    def text(self) -> str:
        """The parts in words."""
        counts = ", ".join(f"{len(self.parts.of(part))} {part}" for part in ("train", "val", "test"))
        return "\n".join([f"{counts} ({self.parts.how})", *self.notes])

    def drawn(self, fraction: float | int, seed: int) -> "Int64[np.ndarray, ' train']":
        """The samples that are trained on, by index. DataError for one label each where all have the same one."""
        from spectralgpt.errors import DataError
        from spectralgpt.evaluation import fraction_of

        train = self.parts.of("train")
        drawn = train if fraction == 1 else fraction_of(train, self.truth, fraction, seed)
        data, classes = self.labels.data, self._classes(drawn)
        if data.target == "class" and len(classes) < 2:
            raise DataError(
                f"{data.source}: found {counted(len(drawn), 'image')} to train on, of the class {classes[0]} only",
                "images of two classes or more",
                "Add images" if fraction == 1 else "Take a larger fraction",
            )
        return drawn

    def _classes(self, samples: "Int64[np.ndarray, ' sample']") -> list[str]:
        """Names of the classes that some samples hold."""
        occurs = self.truth[samples].any(axis=0)
        return [one.name for one, here in zip(self.labels.data.classes, occurs, strict=True) if here]

    def notes_on(self, train: "Int64[np.ndarray, ' train']") -> tuple[str, ...]:
        """What is to be said of a fraction of the samples to train on: the classes that it lost."""
        kept = self._classes(train)
        lost = [name for name in self._classes(self.parts.of("train")) if name not in kept]
        return (f"{counted(len(train), 'image')} to train on hold no {first_few(lost, 5)}",) if lost else ()

    def names(self, samples: "Int64[np.ndarray, ' sample']") -> list[str]:
        """Of some samples."""
        return [self.labels.data.samples[index].name for index in samples.tolist()]

    def facts(self, train: "Int64[np.ndarray, ' train']") -> "LabelFacts":
        """What a recipe is chosen by."""
        import math
        import statistics

        import numpy as np

        from spectralgpt.recipes import LabelFacts

        data = self.labels.data
        looked = train[np.unique(np.linspace(0, len(train) - 1, SHAPES_READ).round().astype(np.int64))]
        shapes = [data.read(int(index)).image.shape for index in looked]
        side = statistics.median_low(max(shape[2:]) for shape in shapes)
        images = len(train)
        if data.target in ("mask", "change"):  # these are cut into chips
            chip = min(side, LARGEST_CHIP)
            chips = statistics.fmean(math.ceil(shape[2] / chip) * math.ceil(shape[3] / chip) for shape in shapes)
            images = round(images * chips)
        return LabelFacts(data.target, len(data.classes), images, side, max(shape[0] for shape in shapes))

    def store(
        self, train: "Int64[np.ndarray, ' train']", folder: Path, image: int, progress: Progress
    ) -> tuple[str, ...]:
        """Store the samples to train on and to choose by; those to report on are never stored. image: side of the
        cubes. Returns notes."""
        import numpy as np

        from spectralgpt.data import shard_labels
        from spectralgpt.data.labels import Selection

        data = self.labels.data
        chosen = np.sort(np.concatenate([train, self.parts.of("val")]))
        report = shard_labels(
            Selection(data, tuple(chosen.tolist()), data.classes, tuple(range(len(data.classes)))),
            folder,
            splits=[self.parts.part[index] for index in chosen],
            groups=[str(self.places.ids[index]) for index in chosen],
            chip=min(image, LARGEST_CHIP),
            progress=progress,
        )
        failed = [each.reason for each in report.manifest.failed]
        notes = [f"{counted(len(failed), 'image')} could not be stored: {failed[0]}"] if failed else []
        if report.left_out:
            notes.append(f"{counted(report.left_out, 'chip')} without labelled or valid pixels left out")
        return *notes, *report.warnings


def opened_fit_data(
    data: PathLike | LabelledObject,
    val: PathLike | LabelledObject | None,
    test: PathLike | LabelledObject | None,
    options: ProbeOptions,
    progress: Progress,
) -> FitData:
    """The labels of all sources and their parts. InputError for labels that cannot be used, for a single place, and for
    an image to report on that is also in another part."""
    from spectralgpt.errors import DataError
    from spectralgpt.evaluation import three_parts
    from spectralgpt.verbs._labels import check_apart, check_val, hashes_of, opened_parts, places_of_set
    from spectralgpt.verbs._probing import truth_of

    check_apart(options["apart"])
    labels = opened_parts([("train" if test else "", data), ("val", val), ("test", test)], options, progress)
    found = labels.data
    check_val(found, val is not None)
    hashes = hashes_of(found, (), progress, skip_damaged=True)
    truth, places = truth_of(found), places_of_set(found, options["apart"])
    places = places.joined([",".join(sorted(each)) for each in hashes])
    names = [one.name for one in found.classes]
    try:
        parts = three_parts([sample.split for sample in found.samples], places.ids, truth, names, options["seed"])
    except DataError as error:
        raise error.about(found.source) from None
    _refuse_copies(found, hashes, parts)
    return FitData(labels, truth, places, parts)


def _refuse_copies(data: "LabelledSet", hashes: "Sequence[frozenset[str]]", parts: "ThreeParts") -> None:
    """DataError for images to report on that are also in another part of a given split."""
    from spectralgpt.errors import DataError
    from spectralgpt.evaluation.leaks import duplicates

    found = duplicates(hashes, ["other" if each in ("train", "val") else each for each in parts.part])
    if found.samples:
        named = found.words([each.name for each in data.samples], parts.part)
        raise DataError(
            f"{data.source}: found images to report on that are also trained on or chosen by ({named})",
            "no image in two parts",
            "Remove the copies from one of them",
        )


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the standard deviation (n - 1) over seeds; 0 of a single one."""
    import statistics

    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
