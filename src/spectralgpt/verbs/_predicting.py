"""What answers about a scene with classes: weights with a head, or a probe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spectralgpt.verbs._answering import other_reading_note
from spectralgpt.verbs._image_kind import kind_of_image
from spectralgpt.verbs._labels import read_with
from spectralgpt.verbs._options import PathLike, SceneOptions
from spectralgpt.verbs._scene import OpenedScene

if TYPE_CHECKING:
    import numpy as np

    from spectralgpt.features import Probe
    from spectralgpt.features.square_answers import ImagesAsked
    from spectralgpt.raster import Pixels
    from spectralgpt.scenes import AnsweredClasses, ClassAnswers
    from spectralgpt.weights import PretrainedModel

FOR_CHANGE = "The verb `change` maps what changed between two dates"
NEEDED = "weights for classification or segmentation, or a folder that `probe` wrote"
MAKE_THEM = "Make them of labelled images with the verb `finetune`, or fit a probe with the verb `probe`"

OF_VALIDITY = ("clouds", "nodata")
"""Options that leave pixels out, but change none: scenes need them where small labelled images did not."""


@dataclass(frozen=True, slots=True)
class Predicting:
    """What answers, as far as it is known before the scene is opened. probe: of the folder that was given as weights.
    options: with the weights that are to be loaded."""

    probe: "Probe | None"
    options: SceneOptions

    @property
    def probe_mark(self) -> dict[str, str]:
        """What says which probe it is, for tags; empty without one."""
        return {} if self.probe is None else {"probe": self.probe.description.answering[:16]}

    def outside(self, scene: OpenedScene) -> tuple[str, ...]:
        """A line on a scene outside what a probe was fitted to."""
        from spectralgpt.weights.trained_domain import outside_probe_note

        fitted_on = None if self.probe is None else self.probe.description.fitted_on
        return outside_probe_note(fitted_on, scene.raster.source, [kind_of_image(scene.raster, scene.model)])

    def other_reading(self) -> tuple[str, ...]:
        """What is to be said where the scene is read in another way than the images that a probe was fitted to."""
        if self.probe is None:
            return ()
        apart = ("bands_as", *OF_VALIDITY)
        then = {name: text for name, text in self.probe.description.reading.items() if name not in apart}
        now = {name: text for name, text in read_with(self.options).items() if name not in apart}
        return other_reading_note(then, now)


@dataclass(frozen=True, slots=True, eq=False)
class SceneAnswers:
    """Answers about an opened scene, and how they are made. side: of the squares that are answered about; None where
    each pixel has an answer of its own."""

    answers: "ClassAnswers[Any]"
    own: bool
    overlap: float
    precision: Any
    side: int | None


def opened_predicting(options: SceneOptions, encoder: PathLike | None) -> Predicting:
    """The weights, or the probe with its weights, that the option names. WeightsError for a probe of changes, or one
    that cannot be opened."""
    from spectralgpt.errors import WeightsError
    from spectralgpt.features import Probe
    from spectralgpt.features.probe_files import is_probe

    weights = options["weights"]
    if weights is None:
        # those of the package are for pretraining
        raise WeightsError("no weights are given", NEEDED, MAKE_THEM)
    if not is_probe(Path(weights)):
        return Predicting(None, options)
    probe = Probe.load(weights, weights=encoder, device=options["device"])
    if probe.description.target == "change":
        raise WeightsError(f"{weights}: found a probe of changes", NEEDED, FOR_CHANGE)
    return Predicting(probe, cast(SceneOptions, {**options, "weights": encoder or probe.description.weights}))


def check_predicting(options: Mapping[str, Any]) -> None:
    """WeightsError for weights or a probe that answer nothing about classes, or cannot be loaded."""
    from spectralgpt.weights import load_model
    from spectralgpt.weights.named import versioned_name

    predicting = opened_predicting(cast(SceneOptions, options), options.get("encoder"))
    model = load_model(predicting.options["weights"], options["device"])
    if predicting.probe is None:
        _refuse_weights(model, versioned_name(options["weights"]))


def answers_for(scene: OpenedScene, predicting: Predicting, side: int | None) -> SceneAnswers:
    """The answers about the scene. side: as given. WeightsError for weights without classes or for
    changes; OptionError for options that mean nothing for these answers."""
    from spectralgpt.features import ProbedPixels
    from spectralgpt.scenes import HeadOnPixels
    from spectralgpt.weights.named import versioned_name

    probe, model, computing = predicting.probe, scene.model, scene.computing
    if probe is None:
        _refuse_weights(model, versioned_name(predicting.options["weights"]))
    of_images = ("mask" not in model.task.targets) if probe is None else probe.description.target != "mask"
    if of_images:
        _refuse_overlap(predicting.options["overlap"])
        if probe is None:
            return _squares_of_head(scene, model, side)
        return _squares_of_probe(scene, replace(probe, model=model), side)
    _refuse_side(side)
    if probe is not None:
        probe = replace(probe, model=model)
        made = ProbedPixels.made(scene.raster, probe, overlap=computing["overlap"], batch=computing["batch"])
        return SceneAnswers(made, probe.own, computing["overlap"], probe.description.precision, None)
    assert model.task.answers is not None, "weights for masks make maps"
    head = HeadOnPixels.made(scene.raster, model, model.task.answers(model), **computing)
    return SceneAnswers(head, computing["own"], computing["overlap"], computing["precision"], None)


def check_options(polygons: bool, min_area: float) -> None:
    """OptionError for a smallest area that is none, or without polygons."""
    from spectralgpt.errors import OptionError, argument

    if not 0 <= min_area < float("inf"):
        raise OptionError(argument("min_area", min_area), "square metres, 0 or more")
    if min_area and not polygons:
        found = f"{argument('min_area', min_area)}: found no polygons to be written"
        raise OptionError(found, "", "It leaves out small polygons; give it with", ("polygons", True))


def _refuse_weights(model: "PretrainedModel", name: str) -> None:
    from spectralgpt.errors import WeightsError

    if "change" in model.task.targets:
        raise WeightsError(f"{name}: found weights for {model.task.name}", NEEDED, FOR_CHANGE)
    if not model.task.targets:
        raise WeightsError(
            f"{name}: found weights for {model.task.name}, which have no classes",
            NEEDED,
            MAKE_THEM,
        )


def _refuse_side(side: int | None) -> None:
    from spectralgpt.errors import OptionError, argument

    if side is not None:
        found = f"{argument('side', side)}: found answers about pixels, which are not given per square"
        raise OptionError(found, "", "Leave the option out")


def _refuse_overlap(overlap: float | None) -> None:
    from spectralgpt.errors import OptionError, argument

    if overlap is not None:
        found = f"{argument('overlap', overlap)}: found answers about whole images"
        raise OptionError(found, "no overlap, as the squares of such maps always share half of their side")


def _squares_of_probe(scene: OpenedScene, probe: "Probe", side: int | None) -> SceneAnswers:
    import numpy as np

    from spectralgpt.scenes import AnsweredClasses

    makers, description = (probe.image_maker(), *probe.makers_beside()), probe.description

    def asked(images: "Sequence[Pixels]") -> "np.ndarray":
        vectors = np.concatenate([maker.of(images) for maker in makers], axis=1)
        return np.asarray(probe.fitted.probabilities(vectors), np.float32)

    classes = AnsweredClasses(probe.classes, description.target == "classes", description.thresholds)
    side = description.side if side is None else side
    return _squares(scene, asked, classes, side, probe.own, description.precision)


def _squares_of_head(scene: OpenedScene, model: "PretrainedModel", side: int | None) -> SceneAnswers:
    from spectralgpt.features import ImageProbabilities
    from spectralgpt.scenes import AnsweredClasses
    from spectralgpt.tasks import Class

    head: Any = model.head_config
    own, precision = scene.computing["own"], scene.computing["precision"]
    classes = model.classes or tuple(Class(f"class {index}") for index in range(head.classes))
    answered = AnsweredClasses(classes, head.several, model.thresholds)
    return _squares(scene, ImageProbabilities(model, own=own, precision=precision).of, answered, side, own, precision)


def _squares(
    scene: OpenedScene, asked: "ImagesAsked", classes: "AnsweredClasses", side: int | None, own: bool, precision: Any
) -> SceneAnswers:
    from spectralgpt.features import SquareAnswers
    from spectralgpt.features.square_answers import SQUARE_OVERLAP

    side = scene.model.config.image if side is None else side
    made = SquareAnswers.made(scene.raster, asked, classes, side=side, batch=scene.computing["batch"])
    return SceneAnswers(made, own, SQUARE_OVERLAP, precision, 2 * made.plan.reduce)
