"""How much of a fine-tuning run's time is the bare step, what heads cost beside the encoder, and the memory of a step.

The whole loop is the run's own (`training/stages.py`): labelled samples are read from shards by the training process,
cropped, erased, mixed, trained on, and logged every ten steps. The bare step is minimal code: the same model, cubes and
targets that exist already, forward, cross-entropy, backward, clipping, AdamW, and nothing read back. Both run in turns
in one process. Heads: forward and backward pass of the encoder alone, and with each head. Memory: the peak of a step of
the base model minus the level before it, in a process of its own per variant.

    python benchmarks/finetune_step.py --repeats 9
"""

import ctypes
import itertools
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from measuring import about, given, interleaved, options, write
from memory import status
from torch import Tensor, nn

from spectralgpt.bands import sensor
from spectralgpt.data import Augmentation, Loader, open_shards
from spectralgpt.data.layout import Layout
from spectralgpt.data.manifest import Manifest
from spectralgpt.data.statistics import totals
from spectralgpt.data.stored_targets import StoredTarget, stored_labels, stored_mask_of
from spectralgpt.data.table import Chip
from spectralgpt.data.writing import ShardsWriter
from spectralgpt.nn import Cube, Scaling, computing_in
from spectralgpt.progress import silent
from spectralgpt.tasks import Batch, Class, find
from spectralgpt.tasks.classification import Classifying
from spectralgpt.tasks.fitting import Fitting, Labelled
from spectralgpt.tasks.segmentation import Segmenting
from spectralgpt.training import run as runs
from spectralgpt.training import stages
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.flops import matmul_peak
from spectralgpt.training.logs import RunLog
from spectralgpt.training.loop import Done, train_steps
from spectralgpt.training.meter import Meter
from spectralgpt.training.optimizer import make_optimizer
from spectralgpt.training.recipe import Machine, Mixture, ModelChoice, Recipe, Stage
from spectralgpt.training.schedule import Schedule
from spectralgpt.training.stage_data import StageData, stage_data
from spectralgpt.weights import PretrainedModel

GOAL, HEAD_GOAL = 0.95, 1.3
"""Smallest share of the loop's time for the bare step; most of it with a light head, in times of the encoder."""
CLASSES, SAMPLES = 6, 64
RATE, CLIP, EVERY = 1e-5, 1.0, 10
HARDER: dict[str, Any] = {"smoothing": 0.1, "erasing": 0.25, "cutmix": 1.0, "drop_path": 0.1}
TASKS: dict[str, Fitting] = {
    "class": Classifying(classes=CLASSES, mixup=0.8, **HARDER),
    "mask": Segmenting(classes=CLASSES, **HARDER),
}
CASES = {64: 16, 128: 8}
"""Batches by the side of the images."""
VARIANTS: dict[str, Fitting] = {
    "classification": Classifying(classes=CLASSES),
    "classification, frozen": Classifying(classes=CLASSES, freeze=True),
    "segmentation, light head": Segmenting(classes=CLASSES),
    "segmentation, light head, frozen": Segmenting(classes=CLASSES, freeze=True),
    "segmentation, dense head": Segmenting(classes=CLASSES, head="dense"),
}
MEMORY = ("base", 128, 8)
"""Size, side and batch of which the memory is measured."""


def labelled(folder: Path, kind: str, side: int, count: int = SAMPLES) -> Path:
    """Shards of images of this side, of random values, with labels."""
    numbers, bands = np.random.default_rng(0), sensor("s2-l2a").bands
    layout = Layout(bands, "uint16", 1, side, kind, CLASSES)
    scale, offset = np.full(len(bands), 1e-4), np.zeros(len(bands))
    with ShardsWriter(folder, 2**28) as writer:
        writer.update(Manifest(target=kind, classes=tuple(Class(f"class {number}") for number in range(CLASSES))))
        for index in range(count):
            values = numbers.integers(200, 5000, layout.shape).astype(np.uint16)
            if kind == "mask":
                label: int | bytes = stored_mask_of(
                    numbers.integers(-1, CLASSES, (side, side)).astype(np.int16), layout
                )
            else:
                label = stored_labels([index % CLASSES], layout)
            writer.add(
                layout,
                Chip(
                    values=values,
                    valid=None,
                    scale=scale,
                    offset=offset,
                    extent=(side, side),
                    gsd=10.0,
                    days=np.array([18_000], np.int32),
                    lon=10.0,
                    lat=50.0,
                    place=index,
                    image=str(index),
                    source=f"{index}.tif",
                    row=0,
                    column=0,
                    chips=1,
                    totals=tuple(totals(values, None, scale, offset, bands)),
                    labels=StoredTarget(label, "train", str(index), ""),
                ),
            )
    return folder


