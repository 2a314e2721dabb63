"""One feature and a threshold on it, as in differencing: the probability is a monotone map of the value.

p = 1/2 + z / (2 (1 + |z|)) of the standardized value z, or of -z where low values mean the class: chosen by the inner
parts. So a threshold chosen on p is one on the value, `value_at`. p says how values are ordered, not how likely the
class is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from spectralgpt.errors import OptionError
from spectralgpt.evaluation.method import Fitted, Setting, Targets
from spectralgpt.evaluation.standardization import Standardization


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdReadOut:
    """The map of the value. direction: 1 where high values mean the class, -1 where low ones do."""

    standardization: Standardization
    direction: Float64[np.ndarray, ""]

    def probabilities(self, features: Float32[np.ndarray, "sample value"]) -> Float32[np.ndarray, "sample class"]:
        """Of the other class and of the class."""
        z = self.direction * self.standardization.of_features(features)
        # 0 and 1 are never reached, but 1 - p would lose the order of values near 1: both from the same tail
        share = (0.5 + z / (2 * (1 + np.abs(z)))).astype(np.float32)
        return np.concatenate([1 - share, share], axis=1)

    def value_at(self, probability: float) -> float:
        """The value with this probability."""
        z = (2 * probability - 1) / (1 - abs(2 * probability - 1))
        standard = self.standardization
        return float(standard.mean[0] + self.direction * z / standard.factor[0])

    def arrays(self) -> Mapping[str, np.ndarray]:
        """What is saved."""
        return {**self.standardization.arrays(), "direction": self.direction}


@dataclass(frozen=True, slots=True)
class ThresholdMethod:
    """The method."""

    name: str = "threshold"
    title: str = "one value and a threshold"
    settings: Sequence[Setting] = ({"direction": 1}, {"direction": -1})
    usual: Setting = field(default_factory=lambda: {"direction": 1})

    def fits(
        self,
        features: Float32[np.ndarray, "sample value"],
        targets: Targets,
        settings: Sequence[Setting],
        seed: int,
    ) -> Sequence[Fitted]:
        """A read-out for each direction; nothing is drawn. OptionError unless there are one value and two classes."""
        if features.shape[1] != 1 or targets.classes != 2 or targets.several:
            found = f"{features.shape[1]} values per sample and {targets.classes} classes"
            raise OptionError(f"the method threshold: {found}", "one value and two classes")
        standardization = Standardization.of(features, targets.weight)
        return [ThresholdReadOut(standardization, np.array(float(each["direction"]))) for each in settings]

    def all_probabilities(
        self, fitted: Sequence[Any], features: Float32[np.ndarray, "sample value"]
    ) -> Sequence[Float32[np.ndarray, "sample class"]]:
        """What each answers."""
        return [one.probabilities(features) for one in fitted]

    def restored(self, arrays: Mapping[str, np.ndarray]) -> Fitted:
        """The saved read-out."""
        return ThresholdReadOut(Standardization.restored(arrays), np.asarray(arrays["direction"]))


METHOD = ThresholdMethod()
