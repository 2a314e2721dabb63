"""The processes of a run: one alone, or several under torchrun that train one model with DDP. The loop knows no more.

DDP averages gradients over the processes: a loss of which each process holds its part of a sum takes `ranks` times as
much (a sum is the mean times their number).
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from spectralgpt.errors import OptionError

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun puts into the environment; a process with a part of them only is alone."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Which of the processes this is, and what they do together. All of them must make the same calls in turn.

    device: where this process computes. Numbers and flags travel between hosts without waiting for the device.
    """

    rank: int
    ranks: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes the logs, the pictures and what is said."""
        return self.rank == 0

    def made(
        self, model: nn.Module, optimizer: Callable[[nn.Module], torch.optim.Optimizer]
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """The model, on its device already, as all processes train it, and its optimizer; they start from the weights
        of rank 0. optimizer: makes it of the model, once what it steps over is as it is trained.
        """
        if self.ranks == 1:
            return model, optimizer(model)
        # no device_ids: inputs are on the device, and are dataclasses that DDP passes on as they are
        # (models in training have no buffers that would go around at each step)
        return DistributedDataParallel(model, gradient_as_bucket_view=True), optimizer(model)

    def whole(self, model: nn.Module) -> dict[str, Tensor]:
        """All numbers of a bare model, also where each process holds a part of them; by all processes together."""
        options = StateDictOptions(full_state_dict=True)
        state: dict[str, Any] = get_model_state_dict(model, options=options) if self.ranks > 1 else model.state_dict()
        return state

    def accumulating(self, model: nn.Module, last: bool) -> AbstractContextManager[Any]:
        """A micro-batch's forward and backward: gradients go around with the last one of a step only."""
        return nullcontext() if last or not isinstance(model, DistributedDataParallel) else model.no_sync()

    def gathered_tensor(self, tensor: Tensor) -> Tensor:
        """A tensor as one process has it, also where each holds a part of it; by all processes together."""
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def sum_(self, tensor: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The tensor, its sum over the processes put into it; the host does not wait for a GPU."""
        if self.ranks > 1:
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether it is true in any process. The hosts wait for each other."""
        return self.largest([float(flag)])[0] > 0

    def largest(self, numbers: Sequence[float | int]) -> list[float]:
        """Each number's largest over the processes."""
        return self._reduced(numbers, dist.ReduceOp.MAX) if self.ranks > 1 else [float(each) for each in numbers]

    def mean(self, numbers: Sequence[float | int]) -> list[float]:
        """Each number's mean over the processes."""
        if self.ranks == 1:
            return [float(each) for each in numbers]
        return [each / self.ranks for each in self._reduced(numbers, dist.ReduceOp.SUM)]

    def gathered(self, value: Any) -> list[Any]:
        """The value of each process, by rank; what pickle can hold."""
        values = [value] * self.ranks
        if self.ranks > 1:
            dist.all_gather_object(values, value)
        return values

    def barrier(self) -> None:
        """Wait until all processes are here."""
        self.any(False)

    def _reduced(self, numbers: Sequence[float | int], how: Any) -> list[float]:
        # on the host: reading it back from a GPU would wait for all that is queued there
        values = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(values, how)
        return values.tolist()


@contextmanager
def distributed(device: str = "auto") -> Iterator[Distribution]:
    """The processes that torchrun started, or this one alone.

    device: a PyTorch name; auto takes a GPU when there is one; under torchrun `cuda` is the GPU of the local rank.
    Raises OptionError for a device that is not there.
    """
    under_torchrun = all(os.environ.get(name) for name in VARIABLES)
    rank, ranks, local = (
        int(os.environ[name]) if under_torchrun else int(i == 1) for i, name in enumerate(VARIABLES[:3])
    )
    place = _place(device, local)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    if ranks == 1:
        yield Distribution(0, 1, place)
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if place.type == "cuda" else "gloo")
    try:
        yield Distribution(rank, ranks, place)
    finally:
        dist.destroy_process_group()


def _place(device: str, local: int) -> torch.device:
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    try:
        place = torch.device(f"cuda:{local}" if name == "cuda" else name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise OptionError(
            f"--device {device}: found no such device here ({reason}); expected cpu, cuda or auto, and under torchrun "
            "as many GPUs as processes on each host."
        ) from None
    return place