@dataclass
class Case:
    """A run of one stage as `finetune` makes it, and `every` of its batches, ready in memory."""

    run: runs.Run
    model: PretrainedModel
    optimizer: torch.optim.AdamW
    loader: Loader
    work: list[Labelled]

    @property
    def stage(self) -> Stage:
        return self.run.recipe.stages[0]

    @property
    def data(self) -> StageData:
        return self.run.data[0]

    def steps(self) -> Iterator[Done]:
        """The run's loop."""
        work = stages._work(self.run, self.model, self.loader, self.stage, self.data, 0)
        task, distribution = self.stage.task, self.run.distribution
        return train_steps(self.model, self.optimizer, task, work, lambda _: RATE, distribution, clip=CLIP)


def case(size: str, task: Fitting, shards: Path, side: int, batch: int, every: int, out: Path, device: str) -> Case:
    schedule = Schedule(steps=10**6, lr=RATE, clip=CLIP, layer_decay=0.75)
    stage = Stage("fit", task, Augmentation(side, area=(0.5, 1.0)), schedule, Mixture(batch=batch))
    recipe = Recipe("loop", (stage,), ModelChoice(size), held_back=0.0, machine=Machine(micro=batch, workers=0))
    distribution = Distribution(0, 1, torch.device(device))
    data = stage_data(stage, shards, recipe.model.config(side).bands, recipe.held_back)
    run = runs.Run(
        recipe=recipe,
        data=(data,),
        start=None,
        out=out,
        distribution=distribution,
        log=RunLog(out),
        progress=silent,
        peak=matmul_peak(distribution.device),
        images=runs.TrainedImages(),
    )
    model = runs._new_model(run).train()
    state = runs.started(run, model, 0, 0)
    loader = stages._loader_of(stage, data, recipe.seed, distribution, micro=batch, workers=0)
    made = Case(run, model, state.optimizer, loader, [])
    for step in itertools.islice(stages._work(run, model, loader, stage, data, 0), every):
        made.work.append(task.prepare(model, step.batches[0]).work)
    return made


# -- what is timed -----------------------------------------------------------------------------------------------------


def bare_step(model: nn.Module, optimizer: torch.optim.Optimizer, work: Labelled, device: torch.device) -> None:
    """Forward, cross-entropy, backward, clipping, AdamW."""
    optimizer.zero_grad(set_to_none=True)
    with computing_in("auto", device):
        logits = model(work.cube)
        target = work.target if work.target.is_floating_point() else work.target.long()
        F.cross_entropy(logits, target, label_smoothing=0.1, ignore_index=-1).backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimizer.step()


def loop_runs(made: Case) -> dict[str, Callable[[], object]]:
    """As many steps of the loop, with its log, as bare steps."""
    whole, meter, every = made.steps(), Meter(made.run.distribution, made.run.peak), len(made.work)
    plain = torch.optim.AdamW(made.model.parameters(), lr=RATE, fused=True)

    def steps_and_log() -> None:
        for done in itertools.islice(whole, every):
            meter.add(done)
        stages._log(made.run, meter, made.loader, 0, 0, 10**6)

    device = made.run.distribution.device
    return {
        "whole": steps_and_log,
        "bare": lambda: [bare_step(made.model, plain, work, device) for work in made.work],
    }


def head_runs(size: str, side: int, batch: int, device: str) -> dict[str, Callable[[], object]]:
    """Forward and backward pass of the encoder alone, and with each head on it."""
    tasks = {name: VARIANTS[f"segmentation, {name} head"] for name in ("light", "dense")}
    tasks["pooled"] = VARIANTS["classification"]
    models = {name: model_of(task, size, side, device) for name, task in tasks.items()}
    cube = batch_of(models["light"], "mask", side, batch, device).cube
    light = models["light"]

    def alone() -> None:
        light.zero_grad(set_to_none=True)
        light._encoded(cube, (light.config.size.depth,), normed=False)[0][0].sum().backward()

    def with_head(model: nn.Module) -> None:
        model.zero_grad(set_to_none=True)
        model(cube).sum().backward()

    each: dict[str, Callable[[], object]] = {
        name: (lambda model=model: with_head(model)) for name, model in models.items()
    }
    return {"encoder": alone, **each}


def model_of(task: Fitting, size: str, side: int, device: str) -> Any:
    """A new model of the task, ready to be trained."""
    model = find(task.task).made(ModelChoice(size).config(side), task.head_config()).to(device).train()
    task.ready(model)
    return model


def batch_of(model: Any, kind: str, side: int, batch: int, device: str) -> Batch:
    """Random images with random labels."""
    bands = model.config.bands
    flat = torch.zeros(batch, 1, len(bands.bands), device=device)
    days = torch.full((batch, 1), 18_000, dtype=torch.int32, device=device)
    values = torch.randn(batch, 1, len(bands.bands), side, side, device=device)
    gsd = torch.full((batch,), 10.0, device=device)
    cube = Cube(values, None, bands, days, gsd, Scaling("standard", flat, flat + 1))
    shape = (batch, side, side) if kind == "mask" else (batch,)
    target: Tensor = torch.randint(0, CLASSES, shape, device=device)
    return Batch(cube, torch.arange(batch, device=device), 0, target)


