"""What answers about a scene with classes, window by window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float64

from spectralgpt.nn import Precision
from spectralgpt.raster import Raster, Window
from spectralgpt.scenes.plan import Plan
from spectralgpt.scenes.windows import (
    Answering,
    WindowBatch,
    read_windows,
    scene_alignment,
    scene_scaling,
    windows_plan,
)
from spectralgpt.tasks import Answers, Class
from spectralgpt.weights import PretrainedModel

Read = TypeVar("Read")
"""What an answerer reads for a group of windows."""


@dataclass(frozen=True, slots=True)
class AnsweredClasses:
    """What there is to answer. several: any number of the classes may apply at once. thresholds: from which probability
    on a class is answered: one per class where `several` (1/2 where there are none), else one for the second of two;
    none: the likeliest class."""

    classes: tuple[Class, ...]
    several: bool = False
    thresholds: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.classes)

    def answered(self, likely: Float64[np.ndarray, "class row column"]) -> Bool[np.ndarray, "class row column"]:
        """Which classes are answered; of equally likely ones the first, unless several may apply."""
        if self.several:
            least = np.array(self.thresholds or [0.5] * len(self))
            return np.asarray(likely >= least[:, None, None])
        if self.thresholds:
            found = (likely[1] >= self.thresholds[0]).astype(int)
        else:
            found = likely.argmax(axis=0)
        return np.asarray(found == np.arange(len(self))[:, None, None])


@runtime_checkable
class ClassAnswers(Protocol[Read]):
    """Answers about the windows of one scene."""

    @property
    def of(self) -> AnsweredClasses:
        """The classes."""

    @property
    def plan(self) -> Plan:
        """The windows, and how coarse the map is."""

    def read(self, windows: Sequence[Window]) -> Read:
        """The pixels of a group of windows. It may run in another thread, ahead of `answer`."""

    def answer(
        self, pixels: Read
    ) -> tuple[Float[np.ndarray, "window class row column"], Bool[np.ndarray, "window 1 row column"]]:
        """What is blended where windows overlap, per pixel of the map, and where there is an answer."""

    def probabilities(
        self, blended: Float64[np.ndarray, "class row column"]
    ) -> Float64[np.ndarray, "class row column"]:
        """Probabilities of the classes from what was blended; arbitrary where there is no answer."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadOnPixels:
    """Answers about pixels by a model with a head on pixels. Logits are blended, as by `tiled`."""

    raster: Raster
    answering: Answering
    plan: Plan
    of: AnsweredClasses

    @classmethod
    def made(
        cls,
        raster: Raster,
        model: PretrainedModel,
        answers: Answers,
        *,
        own: bool,
        overlap: float,
        batch: int,
        precision: Precision,
    ) -> "HeadOnPixels":
        """For a scene. answers: the model's (`Task.answers`). BandError where the model recognizes no band."""
        alignment = scene_alignment(raster, model, own)
        scaling = scene_scaling(raster, model, alignment, own)
        return cls(
            raster,
            Answering(model, answers, alignment, scaling, max(raster.grid.shape), own, precision),
            windows_plan(raster, model, alignment, overlap=overlap, batch=batch),
            AnsweredClasses(answers.classes, thresholds=model.thresholds),
        )

    def read(self, windows: Sequence[Window]) -> WindowBatch:
        return read_windows(self.raster, windows)

    def answer(self, pixels: WindowBatch) -> tuple[Any, Any]:
        return self.answering.of(pixels)

    def probabilities(
        self, blended: Float64[np.ndarray, "class row column"]
    ) -> Float64[np.ndarray, "class row column"]:
        powers = np.exp(blended - blended.max(axis=0))
        return np.asarray(powers / powers.sum(axis=0))
