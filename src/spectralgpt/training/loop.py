"""The one training loop: batch -> objective -> losses -> backward -> clip -> step -> schedule."""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spectralgpt.nn import Precision, bare, computing_in
from spectralgpt.tasks import Objective
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.ema import Average


@dataclass(frozen=True, slots=True)
class Work:
    """The share of this process in a step: at least one batch.

    counted: false where there are no samples for this process; its losses are then multiplied by 0. waited: seconds
    until the data arrived. epoch: epochs done after this step, with the fraction of the current one.
    """

    step: int
    batches: Sequence[Any]
    counted: bool = True
    waited: float = 0.0
    epoch: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """A step that is done; tensors stay on the device, as reading them would wait for it.

    losses: the part of this process; the mean over processes is the loss of the step. gradient: norm before clipping.
    """

    step: int
    epoch: float
    losses: dict[str, Tensor]
    gradient: Tensor
    lr: float
    samples: int
    tokens: int
    flops: float
    waited: float
    ended: float


def train_steps(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    objective: Objective,
    work: Iterable[Work],
    schedule: Callable[[int], float],
    distribution: Distribution,
    *,
    clip: float | None = 1.0,
    precision: Precision = "auto",
    average: Average | None = None,
) -> Generator[Done, None, None]:
    """Train the model in place, one step per item of the iterator.

    model: as `distribution` made it, in training mode. schedule: the learning rate of a step; a parameter group
    multiplies it by its `lr_scale`. clip: largest norm of all gradients together. Losses are divided by the counts of
    the whole step, over its batches and all processes, so that one process with all the samples makes the same step.
    """
    inner = bare(model)
    for each in work:
        rate = schedule(each.step)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        prepared = [objective.prepare(inner, batch) for batch in each.batches]
        names = list(prepared[0].counts)
        counts = sum(torch.stack([one.counts[name] for name in names]) for one in prepared)
        assert isinstance(counts, Tensor)
        # DDP gives the mean of the gradients over processes; the sum is needed
        whole = distribution.sum_(counts * each.counted)
        # not clamp(min=1): a sum of class weights may be below 1
        share = distribution.ranks / torch.where(whole > 0, whole, 1)
        optimizer.zero_grad(set_to_none=True)
        losses = torch.zeros_like(share)
        for number, one in enumerate(prepared, start=1):
            with distribution.accumulating(model, last=number == len(prepared)):
                with computing_in(precision, distribution.device):
                    totals = objective.totals(model, one)
                parts = torch.stack([totals[name] for name in names]) * share * each.counted
                parts.sum().backward()  # type: ignore[no-untyped-call]
            losses = losses + parts.detach()
        if clip is None:
            # clipping to infinity would give the same norm, but also multiply every gradient by 1
            gradient = nn.utils.get_total_norm([each.grad for each in inner.parameters() if each.grad is not None])
        else:
            gradient = nn.utils.clip_grad_norm_(inner.parameters(), clip)
        optimizer.step()
        if average is not None:
            average.update(inner)
        yield Done(
            step=each.step,
            epoch=each.epoch,
            losses={"loss": losses.sum(), **dict(zip(names, losses, strict=True))},
            gradient=distribution.gathered_tensor(gradient.detach()),
            lr=rate,
            samples=sum(one.samples for one in prepared) * each.counted,
            tokens=sum(one.tokens for one in prepared) * each.counted,
            flops=sum(one.flops for one in prepared),
            waited=each.waited,
            ended=time.perf_counter(),
        )
