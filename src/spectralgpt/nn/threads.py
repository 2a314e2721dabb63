"""How many threads PyTorch computes with on a CPU."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spectralgpt.errors import OptionError, argument

GRAIN = 4e9
"""FLOP per thread from which another thread pays: 10 to 50 ms of a core, against less than 1 ms of waiting for each
other in all layers together."""


MOST_THREADS = 1000
"""Far more than pay on any computer; OpenMP ends the process where the system does not start as many as asked for."""


@contextmanager
def computing_threads(count: int) -> Iterator[None]:
    """PyTorch computes inside with this many threads. OptionError, naming `threads`, for fewer than one or more
    than 1000."""
    if not 1 <= count <= MOST_THREADS:
        raise OptionError(argument("threads", count), f"1 to {MOST_THREADS}")
    with _threads(count):
        yield


@contextmanager
def threads_for(flop: float | int, device: torch.device) -> Iterator[None]:
    """A forward pass of this size on this device: a single small image takes few of the threads, a batch all."""
    if device.type != "cpu" or torch.is_grad_enabled():
        yield
        return
    with _threads(min(torch.get_num_threads(), max(1, int(flop / GRAIN)))):
        yield


def compute_alone() -> None:
    """The thread that calls this computes without helpers from now on, where PyTorch uses OpenMP.

    For threads that work beside the model. Two threads that both compute with helpers have more of them than there are
    cores, and from then on OpenMP lets all of them sleep between any two operations: a quarter of the time of
    `reconstruct` on 2 cores.
    """
    # sets a new thread's number at its first call, so that it is not set again later
    torch.get_num_threads()
    # of the calling thread alone; torch.set_num_threads would be that of the process
    chosen = None if sys.platform == "win32" else getattr(ctypes.CDLL(None), "omp_set_num_threads", None)
    if chosen is not None:
        chosen(1)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)
