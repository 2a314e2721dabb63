"""What the other rooms use of a task.

A task is a value in a file of this room: its name, its heads, how a model is made from a configuration and a head, the
objective of its training, the content of a map of its answers, and its texts. No other room distinguishes tasks.
"""

import importlib
import pkgutil
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped
from torch import Tensor, nn

from spectralgpt.bands import BandSet
from spectralgpt.errors import OptionError, did_you_mean
from spectralgpt.metrics import ConfusionCounts, LabelTable, Score
from spectralgpt.nn import Backbone, Cube, ModelConfig
from spectralgpt.plain import Family

TargetKind = Literal["class", "classes", "mask", "change"]
"""What the labels of an image are: one class, any number of classes, a class per pixel, or, for two dates, whether each
pixel changed."""


@runtime_checkable
class HeadConfig(Protocol):
    """The configuration of a head: a frozen dataclass of plain values."""

    def words(self, depth: int) -> str:
        """The head in words. depth: blocks of the encoder."""


@dataclass(frozen=True, slots=True)
class Class:
    """One of a head's classes; they are listed in the order of its answers. colour: `#rrggbb`, for maps.

    Raises OptionError for a colour of another form, and for a name that is not a line of text.
    """

    name: str
    colour: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name.strip() and self.name.isprintable()):
            raise OptionError(f"found the class name {self.name!r}", "a line of text")
        if self.colour is not None and not (isinstance(self.colour, str) and _COLOUR.fullmatch(self.colour)):
            raise OptionError(f"class {self.name}: found the colour {self.colour!r}", "one like #1f77b4")


