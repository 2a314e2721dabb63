"""The processes of a run: one alone, or several under torchrun that train one model with DDP.

DDP averages gradients over the processes. A loss that is a sum over processes is therefore multiplied by their number.
"""

import atexit
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.rendezvous import rendezvous
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from spectralgpt.training.lost import gathered_processes, naming_lost
from spectralgpt.weights.device import named_device

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""The variables that torchrun sets; a process that has only some of them runs alone."""

_kept: list[dist.ProcessGroup | None] = []
"""The last group, until the process exits. Where DDP holds the last reference, PyTorch 2.13 waits for the group's
threads with the interpreter's lock in its hands; after a lost process, one of them may be waiting for just that lock.
Ours gives the lock up; and it goes before the interpreter does, whose end no thread may see."""
atexit.register(_kept.clear)

_groups = itertools.count()
"""Numbers of the groups of this process; all processes make the same ones in the same order."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where this process stands among the `ranks` of a run. local: its number on this host, None where it is alone."""

    rank: int = 0
    ranks: int = 1
    local: int | None = None


def placement() -> Placement:
    """As torchrun started this process; alone where one of its variables is missing."""
    if not all(os.environ.get(name) for name in VARIABLES):
        return Placement()
    return Placement(*(int(os.environ[name]) for name in VARIABLES[:3]))


@dataclass(frozen=True, slots=True)
class Distribution:
    """One of the processes, and what they do together. All of them must make the same calls in the same order.

    device: where this process computes. Numbers and flags are exchanged between hosts without waiting for the device.
    """

    rank: int
    ranks: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes the logs, the pictures and the messages."""
        return self.rank == 0

    def made(
        self, model: nn.Module, optimizer: Callable[[nn.Module], torch.optim.Optimizer], *, partly: bool = False
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The model, which is on its device already, as all processes train it, and its optimizer. All start from the
        weights of rank 0. optimizer: makes the optimizer, once the parameters are distributed. partly: a step may leave
        some parameters without a gradient.
        """
        if self.ranks == 1:
            return model, optimizer(model)
        # no device_ids: inputs are on the device, and are dataclasses that DDP passes on unchanged
        # (DDP broadcasts buffers in each step: models in training have at most one, of a few hundred numbers)
        return DistributedDataParallel(model, gradient_as_bucket_view=True, find_unused_parameters=partly), optimizer(
            model
        )

    def whole(self, model: nn.Module) -> dict[str, Tensor]:
        """All tensors of a bare model, whole also where each process holds a part; by all processes together."""
        options = StateDictOptions(full_state_dict=True)
        state: dict[str, Any] = get_model_state_dict(model, options=options) if self.ranks > 1 else model.state_dict()
        return state

    def accumulating(self, model: nn.Module, last: bool) -> AbstractContextManager[Any]:
        """Around the forward and backward pass of a micro-batch: only the last one of a step exchanges gradients."""
        return nullcontext() if last or not isinstance(model, DistributedDataParallel) else model.no_sync()

    def gathered_tensor(self, tensor: Tensor) -> Tensor:
        """The whole tensor, also where each process holds a part of it; by all processes together."""
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def sum_(self, tensor: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The tensor, summed over the processes in place; the host does not wait for a GPU."""
        if self.ranks > 1:
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process. The hosts wait for each other."""
        return self.largest([float(flag)])[0] > 0

    def largest(self, numbers: Sequence[float | int]) -> list[float]:
        """The maximum of each number over the processes."""
        return self._reduced(numbers, dist.ReduceOp.MAX) if self.ranks > 1 else [float(each) for each in numbers]

    def mean(self, numbers: Sequence[float | int]) -> list[float]:
        """The mean of each number over the processes."""
        if self.ranks == 1:
            return [float(each) for each in numbers]
        return [each / self.ranks for each in self._reduced(numbers, dist.ReduceOp.SUM)]

    def gathered(self, value: Any) -> list[Any]:
        """The value of each process, by rank; anything that pickle can hold."""
        values = [value] * self.ranks
        if self.ranks > 1:
            dist.all_gather_object(values, value)
        return values

    def barrier(self) -> None:
        """Wait until all processes are here."""
        self.any(False)

    def _reduced(self, numbers: Sequence[float | int], how: Any) -> list[float]:
        # on the host: reading from a GPU would wait for everything that is queued there
        values = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(values, how)
        return values.tolist()


@contextmanager
def distributed(device: str = "auto") -> Iterator[Distribution]:
    """The processes that torchrun started, or this one alone.

    device: as in `named_device`; under torchrun, `cuda` is the GPU of the local rank. Raises OptionError for a device
    that does not exist here, LostProcessError where another process ends while this one waits for it.
    """
    here = placement()
    place = named_device(device, here.local)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    if here.ranks == 1:
        yield Distribution(0, 1, place)
        return
    backend = "cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=_gathering(here), rank=here.rank, world_size=here.ranks)
    _kept[:] = [dist.group.WORLD]
    try:
        with naming_lost(gathered_processes(here.rank, here.ranks), here.rank):
            yield Distribution(here.rank, here.ranks, place)
    finally:
        dist.destroy_process_group()


def _gathering(here: Placement) -> Any:
    """The store (`torch.distributed.Store`) of a new group, once all its processes are here. They may wait for longer
    than the half hour that a group allows: for one that stores images, or judges the run before, alone."""
    found, _, _ = next(rendezvous("env://", here.rank, here.ranks))
    store = dist.PrefixStore(f"group {next(_groups)}", found)  # type: ignore[attr-defined]
    store.add("here", 1)
    while store.add("here", 0) < here.ranks:
        time.sleep(0.1)
    return store
