"""What the other rooms ask a task.

A task is a value in a file of this room: its name, its heads, how a model is made of a configuration and a head, what a
training of it minimizes, what a map of its answers holds, and its words. Nobody else knows one task from another.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped
from torch import Tensor, nn

from spectralgpt.bands import BandSet
from spectralgpt.errors import OptionError
from spectralgpt.nn import Backbone, Cube, ModelConfig
from spectralgpt.plain import Family


@runtime_checkable
class HeadConfig(Protocol):
    """What a head is: a frozen dataclass of plain values."""

    def words(self, depth: int) -> str:
        """The head, for people. depth: blocks of the encoder."""


@dataclass(frozen=True, slots=True)
class Class:
    """One of the classes of a head, in the order of its answers. colour: `#rrggbb`, for maps.

    Raises OptionError for another colour, and for a name that is no line of text.
    """

    name: str
    colour: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name.strip() and self.name.isprintable()):
            raise OptionError(f"found {self.name!r} for the name of a class", "a line of text")
        if self.colour is not None and not (isinstance(self.colour, str) and _COLOUR.fullmatch(self.colour)):
            raise OptionError(f"class {self.name}: found the colour {self.colour!r}", "one like #1f77b4")


_COLOUR = re.compile("#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class Batch:
    """A cube and the keys of which all that is drawn is made: `key` one per sample, `draw` one for all of a step."""

    cube: Cube
    key: Int64[Tensor, " batch"]
    draw: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch before the model sees it.

    counts: what each loss divides by, known now so that processes and accumulated batches can add them up first. work:
    for `totals`. samples, tokens: how many are in it, tokens those that the encoder takes and the decoder gives. flops:
    of a training step on it, forward and backward.
    """

    counts: Mapping[str, Tensor]
    work: Any
    samples: int
    tokens: int
    flops: float


class Objective(Family):
    """What a stage of a training minimizes: a frozen dataclass of settings, read from files by the task's name.

    Named losses, each a total over what it counts; the run adds up total / count, counts taken over a whole step.
    """

    task: ClassVar[str]
    """The task's name."""

    @classmethod
    def type_name(cls) -> str:
        """The task's name."""
        return cls.task

    @classmethod
    def of_type(cls, name: str) -> type["Objective"]:
        """The objective of the task of this name. OptionError for a task that cannot be trained, or none."""
        from spectralgpt.tasks import find

        objective = find(name).objective
        if objective is None:
            raise OptionError(f"found the task {name!r}, which has no training", "one that has")
        return objective

    def head_config(self) -> HeadConfig | None:
        """The head of the model that is trained: the setting `head`; None for a task without heads."""
        # not a property `head`: a dataclass would take it for the default of the field
        return getattr(self, "head", None)

    @abstractmethod
    def prepare(self, model: nn.Module, batch: Batch) -> Prepared:
        """All that needs no gradient. model: the bare one."""

    @abstractmethod
    def totals(self, model: nn.Module, prepared: Prepared) -> Mapping[str, Tensor]:
        """The losses' sums. model: as it is distributed; its forward is called once."""

    def validating(self) -> "Objective":
        """What held-back samples are judged by."""
        return self

    def sample(self, model: nn.Module, prepared: Prepared) -> Any:
        """The model's answer for the first sample of a batch, for a picture; None where there is nothing to draw.

        model: the bare one; called by all processes alike.
        """
        return None

    def draw(self, path: Path, samples: Sequence[Any], title: str) -> None:
        """The picture of such samples."""
        raise NotImplementedError(f"{type(self).__name__} gives samples, so it must draw them")


@runtime_checkable
class Answers(Protocol):
    """What a map of a task's answers holds, on any scene."""

    @property
    def reduce(self) -> int:
        """Scene pixels along one pixel of the map: 1, or the model's patch for one answer per place."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the map."""

    @property
    def nodata(self) -> float | None:
        """What stands in the map where nothing is known."""

    @property
    def classes(self) -> tuple[Class, ...]:
        """What the values stand for, from 0; empty where they are numbers."""

    def names(self, bands: BandSet, dates: Sequence[str]) -> tuple[str, ...]:
        """The map's bands. bands: the scene's, as the model takes them; dates: ISO, empty where unknown."""

    def answer(
        self, model: Any, cube: Cube
    ) -> tuple[Float[Tensor, "batch channel row column"], Bool[Tensor, "batch #channel row column"]]:
        """What is blended where windows overlap (features, logits), per pixel of the map, and what of it is valid.

        model: the one that the map is made with.
        """

    def stored(
        self, values: Float64[np.ndarray, "channel row column"], valid: Bool[np.ndarray, "channel row column"]
    ) -> Shaped[np.ndarray, "band row column"]:
        """The map's values of what was blended; it is 0 where not valid."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task.

    model: the class of its models, made of a configuration and, where there are heads, a head's configuration. heads:
    configurations by the type under which they are stored; the first is what weights of version 1 mean. objective: of
    its training; answers: what the maps of a model hold; None where there is none yet.

    class_name: of its public models. purpose: what they do. pipeline, tags: the hub's words. example, sources: the last
    line of the card's example, and the images that it opens. starts: ways of drawing a new model's numbers besides the
    random one, by name.
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

    def made(self, config: ModelConfig, head: HeadConfig | None) -> Backbone:
        """A new model. OptionError for a head that is not one of the task's."""
        self.head_type(head)
        model: Callable[..., Backbone] = self.model
        return model(config) if head is None else model(config, head)

    def head_type(self, head: HeadConfig | None) -> str | None:
        """The type under which a head is stored, None without one. OptionError where it is not one of the task's."""
        for name, kind in self.heads.items():
            # not isinstance: a head that is another's child would be read back as its parent
            if type(head) is kind:
                return name
        if head is None and not self.heads:
            return None
        expected = " or ".join(kind.__name__ for kind in self.heads.values()) or "none"
        raise OptionError(
            f"found the head {'none' if head is None else type(head).__name__} for {self.name}", f"{expected}"
        )
