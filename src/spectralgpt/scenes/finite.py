"""Answers that are not finite end a scene: stored, they would look like no data, or become valid numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectralgpt.errors import WeightsError


def check_finite_answers(values: NDArray[Any], valid: NDArray[Any]) -> None:
    """WeightsError where valid answers are NaN or infinite.

    values: (window, channel, row, column). valid: the same, or with one channel for all.
    """
    if np.isfinite(values).all():
        return
    odd = (~np.isfinite(values) & valid).any(axis=1)
    if odd.any():
        places = int(valid.any(axis=1).sum())
        raise WeightsError(
            f"the model answers with NaN or infinite values in {int(odd.sum())} of {places} valid places of a batch",
            "finite numbers",
            "Compare the values of the image with what the weights expect (the verb `inspect`), or compute with",
            ("precision", "fp32"),
        )
