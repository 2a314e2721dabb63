"""How far confidences are from the share that turns out right: binned counts, and the expected calibration error.

The counts are whole numbers, so their sums do not depend on the order of samples, batches or strips. Confidences are
float32: in half precision the number of samples is infinite from 65,520 on, and every bin's share of it 0.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from spectralgpt.metrics.classwise import share

CONFIDENCE_BINS = 15
"""Bins of equal width over [0, 1]; a bin holds its lower edge, the last one also 1."""

CONFIDENCE_UNIT = 2.0**-24
"""Confidences are summed as multiples of this: exactly from 0.5 on, as float32 has no finer steps there."""


def confidence_counts(
    confidence: Float32[np.ndarray, " sample"],
    right: Bool[np.ndarray, " sample"],
    image: Int64[np.ndarray, " sample"],
    images: int,
) -> Int64[np.ndarray, "image bin 3"]:
    """Per image and bin: number of samples, sum of their confidences in CONFIDENCE_UNIT, number right.

    image: of each sample. ValueError for confidences outside [0, 1].
    """
    if not np.all((confidence >= 0) & (confidence <= 1)):
        raise ValueError("found confidences outside [0, 1]; expected probabilities")
    exact = confidence.astype(np.float64)
    where = image * CONFIDENCE_BINS + np.minimum((exact * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    # float64 weights: the sums are exact for up to 2^29 samples per bin in one call
    columns = (np.ones_like(exact), np.rint(exact / CONFIDENCE_UNIT), right)
    counts = [np.bincount(where, column, images * CONFIDENCE_BINS) for column in columns]
    return np.stack(counts, axis=-1).astype(np.int64).reshape(images, CONFIDENCE_BINS, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """What a calibration figure shows, per bin. number: of samples. confidence: their mean confidence; right: the share
    that is right; both nan in empty bins. A row is a draw of images, or all of them."""

    number: Float64[np.ndarray, "row bin"]
    confidence: Float64[np.ndarray, "row bin"]
    right: Float64[np.ndarray, "row bin"]

    @classmethod
    def of(cls, sums: Float64[np.ndarray, "row bin 3"]) -> "Reliability":
        """From sums of what `confidence_counts` returns."""
        number, confidence, right = np.moveaxis(sums, -1, 0)
        return cls(number, share(confidence * CONFIDENCE_UNIT, number), share(right, number))

    def expected_error(self) -> Float64[np.ndarray, " row"]:
        """Mean over samples of |confidence - share right| of their bin (Guo et al. 2017, equation 3); nan without
        samples."""
        gap = np.where(self.number > 0, np.abs(self.confidence - self.right), 0.0)
        return share((gap * self.number).sum(axis=-1), self.number.sum(axis=-1))
