"""Threads: as many as asked for, or as many as pay, and as before afterwards."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from spectralgpt.errors import OptionError
from spectralgpt.nn.threads import GRAIN, compute_alone, computing_threads, threads_for

CPU = torch.device("cpu")


@pytest.fixture
def four(monkeypatch):
    """Four threads, as far as anybody asks."""
    count = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: count[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda wanted: count.__setitem__(0, wanted))
    return count


@pytest.mark.parametrize(("asked", "inside"), [(1, 1), (4, 4), (9, 9)])
def test_as_many_as_asked_for(four, asked, inside):
    with computing_threads(asked):
        assert four == [inside]
    assert four == [4]
    with pytest.raises(KeyError), computing_threads(asked):
        raise KeyError
    assert four == [4]


@pytest.mark.parametrize("asked", [0, -3, 1001, 100_000, 10**12])
def test_less_than_one_thread_is_refused_and_more_than_any_computer_has(asked):
    with pytest.raises(OptionError, match=rf"^threads={asked}; expected 1 to 1000\.$"), computing_threads(asked):
        pass


@pytest.mark.parametrize(("flop", "inside"), [(0.0, 1), (GRAIN, 1), (2.5 * GRAIN, 2), (100 * GRAIN, 4)])
def test_small_work_takes_few_threads(four, flop, inside):
    with torch.inference_mode(), threads_for(flop, CPU):
        assert four == [inside]
    assert four == [4]


def test_training_and_gpus_take_all(four):
    with threads_for(0.0, CPU):
        assert four == [4]
    with torch.no_grad(), threads_for(0.0, torch.device("meta")):
        assert four == [4]


@pytest.mark.skipif(sys.platform != "linux", reason="where PyTorch uses OpenMP")
def test_a_thread_beside_the_model_computes_alone_and_the_others_as_before():
    before = torch.get_num_threads()

    def threads() -> int:
        compute_alone()
        torch.ones(300, 300).add(1.0)  # what sets a new thread's number where nothing has
        return torch.get_num_threads()

    torch.set_num_threads(3)
    try:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
            assert pool.submit(threads).result() == 1
            assert pool.submit(torch.get_num_threads).result() == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
