"""The numbers of a log line: losses and speed since the previous line."""

import math
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spectralgpt.errors import InputError
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.loop import Done


class DivergedError(InputError):
    """A loss is not finite, and the weights in memory are lost. step: the first step with such a loss."""

    def __init__(self, message: str, step: int, losses: dict[str, float]):
        super().__init__(message)
        self.step, self.losses = step, losses


class Meter:
    """Collects steps. Only `record` reads their losses, and so waits for the device."""

    def __init__(self, distribution: Distribution, peak: float | None = None):
        """peak: FLOP/s of a matrix product on this device; the utilization is the share of it."""
        self.distribution, self.peak = distribution, peak
        self._steps: list[Done] = []
        self._since = self._start = time.perf_counter()

    def add(self, done: Done) -> None:
        """Collect a step."""
        self._steps.append(done)

    def __len__(self) -> int:
        return len(self._steps)

    def record(self) -> dict[str, float]:
        """A record of the steps since the previous record.

        step, epoch, loss and its parts (means), lr, gradient (mean of the norms), seconds (since the start),
        images_per_second and tokens_per_second (of all processes), waited (share of the time spent waiting for data),
        memory (GB, peak of this process), utilization (model FLOP/s as a share of the peak). DivergedError names the
        first step with a loss that is not finite.
        """
        steps, last = self._steps, self._steps[-1]
        names = list(last.losses)
        # steps of one objective have the same losses; one transfer for all of them
        table = torch.stack([torch.stack([*done.losses.values(), done.gradient]) for done in steps]).cpu().double()
        rows = torch.tensor(self.distribution.mean(table.flatten().tolist()), dtype=torch.float64).reshape(table.shape)
        if not torch.isfinite(rows).all():
            bad = int((~torch.isfinite(rows).all(dim=1)).nonzero()[0, 0])
            found = dict(zip([*names, "gradient"], rows[bad].tolist(), strict=True))
            numbers = ", ".join(f"{name} {value:g}" for name, value in found.items())
            raise DivergedError(f"step {steps[bad].step}: found {numbers}", steps[bad].step, found)
        now = time.perf_counter()
        seconds = max(now - self._since, 1e-9)
        ranks = self.distribution.ranks
        # of this process alone: the others do the same amount of work
        flops = sum(done.flops for done in steps) / seconds
        record = {
            "step": float(last.step),
            "epoch": last.epoch,
            **dict(zip(names, rows[:, : len(names)].mean(dim=0).tolist(), strict=True)),
            "lr": last.lr,
            "gradient": float(rows[:, -1].mean()),
            "seconds": now - self._start,
            "images_per_second": sum(done.samples for done in steps) * ranks / seconds,
            "tokens_per_second": sum(done.tokens for done in steps) * ranks / seconds,
            "waited": sum(done.waited for done in steps) / seconds,
            "memory": memory(self.distribution.device),
        }
        if self.peak:
            record["utilization"] = flops / self.peak
        self._steps, self._since = [], now
        assert all(math.isfinite(value) for value in record.values())
        return record

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While entered, time does not count as time of the steps: for a checkpoint or a picture."""
        start = time.perf_counter()
        yield
        self._since += time.perf_counter() - start


def memory(device: torch.device) -> float:
    """Peak memory in GB: of the GPU, else of this process, including mapped shards."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    # kilobytes, but bytes on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