_COLOUR = re.compile("#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Batch:
    """A cube and the keys for everything that is drawn: `key` one per sample, `draw` one for the whole step.

    target: of labelled samples: the index of the class (batch,), true for each class (batch, class), or the classes of
    the pixels (batch, row, column), negative where they are ignored.
    """

    cube: Cube
    key: Int64[Tensor, " batch"]
    draw: int
    target: Shaped[Tensor, "batch *axes"] | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch before the model sees it.

    counts: the divisor of each loss, known now so that processes and accumulated batches can add them up first. work:
    for `totals`. samples, tokens: their numbers; tokens are those that the encoder and the decoder take. flops: of a
    training step on the batch, forward and backward.
    """

    counts: Mapping[str, Tensor]
    work: Any
    samples: int
    tokens: int
    flops: float


class Objective(Family):
    """What a training stage minimizes: a frozen dataclass of settings, read from files by the task's name.

    The losses have names, and each is a total over a count; the run adds up total / count, with the counts of a whole
    step.
    """

    task: ClassVar[str]
    """The task's name."""

    chooses: ClassVar[bool] = False
    """Whether the result of a stage is its best state by held-back samples (`judged`), not its last."""

    partly: ClassVar[bool] = False
    """Whether a step may leave some parameters without a gradient, in every process alike."""

    @classmethod
    def type_name(cls) -> str:
        """The task's name."""
        return cls.task

    @classmethod
    def of_type(cls, name: str) -> type["Objective"]:
        """The objective of the task of this name. OptionError for an unknown task, or one without training."""
        objective = find(name).objective
        if objective is None:
            raise OptionError(f"found the task {name!r}, which has no training", "one with training")
        return objective

    def head_config(self) -> HeadConfig | None:
        """The head of the trained model: the setting `head`; None for a task without heads."""
        # not a property `head`: a dataclass would use it as the default of the field
        return getattr(self, "head", None)

    def model_config(self, config: ModelConfig) -> ModelConfig:
        """The configuration with what this objective needs of a model in addition."""
        return config

    @property
    def labels(self) -> TargetKind | None:
        """The kind of labels that samples must have; None where they need none."""
        return None

    @property
    def trains_features(self) -> bool:
        """Whether features become those of the images of the stage, at their size."""
        return True

    @property
    def pairs(self) -> bool:
        """Whether samples are mixed in pairs of neighbours, which then have to stay together when a step is divided."""
        return False

    def of_labels(self, counts: Int64[np.ndarray, " class"], total: int) -> "Objective":
        """The objective for labels, of which `total` samples (pixels of masks) are trained on, `counts` of each
        class."""
        return self

    def ready(self, model: nn.Module) -> None:
        """Set what of the model is trained and how; called whenever it was put into training mode, and before an
        optimizer is made. model: without wrappers."""

    @property
    def chooses_by_score(self) -> bool:
        """Whether the best state has the highest score, and of equal ones the lowest loss; or the lowest loss."""
        return True

    def steps_between_judgements(self, steps_per_epoch: int) -> int:
        """How often held-back samples are judged, for an objective that chooses."""
        raise NotImplementedError(f"{type(self).__name__} chooses, so it must judge")

    def judged(self, model: nn.Module, prepared: Prepared) -> ConfusionCounts | LabelTable:
        """A table of the model's answers for a batch, one row per sample. model: without wrappers."""
        raise NotImplementedError(f"{type(self).__name__} chooses, so it must judge")

    @abstractmethod
    def prepare(self, model: nn.Module, batch: Batch) -> Prepared:
        """All work that needs no gradient. model: without wrappers (`bare`)."""

    @abstractmethod
    def totals(self, model: nn.Module, prepared: Prepared) -> Mapping[str, Tensor]:
        """The sums of the losses. model: with its wrappers; its forward is called once."""

    def validating(self) -> "Objective":
        """The objective for validation samples."""
        return self

    def sample(self, model: nn.Module, prepared: Prepared) -> Any:
        """The model's answer for the first sample of a batch, for a picture; None where there is nothing to draw.

        model: without wrappers (`bare`). Every process calls this.
        """
        return None

    def draw(self, path: Path, samples: Sequence[Any], title: str) -> None:
        """Draw the picture of such samples."""
        raise NotImplementedError(f"{type(self).__name__} has samples, so it must draw them")


@runtime_checkable
class Answers(Protocol):
    """The content of a map of a task's answers, for any scene."""

    @property
    def reduce(self) -> int:
        """Scene pixels along one pixel of the map: 1, or the model's patch for one answer per place."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the map's values."""

    @property
    def nodata(self) -> float | None:
        """The map's value where nothing is known."""

    @property
    def classes(self) -> tuple[Class, ...]:
        """The classes that the values 0, 1, ... stand for; empty where values are quantities."""

    def names(self, bands: BandSet, dates: Sequence[str]) -> tuple[str, ...]:
        """Names of the map's bands. bands: the scene's, as the model takes them; dates: ISO, empty where unknown."""

    def answer(
        self, model: Any, cube: Cube
    ) -> tuple[Float[Tensor, "batch channel row column"], Bool[Tensor, "batch #channel row column"]]:
        """Values that are blended where windows overlap (features, logits), per pixel of the map, and which are valid.

        model: the one that makes the map.
        """

    def stored(
        self, values: Float64[np.ndarray, "channel row column"], valid: Bool[np.ndarray, "channel row column"]
    ) -> Shaped[np.ndarray, "band row column"]:
        """The map's values, from the blended ones, which are 0 where not valid."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task.

    model: the class of its models, made from a configuration and, if the task has heads, a head's configuration. heads:
    types of head configurations by the name under which they are stored; weights of version 1 mean the first.
    objective: of its training; answers: the content of a model's maps; both None where not yet supported.

    targets: the kinds of labels that its models are fitted to, with the scores by which answers are judged.

    class_name: of its public models. purpose: what they do. pipeline, tags: the hub's terms. example, sources: the last
    line of the card's example, and the images that it opens. starts: by name, ways of drawing a new model's weights in
    addition to the random one.
    """

    name: str
    model: type[Backbone]
    heads: Mapping[str, type[Any]]
    class_name: str
    purpose: str
    pipeline: str
    example: str
    tags: Sequence[str] = ()
    sources: Sequence[str] = ("scene.tif",)
    objective: type[Objective] | None = None
    answers: Callable[[Any], Answers] | None = None
    starts: Mapping[str, Callable[[Any], None]] = field(default_factory=dict)
    targets: Mapping[TargetKind, Sequence[Score]] = field(default_factory=dict)

    def made(self, config: ModelConfig, head: HeadConfig | None) -> Backbone:
        """A new model of the task. OptionError for a head that is not one of the task's."""
        self.head_type(head)
        model: Callable[..., Backbone] = self.model
        return model(config) if head is None else model(config, head)

    def head_type(self, head: HeadConfig | None) -> str | None:
        """The name under which a head is stored, None without one. OptionError where it is not one of the task's."""
        for name, kind in self.heads.items():
            # not isinstance: a subclass of another head would be read back as its base class
            if type(head) is kind:
                return name
        if head is None and not self.heads:
            return None
        expected = " or ".join(kind.__name__ for kind in self.heads.values()) or "none"
        found = "no head" if head is None else f"the head {type(head).__name__}"
        raise OptionError(f"found {found} for {self.name}", expected)


SHARED = ("task", "fitting", "mask_fitting")
"""Modules of the room that hold no task."""


def names() -> list[str]:
    """The tasks: all modules of the room except those that tasks share."""
    room = importlib.import_module(__package__)
    return sorted(module.name for module in pkgutil.iter_modules(room.__path__) if module.name not in SHARED)


def find(name: str) -> Task:
    """The task of this name. OptionError, with the nearest name, for any other."""
    known = names()
    if name not in known:
        raise OptionError(f"unknown task {name!r}", f"one of: {', '.join(known)}", did_you_mean(name, known, 0.6))
    task: Task = importlib.import_module(f"{__package__}.{name}").TASK
    return task


def task_of(target: TargetKind) -> Task:
    """The task whose models are fitted to labels of this kind."""
    found = [task for task in map(find, names()) if target in task.targets]
    assert len(found) == 1, f"{len(found)} tasks are fitted to labels of the kind {target!r}"
    return found[0]


def scores_of(target: TargetKind) -> Sequence[Score]:
    """The scores of answers to labels of this kind; the first is the one that choices are made by."""
    return task_of(target).targets[target]
