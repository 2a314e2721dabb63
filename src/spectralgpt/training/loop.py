"""The one training loop: batch -> objective -> losses -> backward -> clip -> step -> schedule."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spectralgpt.nn import LossTerm, Precision, computing_in
from spectralgpt.progress import Progress, silent
from spectralgpt.training.optimizer import make_optimizer
from spectralgpt.training.schedule import cosine

Objective = Callable[[Any, Any], Mapping[str, LossTerm]]
"""(model, batch) to named losses; their means are added."""


def train(
    model: nn.Module,
    batches: Iterable[Any],
    objective: Objective,
    *,
    steps: int,
    lr: float,
    warmup: int,
    weight_decay: float = 0.05,
    clip: float = 1.0,
    precision: Precision = "auto",
    log: Path | None = None,
    log_every: int = 10,
    progress: Progress = silent,
) -> list[dict[str, float]]:
    """Train the model in place; the log's records, which also go to `log` as JSON lines.

    lr: the schedule's peak (cosine after `warmup` steps). clip: largest norm of all gradients together. A record holds
    step, loss and its parts (means over the steps since the record before), lr, seconds. Raises FloatingPointError when
    the loss is not finite: the weights would be lost.
    """
    optimizer = make_optimizer(model, lr=lr, weight_decay=weight_decay)
    device = next(model.parameters()).device
    model.train()
    records: list[dict[str, float]] = []
    since: list[dict[str, torch.Tensor]] = []
    start = time.perf_counter()
    for step, batch in enumerate(islice(batches, steps), start=1):
        rate = cosine(step, steps=steps, warmup=warmup, peak=lr)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        with computing_in(precision, device):
            losses = {name: term.mean for name, term in objective(model, batch).items()}
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        # stay on the device: reading a loss every step would wait for it
        since.append({"loss": total.detach(), **{name: loss.detach() for name, loss in losses.items()}})
        if step % log_every == 0 or step == steps:
            record = {"step": float(step), **_means(since), "lr": rate, "seconds": time.perf_counter() - start}
            if not torch.isfinite(torch.tensor(record["loss"])):
                raise FloatingPointError(f"the loss is {record['loss']} at step {step}")
            records.append(record)
            _append(log, record)
            since = []
        progress(f"training, loss {records[-1]['loss']:.3f}" if records else "training", step, steps)
    model.eval()
    return records


def _means(losses: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    return {name: float(torch.stack([each[name] for each in losses]).mean()) for name in losses[0]}


def _append(log: Path | None, record: dict[str, float]) -> None:
    if log is not None:
        with log.open("a") as lines:
            lines.write(json.dumps(record) + "\n")