def memory_of(variant: str, size: str, side: int, batch: int, device: str) -> int:
    """Bytes of one step above the level before it."""
    task = VARIANTS[variant]
    model, kind = model_of(task, size, side, device), "mask" if isinstance(task, Segmenting) else "class"
    optimizer = make_optimizer(model, lr=RATE, layer_decay=0.75)

    def step(data: Batch) -> None:
        optimizer.zero_grad(set_to_none=True)
        prepared = task.prepare(model, data)
        with computing_in("auto", torch.device(device)):
            losses = task.totals(model, prepared)
        sum(losses[name] / prepared.counts[name] for name in losses).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    step(batch_of(model, kind, side, 1, device))  # the optimizer's state
    optimizer.zero_grad(set_to_none=True)
    data = batch_of(model, kind, side, batch, device)
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(data)
        return torch.cuda.max_memory_allocated() - before
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = status("VmRSS")
    step(data)
    return status("VmHWM") - before


# -- results -----------------------------------------------------------------------------------------------------------


def loops(found: Any, folder: Path) -> dict[str, Any]:
    """The loop against the bare step, by kind of labels and side."""
    cases, every = ({32: 2}, 2) if found.quick else (CASES, EVERY)
    results = {}
    for (side, batch), (kind, task) in itertools.product(cases.items(), TASKS.items()):
        shards = labelled(folder / f"{kind}-{side}", kind, side)
        assert open_shards(shards).manifest.target == kind
        made = case(found.size, task, shards, side, batch, every, folder / f"run-{kind}-{side}", found.device)
        seconds = interleaved(loop_runs(made), found.repeats, found.device)
        made.run.log.close()
        ratio = statistics.median(seconds["bare"]) / statistics.median(seconds["whole"])
        results[f"{kind}, {side} px, batch {batch}"] = {
            "rows": {name: rows(each, every) for name, each in seconds.items()},
            "bare_by_whole": ratio,
            "reaches_goal": ratio >= GOAL,
        }
    return results


def heads(found: Any) -> dict[str, Any]:
    """The encoder's time with each head, divided by its own."""
    side, batch = (32, 2) if found.quick else (128, CASES[128])
    seconds = interleaved(head_runs(found.size, side, batch, found.device), found.repeats, found.device)
    alone = statistics.median(seconds["encoder"])
    by_encoder = {name: statistics.median(each) / alone for name, each in seconds.items()}
    return {
        "what": f"{side} px, batch {batch}",
        "rows": {name: rows(each, 1) for name, each in seconds.items()},
        "by_encoder": by_encoder,
        "reaches_goal": by_encoder["light"] <= HEAD_GOAL,
    }


def memories(found: Any) -> dict[str, int]:
    """Bytes of a step by variant, each measured in a process of its own."""
    size, side, batch = ("tiny", 32, 2) if found.quick else MEMORY
    peaks = {}
    for variant in VARIANTS:
        command = [sys.executable, __file__, "--variant", variant, "--size", size, "--side", str(side)]
        command += ["--batch", str(batch), "--threads", str(found.threads), "--device", found.device]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        peaks[variant] = int(said.splitlines()[-1])
        print(f"  {variant}: {peaks[variant] / 2**20:.0f} MiB", file=sys.stderr)
    return peaks


def rows(seconds: list[float], steps: int) -> dict[str, float]:
    """Time per step."""
    values = {"median_s": statistics.median(seconds), "lowest_s": min(seconds), "highest_s": max(seconds)}
    return {name: value / steps for name, value in values.items()}


def main() -> None:
    parser = options(__doc__, repeats=9)
    parser.set_defaults(size="tiny")
    parser.add_argument("--variant", choices=VARIANTS, help="measure the memory of one, here, and print its bytes")
    parser.add_argument("--side", type=int, default=MEMORY[1], help="with --variant: pixels")
    parser.add_argument("--batch", type=int, default=MEMORY[2], help="with --variant: samples")
    found = given(parser)
    if found.variant:
        print(memory_of(found.variant, found.size, found.side, found.batch, found.device))
        return
    with tempfile.TemporaryDirectory() as temporary:
        by_case = loops(found, Path(temporary))
    head, memory = heads(found), memories(found)
    what = f"a fine-tuning step, {found.size}; memory of {MEMORY[0]}, {MEMORY[1]} px, batch {MEMORY[2]}"
    result = {"what": what, **about(found), "cases": by_case, "heads": head, "memory_bytes": memory}
    bars = {
        "bare step by whole loop": {name: each["bare_by_whole"] for name, each in by_case.items()},
        "time with a head, encoder = 1": head["by_encoder"],
        "GiB of a step": {name: each / 2**30 for name, each in memory.items()},
    }
    write("finetune_step", result, bars, "", found.out)


if __name__ == "__main__":
    main()
