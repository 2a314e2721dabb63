"""Small features are fitted with one thread, and all threads are there again afterwards."""

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from spectralgpt.evaluation import fit_threads, threads


def counts() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_small_features_take_one_thread_and_large_ones_all(monkeypatch):
    monkeypatch.setattr(threads, "SMALL", 100)
    with threadpool_limits(2, user_api="blas"):
        many = counts()
        with fit_threads(np.zeros((9, 11), np.float32)):
            assert counts() == {1}
        assert counts() == many
        with fit_threads(np.zeros((10, 10), np.float32)):
            assert counts() == many
