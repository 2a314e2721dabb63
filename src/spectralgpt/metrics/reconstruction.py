"""How far reconstructed bands are from the truth."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64


@dataclass(frozen=True, slots=True, eq=False)
class ErrorSums:
    """Sums over the hidden valid pixels per band: of 1, the truth, its square, and the squared error. known: number of
    valid pixels in all bands; all_known: whether every pixel of the scene is valid."""

    sums: Float64[np.ndarray, "4 band"]
    known: int
    all_known: bool

    @classmethod
    def of(
        cls,
        truth: Float32[np.ndarray, "date band row column"],
        prediction: Float64[np.ndarray, "date band row column"],
        hidden: Bool[np.ndarray, "date band row column"],
        known: Bool[np.ndarray, "date band row column"],
    ) -> "ErrorSums":
        """The sums of one part of a scene; truth and prediction in reflectance."""
        scored = hidden & known
        exact, wrong = np.zeros(truth.shape), np.zeros(truth.shape)
        np.copyto(exact, truth, where=scored)
        np.subtract(prediction, exact, where=scored, out=wrong)
        squares = (np.einsum("dbrc,dbrc->b", each, each) for each in (exact, wrong))
        sums = np.array([scored.sum(axis=(0, 2, 3)), exact.sum(axis=(0, 2, 3)), *squares])
        return cls(sums, int(known.sum()), bool(known.all()))

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> "ErrorSums":
        """The sums from what `notes` returned."""
        return cls(np.array(notes["sums"], np.float64), notes["known"], notes["all_known"])

    @property
    def notes(self) -> dict[str, Any]:
        """The sums as plain values."""
        return {"sums": self.sums.tolist(), "known": self.known, "all_known": self.all_known}

    def __add__(self, other: "ErrorSums") -> "ErrorSums":
        return ErrorSums(self.sums + other.sums, self.known + other.known, self.all_known and other.all_known)

    @property
    def hidden_share(self) -> float:
        """Share of the valid pixels that were hidden."""
        return float(self.sums[0].sum() / max(1, self.known))

    def by_band(self, names: Sequence[str], first: Sequence[str]) -> tuple[dict[str, float], dict[str, float]]:
        """RMS error, and spread of the truth, of the bands with hidden pixels; the bands `first` come first."""
        error, spread = {}, {}
        for name in (*first, *(name for name in names if name not in first)):
            count, total, squares, errors = self.sums[:, names.index(name)]
            if count:
                error[name] = math.sqrt(errors / count)
                spread[name] = math.sqrt(max(0.0, squares / count - (total / count) ** 2))
        return error, spread
