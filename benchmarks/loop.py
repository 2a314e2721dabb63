"""How much of a run's time is the bare training step: the whole loop against the step alone.

The whole loop is the run's own (`training/run.py`): samples of 128 px are read from shards by the training process,
cropped to 96 px, masked, trained on, and logged every ten steps. The bare step is minimal code: the same model and
optimizer, cubes that exist already, a mask from random numbers, forward, losses, backward, clipping, AdamW, and nothing
read back. Both run in turns in one process. Then: where the remaining time goes; the gain of `decode_fraction`; a step
of four micro-batches against four steps; a checkpoint; and FLOP/s as a share of the machine's peak.

    python benchmarks/loop.py --repeats 9
"""

import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from loader import sharded
from measuring import about, given, interleaved, options, write
from torch import nn

from spectralgpt.data import Augmentation, Loader, Samples, Shards, augmented
from spectralgpt.nn import computing_in, random_mask, resolved_precision
from spectralgpt.progress import silent
from spectralgpt.tasks import Batch, Pretraining
from spectralgpt.training import run as runs
from spectralgpt.training import stages
from spectralgpt.training.checkpoints import save_checkpoint
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.flops import matmul_peak
from spectralgpt.training.logs import RunLog
from spectralgpt.training.loop import Done, Work, train_steps
from spectralgpt.training.meter import Meter
from spectralgpt.training.optimizer import make_optimizer
from spectralgpt.training.recipe import Machine, Mixture, ModelChoice, Recipe, Stage
from spectralgpt.training.schedule import Schedule
from spectralgpt.training.stage_data import StageData, stage_data
from spectralgpt.weights import SpectralGPT

GOAL = 0.95
"""Smallest share of the whole loop's time that the bare step should have."""
BATCHES = {"tiny": 16, "base": 8}
IMAGE, RATIO, RATE, CLIP = 96, 0.9, 1e-5, 1.0
EVERY = 10
"""Steps from one log line to the next, which are timed together."""
FRACTIONS = (1.0, 0.5, 0.25)
MICRO = 4
SAVED = 200
"""Steps from one checkpoint to the next, the default of recipes."""


@dataclass
class Case:
    """A run of one stage, as `pretrain` makes it, and `every` of its batches, ready in memory."""

    run: runs.Run
    model: SpectralGPT
    optimizer: torch.optim.AdamW
    loader: Loader
    every: int
    samples: Sequence[Samples]
    batches: Sequence[Batch]

    @property
    def stage(self) -> Stage:
        return self.run.recipe.stages[0]

    @property
    def data(self) -> StageData:
        return self.run.data[0]

    def objective(self, decode_fraction: float = 1.0) -> Pretraining:
        return Pretraining(RATIO, decode_fraction=decode_fraction)

    def steps(self, work: Iterator[Work], decode_fraction: float = 1.0) -> Iterator[Done]:
        """The run's loop over this work."""
        objective, distribution = self.objective(decode_fraction), self.run.distribution
        return train_steps(self.model, self.optimizer, objective, work, lambda _: RATE, distribution, clip=CLIP)

    def cube(self, samples: Samples) -> Batch:
        """The samples cropped at random, as in the run."""
        device, config = self.run.distribution.device, self.model.config
        cube = augmented(
            samples,
            self.stage.augmentation,
            config.bands,
            self.model.normalization,
            trained_side=config.image,
            device=device,
        )
        return Batch(cube, samples.key.to(device), samples.draw)


def case(size: str, batch: int, image: int, every: int, shards: Shards, out: Path, device: str) -> Case:
    schedule = Schedule(steps=10**6, lr=RATE, clip=CLIP)
    stage = Stage("loop", Pretraining(RATIO), Augmentation(image), schedule, Mixture(batch=batch))
    machine = Machine(micro=batch, workers=0)
    recipe = Recipe("loop", (stage,), ModelChoice(size), held_back=0.0, machine=machine)
    distribution = Distribution(0, 1, torch.device(device))
    data = stage_data(stage, shards.folder, recipe.model.config(image).bands, recipe.held_back)
    run = runs.Run(
        recipe=recipe,
        data=(data,),
        start=None,
        out=out,
        distribution=distribution,
        log=RunLog(out),
        progress=silent,
        peak=matmul_peak(distribution.device),
    )
    model = runs._new_model(run).train()
    loader = stages._loader_of(stage, data, recipe.seed, distribution, micro=batch, workers=0)
    optimizer = make_optimizer(model, lr=RATE)
    samples = [step.micro[0] for step in itertools.islice(loader.steps(), every)]
    made = Case(run, model, optimizer, loader, every, samples, ())
    return replace(made, batches=[made.cube(each) for each in samples])


# -- what is timed: a step each, or `every` of them --------------------------------------------------------------------


def bare_step(made: Case, batch: Batch) -> None:
    model, cube, device = made.model, batch.cube, made.run.distribution.device
    grid = model.grid_of(cube)
    made.optimizer.zero_grad(set_to_none=True)
    with computing_in("auto", device):
        noise = torch.rand(cube.shape[0], grid.dates * grid.groups * grid.places, device=device)
        mask = random_mask(noise, RATIO)
        losses = model.losses(cube, mask, model(cube, mask))
    (losses["token"].mean + losses["spectral"].mean).backward()
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    made.optimizer.step()


