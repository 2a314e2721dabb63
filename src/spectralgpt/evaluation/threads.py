"""Threads of matrix products: one for small matrices, where several mostly wait for each other."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from threadpoolctl import threadpool_limits

SMALL = 2**21
"""Values of all features below which one thread is faster: with two, a probe of 120 images takes four times the
processor's time, and no less of ours."""


@contextmanager
def fit_threads(features: np.ndarray) -> Iterator[None]:
    """Read-outs of these features are fitted inside with as many threads as pay."""
    with threadpool_limits(1 if features.size < SMALL else None, user_api="blas"):
        yield
