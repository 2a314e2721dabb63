"""What a method is: it fits a read-out to frozen features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

Setting = Mapping[str, float | int | str]
"""What is chosen of a method, by name: `{"strength": 0.01}`."""


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """The labels of samples (images, or pixels).

    several: whether a sample may have several classes. truth: true for each class of a sample; exactly one per row
    unless `several`. weight: what a sample counts, as pixels are drawn more often from rare classes; all 1 for images.
    """

    truth: Bool[np.ndarray, "sample class"]
    several: bool
    weight: Float64[np.ndarray, " sample"]

    @classmethod
    def of_indices(cls, indices: Int64[np.ndarray, " sample"], classes: int) -> "Targets":
        """One class per sample, each counting 1."""
        return cls(indices[:, None] == np.arange(classes), False, np.ones(len(indices)))

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.truth.shape[1])

    def take(self, samples: Int64[np.ndarray, " drawn"]) -> "Targets":
        """The targets of these samples."""
        return Targets(self.truth[samples], self.several, self.weight[samples])


@runtime_checkable
class Fitted(Protocol):
    """A fitted read-out."""

    def probabilities(self, features: Float32[np.ndarray, "sample value"]) -> Float32[np.ndarray, "sample class"]:
        """Of each class, in [0, 1]; rows sum to 1 unless a sample may have several classes."""

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Everything that it needs, to be saved; `Method.restored` takes it back."""


@runtime_checkable
class Method(Protocol):
    """How a read-out is fitted. Features come as they are: a method standardizes them itself, on what it is fitted to
    alone."""

    @property
    def name(self) -> str:
        """Like `ridge`."""

    @property
    def title(self) -> str:
        """In words."""

    @property
    def settings(self) -> Sequence[Setting]:
        """What there is to choose from, the simplest first."""

    @property
    def usual(self) -> Setting:
        """What is taken where nothing can be chosen, as with one image per class; one of `settings`."""

    def fits(
        self,
        features: Float32[np.ndarray, "sample value"],
        targets: Targets,
        settings: Sequence[Setting],
        seed: int,
    ) -> Sequence[Fitted]:
        """A read-out for each of the settings; what they share is computed once."""

    def all_probabilities(
        self, fitted: Sequence[Fitted], features: Float32[np.ndarray, "sample value"]
    ) -> Sequence[Float32[np.ndarray, "sample class"]]:
        """What each of the read-outs that `fits` returned together answers; what they share is computed once."""

    def restored(self, arrays: Mapping[str, np.ndarray]) -> Fitted:
        """The read-out that `Fitted.arrays` describes."""