def loop_runs(made: Case) -> dict[str, Callable[[], object]]:
    """The whole loop, the bare step, and the other parts of the loop: `every` steps of each."""
    work = stages._work(made.run, made.model, made.loader, made.stage, made.data, 0)
    whole, reading = made.steps(work), made.loader.steps()
    meter, dones = Meter(made.run.distribution, made.run.peak), []

    def log(steps: Sequence[Done]) -> None:
        for done in steps:
            meter.add(done)
        stages._log(made.run, meter, made.loader, 0, 0, made.stage.steps)

    def steps_and_log() -> None:
        dones[:] = itertools.islice(whole, made.every)
        log(dones)

    return {
        "whole": steps_and_log,
        "bare": lambda: [bare_step(made, batch) for batch in made.batches],
        "read": lambda: [next(reading) for _ in range(made.every)],
        "augment": lambda: [made.cube(each) for each in made.samples],
        "prepare": lambda: [made.objective().prepare(made.model, each) for each in made.batches],
        "log": lambda: log(dones),
    }


def step_runs(made: Case) -> dict[str, Callable[[], object]]:
    """One step on existing cubes: with several decode fractions, and with four micro-batches."""
    one, four = made.batches[:1], [made.batches[i % made.every] for i in range(MICRO)]
    decoding = {f"decode {f:g}": made.steps(itertools.repeat(Work(1, one)), f) for f in FRACTIONS}
    endless = decoding | {"accumulated": made.steps(itertools.repeat(Work(1, four)))}
    runs: dict[str, Callable[[], object]] = {name: partial(next, steps) for name, steps in endless.items()}
    return runs | {"four bare": lambda: [bare_step(made, batch) for batch in four]}


def checkpoint_runs(made: Case, folder: Path) -> dict[str, Callable[[], object]]:
    numbers = itertools.count(1)
    distribution = made.run.distribution
    return {
        "checkpoint": lambda: save_checkpoint(
            folder, next(numbers), made.model, made.optimizer, {}, distribution, keep=1
        )
    }


# -- results -----------------------------------------------------------------------------------------------------------


def measured(made: Case, folder: Path, repeats: int, device: str) -> dict[str, Any]:
    peaks: list[float] = [made.run.peak]
    peak = {"peak": lambda: peaks.append(matmul_peak(made.run.distribution.device))}
    loop = interleaved(loop_runs(made) | peak, repeats, device)
    steps = interleaved(step_runs(made), repeats, device)
    saving = interleaved(checkpoint_runs(made, folder), min(3, repeats), device)
    rows = {name: row(each, made.every) for name, each in loop.items() if name != "peak"}
    rows |= {name: row(each, 1) for name, each in (steps | saving).items()}
    whole, batch = rows["whole"]["median_s"], made.stage.batch
    flops = {f: made.objective(f).prepare(made.model, made.batches[0]).flops for f in FRACTIONS}
    speeds = {"whole": flops[1.0] / whole, "bare": flops[1.0] / rows["bare"]["median_s"]}
    speeds |= {f"decode {f:g}": flops[f] / rows[f"decode {f:g}"]["median_s"] for f in FRACTIONS}
    return {
        "rows": rows,
        "images_per_s": batch / whole,
        "bare_by_whole": ratios(loop["bare"], loop["whole"]),
        "reaches_goal": statistics.median(loop["bare"]) >= GOAL * statistics.median(loop["whole"]),
        "shares_of_whole": {name: rows[name]["median_s"] / whole for name in ("read", "augment", "prepare", "log")},
        "speed_by_decode_fraction": {f"{f:g}": ratios(steps["decode 1"], steps[f"decode {f:g}"]) for f in FRACTIONS},
        "bare_by_accumulated": ratios(steps["four bare"], steps["accumulated"]),
        "checkpoint_share_of_whole": rows["checkpoint"]["median_s"] / (SAVED * whole),
        "parameters": sum(each.numel() for each in made.model.parameters()),
        "peak_gflops": max(peaks) / 1e9,
        "share_of_peak": {name: speed / max(peaks) for name, speed in speeds.items()},
    }


def row(seconds: list[float], steps: int) -> dict[str, float]:
    """Time per step."""
    values = {"median_s": statistics.median(seconds), "lowest_s": min(seconds), "highest_s": max(seconds)}
    return {name: value / steps for name, value in values.items()}


def ratios(one: list[float], other: list[float]) -> dict[str, float]:
    """The ratio of the medians; and the lowest and highest ratio of neighbouring runs."""
    each = [a / b for a, b in zip(one, other, strict=True)]
    return {"median": statistics.median(one) / statistics.median(other), "lowest": min(each), "highest": max(each)}


def main() -> None:
    parser = options(__doc__)
    parser.set_defaults(size=None)
    found = given(parser)
    image, side, every = (32, 512, 2) if found.quick else (IMAGE, 1024, EVERY)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shards, _ = sharded(folder, side, 1)
        for size in [found.size] if found.size else BATCHES:
            batch = 2 if found.quick else BATCHES[size]
            made = case(size, batch, image, every, shards, folder / size, found.device)
            results[f"{size}, batch {batch}"] = measured(
                made, folder / size / "checkpoints", found.repeats, found.device
            )
            made.run.log.close()
    precision = resolved_precision("auto", torch.device(found.device))
    what = (
        f"the loop around a pretraining step: {image} px from samples of 128 px x 12 bands, {RATIO} hidden, {precision}"
    )
    bars = {
        name: {"bare step": 1.0, "whole loop": each["bare_by_whole"]["median"]}
        | {f"decoding {f}": ratio["median"] for f, ratio in each["speed_by_decode_fraction"].items() if f != "1"}
        | {"four micro-batches": each["bare_by_accumulated"]["median"]}
        for name, each in results.items()
    }
    write("loop", {"what": what, **about(found), "cases": results}, bars, "speed, bare step = 1", found.out)


if __name__ == "__main__":
    main()
