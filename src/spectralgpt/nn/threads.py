"""How many threads PyTorch computes with on a CPU."""

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
