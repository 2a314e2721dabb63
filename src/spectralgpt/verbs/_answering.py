"""Answers of weights with a head, or of a probe, for labelled images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spectralgpt.progress import Progress
from spectralgpt.verbs._labels import read_with
from spectralgpt.verbs._options import PathLike, ProbeOptions

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, Float32

    from spectralgpt.data.labels import ClassList, LabelledSet
    from spectralgpt.features import Cache, ImageMaker, Probe
    from spectralgpt.raster import Readable
    from spectralgpt.tasks import Class, TargetKind
    from spectralgpt.weights import PretrainedModel, TrainedDomain


@dataclass(frozen=True, slots=True, eq=False)
class Answerer:
    """What answers: weights with a head, or a probe.

    targets: kinds of labels that it answers. classes: empty where they have no names; count: their number.
    thresholds: from which probability on a class is the answer, None for the likeliest. fitted_to: hashes of the images
    that a probe was fitted to; reading: options by which they were read; fitted_on: their kinds. images: probabilities
    (image, class) of a set's images; pixels: (row, column, class) of an image's, and where it answers; one of them is
    None.
    """

    name: str
    model: "PretrainedModel"
    targets: tuple["TargetKind", ...]
    classes: tuple["Class", ...]
    count: int
    thresholds: "np.ndarray | None"
    fitted_to: frozenset[str] = frozenset()
    reading: Mapping[str, str] | None = None
    fitted_on: "TrainedDomain | None" = None
    images: "Callable[[LabelledSet, Cache, Progress], np.ndarray] | None" = None
    pixels: "Callable[[Readable], tuple[np.ndarray, np.ndarray]] | None" = None

    @property
    def known_classes(self) -> "ClassList | None":
        """Its classes, as the only ones that labels of images may be; None where they have no names, and for masks,
        where the codes are not known."""
        from spectralgpt.data.labels import ClassList

        if self.images is None or not self.classes:
            return None
        return ClassList(self.classes, tuple(one.name for one in self.classes))

    def other_reading(self, options: ProbeOptions) -> list[str]:
        """What is to be said where images are read in another way than those that a probe was fitted to."""
        return [] if self.reading is None else list(other_reading_note(self.reading, read_with(options)))


def other_reading_note(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """A line on options by which images are read now and were read when a probe was fitted, where they differ."""
    if now == then:
        return ()
    ways = [
        ", ".join(f"{name}={value!r}" for name, value in each.items()) or "without such options" for each in (then, now)
    ]
    return (f"the probe was fitted to images that were read with other options: {ways[0]}; now {ways[1]}",)


def opened_answerer(options: ProbeOptions, encoder: PathLike | None) -> Answerer:
    """The weights or the probe that the option `weights` names. WeightsError for weights without a head."""
    from pathlib import Path

    from spectralgpt.errors import WeightsError
    from spectralgpt.features import Probe
    from spectralgpt.features.probe_files import is_probe
    from spectralgpt.weights import load_model
    from spectralgpt.weights.named import versioned_name

    weights = options["weights"]
    if weights is not None and is_probe(Path(weights)):
        return _of_probe(Probe.load(weights, weights=encoder, device=options["device"]))
    model = load_model(weights, options["device"])
    if not model.task.targets:
        raise WeightsError(
            f"{versioned_name(weights)}: found weights for {model.task.name}, which answer nothing about labels",
            "weights with a head, or a folder that `probe` wrote",
            "Fit a read-out to them first: spectralgpt probe DATA --out PROBE",
        )
    return answerer_of_head(model, options)


def _of_probe(probe: "Probe") -> Answerer:
    import numpy as np

    def images(data: "LabelledSet", cache: "Cache", progress: Progress) -> "np.ndarray":
        from spectralgpt.features import image_vectors

        made = image_vectors(data, probe.image_maker(), cache, progress, beside=probe.makers_beside())
        return probe.fitted.probabilities(made.values)

    def pixels(image: "Readable") -> "tuple[np.ndarray, np.ndarray]":
        likely = probe.probabilities(image)
        known = np.isfinite(likely).all(axis=-1)
        return np.nan_to_num(likely), known

    whole = probe.description.target in ("class", "classes")
    return Answerer(
        name=probe.name,
        model=probe.model,
        targets=(probe.description.target,),
        classes=probe.classes,
        count=len(probe.classes),
        thresholds=probe.thresholds,
        fitted_to=frozenset(probe.description.images),
        reading=probe.description.reading,
        fitted_on=probe.description.fitted_on,
        images=images if whole else None,
        pixels=None if whole else pixels,
    )


def answerer_of_head(model: "PretrainedModel", options: ProbeOptions) -> Answerer:
    """What weights with a head answer, with their own thresholds or 1/2."""
    import numpy as np

    from spectralgpt.features import ImageProbabilities, PixelProbabilities
    from spectralgpt.features.encoder import name_of

    own = options["bands_as"] == "own"
    head: Any = model.head_config
    name = name_of(model)
    chosen = np.array(model.thresholds) if model.thresholds else None
    if model.task.name == "classification":
        maker: ImageMaker = ImageProbabilities(model, own=own, precision=options["precision"])

        def images(data: "LabelledSet", cache: "Cache", progress: Progress) -> "np.ndarray":
            from spectralgpt.features import image_vectors

            return image_vectors(data, maker, cache, progress).values

        several: bool = head.several
        thresholds = chosen if chosen is not None else np.full(head.classes, 0.5) if several else None
        kind: TargetKind = "classes" if several else "class"
        return Answerer(name, model, (kind,), model.classes, head.classes, thresholds, images=images)
    pixels = PixelProbabilities(model, own=own, precision=options["precision"])
    return Answerer(name, model, tuple(model.task.targets), model.classes, head.classes, chosen, pixels=pixels.of)


def answered_images(
    answerer: Answerer, data: "LabelledSet", cache: "Cache", progress: Progress
) -> "tuple[Float32[np.ndarray, 'image class'], Bool[np.ndarray, 'image class']]":
    """Probabilities of images, 0 where nothing is valid, and the classes that are answered; none there."""
    import numpy as np

    from spectralgpt.evaluation import answers

    assert answerer.images is not None, "it answers about images"
    likely = answerer.images(data, cache, progress)
    known = np.isfinite(likely).all(axis=1)
    likely = np.nan_to_num(likely)
    return likely, answers(likely, answerer.thresholds) & known[:, None]


def answered_pixels(
    answerer: Answerer, data: "LabelledSet", names: Sequence[str], progress: Progress
) -> "tuple[Any, dict[int, np.ndarray]]":
    """The table of counts of all images, and the predicted masks of some, by index."""
    import numpy as np

    from spectralgpt.errors import DataError
    from spectralgpt.evaluation import answers
    from spectralgpt.metrics import ConfusionCounts
    from spectralgpt.verbs._probing import LARGEST_THUMBNAIL, MOST_THUMBNAILS

    assert answerer.pixels is not None, "it answers about pixels"
    tables = []
    kept: dict[int, np.ndarray] = {}
    for index in range(len(data.samples)):
        sample = data.read(index)
        assert sample.mask is not None, "a target of masks has masks"
        try:
            likely, known = answerer.pixels(sample.image)
        except DataError as error:
            raise error.about(names[index]) from None
        found = np.where(known, answers(likely, answerer.thresholds).argmax(axis=-1), -1).astype(np.int16)
        tables.append(ConfusionCounts.of_mask(sample.mask, found, answerer.count, likely))
        if len(kept) < MOST_THUMBNAILS and max(found.shape) <= LARGEST_THUMBNAIL:
            kept[index] = found
        progress("answers", index + 1, len(data.samples))
    return ConfusionCounts.joined(tables), kept
