"""A method that is fitted to features of two parts, as those of a model with others behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32

from spectralgpt.evaluation.method import Fitted, Setting, Targets

SHARES = (0.5, 0.1, 0.9)
"""How much the second part may count; both the same first."""


@dataclass(frozen=True, slots=True)
class Parted:
    """A method that standardizes features, with one more setting: the share of the second part in them.

    method: has a field `parts`. values: of each part. However many values a part has, it counts as its share says,
    which is chosen like the other settings: where one part says little about the labels, it then disturbs little.
    """

    method: Any
    values: tuple[int, int]

    @property
    def name(self) -> str:
        return str(self.method.name)

    @property
    def title(self) -> str:
        return str(self.method.title)

    @property
    def settings(self) -> Sequence[Setting]:
        return [{**each, "share": share} for share in SHARES for each in self.method.settings]

    @property
    def usual(self) -> Setting:
        return {**self.method.usual, "share": SHARES[0]}

    def fits(
        self,
        features: Float32[np.ndarray, "sample value"],
        targets: Targets,
        settings: Sequence[Setting],
        seed: int,
    ) -> Sequence[Fitted]:
        """A read-out for each of the settings; what those of one share have in common is computed once."""
        found: dict[int, Fitted] = {}
        for share, numbers in _together([each["share"] for each in settings]).items():
            parts = tuple(zip(self.values, (1 - share, share), strict=True))
            asked = [settings[number] for number in numbers]
            found |= zip(numbers, replace(self.method, parts=parts).fits(features, targets, asked, seed), strict=True)
        return [found[number] for number in range(len(settings))]

    def all_probabilities(
        self, fitted: Sequence[Any], features: Float32[np.ndarray, "sample value"]
    ) -> Sequence[Float32[np.ndarray, "sample class"]]:
        """What each answers."""
        found: dict[int, Float32[np.ndarray, "sample class"]] = {}
        for numbers in _together([id(one.standardization) for one in fitted]).values():
            answers = self.method.all_probabilities([fitted[number] for number in numbers], features)
            found |= zip(numbers, answers, strict=True)
        return [found[number] for number in range(len(fitted))]

    def restored(self, arrays: Mapping[str, np.ndarray]) -> Fitted:
        """The saved read-out: its standardization holds the share."""
        restored: Fitted = self.method.restored(arrays)
        return restored


def _together(keys: Sequence[Any]) -> dict[Any, list[int]]:
    """The positions of equal keys."""
    found: dict[Any, list[int]] = {}
    for number, key in enumerate(keys):
        found.setdefault(key, []).append(number)
    return found
