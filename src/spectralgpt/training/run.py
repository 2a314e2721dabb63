"""A training run: stages, checkpoints, logs, validation. It can be killed at any moment and goes on.

config.json        the recipe, resolved, and what it was started on; it starts the same run
log.jsonl          a record every few steps, and one for each validation
checkpoints/       training states (checkpoints.py)
pictures/          what the model makes of fixed validation samples; the loss curve
weights/           the model as users load it, after each stage
"""

import copy
import json
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spectralgpt.data import Loader, augmented
from spectralgpt.draws import keys
from spectralgpt.errors import DataError
from spectralgpt.interruption import Interruption
from spectralgpt.nn import Block, resolved_precision
from spectralgpt.progress import Progress, silent
from spectralgpt.tasks import Batch
from spectralgpt.training.checkpoints import DamagedError, checkpoints, load_checkpoint, read_extra, save_checkpoint
from spectralgpt.training.distribution import Distribution, distributed
from spectralgpt.training.ema import Average
from spectralgpt.training.flops import matmul_peak
from spectralgpt.training.logs import LOG, RunLog, read_log
from spectralgpt.training.loop import Work, train_steps
from spectralgpt.training.meter import DivergedError, Meter
from spectralgpt.training.optimizer import make_optimizer
from spectralgpt.training.recipe import Recipe, Stage
from spectralgpt.training.run_folder import claimed
from spectralgpt.training.stage_data import StageData, stage_data, statistics
from spectralgpt.training.validation import validate
from spectralgpt.weights import PretrainedModel, new_weights, on_encoder, open_weights


@dataclass(frozen=True, slots=True)
class RunResult:
    """Where a run is. step of steps, over all stages. record: the last of the log. finished: false when it was
    interrupted and will go on. notes: what happened besides."""

    step: int
    steps: int
    record: dict[str, Any]
    checkpoint: Path
    weights: Path | None
    finished: bool
    notes: tuple[str, ...]
    is_main: bool


@dataclass
class Run:
    """One start of a run, in one process."""

    recipe: Recipe
    data: tuple[StageData, ...]
    start: PretrainedModel | None
    out: Path
    distribution: Distribution
    log: RunLog
    progress: Progress
    peak: float
    notes: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    state: "State | None" = None

    @property
    def folder(self) -> Path:
        """Of the checkpoints."""
        return self.out / "checkpoints"

    def let_go(self) -> None:
        """Drop what distributes the model. The frames of an error keep the state, and PyTorch's reducer must be gone
        before the processes part: destroyed later it may wait for ever for a thread that waits for it."""
        if self.state is not None:
            self.state.trained = self.state.model


def run_training(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    device: str = "auto",
    progress: Progress = silent,
) -> RunResult:
    """Train a model by a recipe, or go on with what a run's folder holds; under torchrun with all its processes.

    data: shards, or a folder of the shards that the recipe names. A run that was started with another recipe or on
    other shards is refused; `machine` may differ. SIGTERM and Ctrl-C end it after the step, saved. Raises OptionError,
    DataError, TargetError before anything is written, DivergedError when a loss is not finite.
    """
    with distributed(device) as distribution, Interruption() as interruption:
        weights = recipe.model.weights
        start = None if weights is None else open_weights(weights)
        image = recipe.stages[0].augmentation.image
        bands = (recipe.model.config(image) if start is None else start.config).bands
        opened = tuple(stage_data(stage, data, bands, recipe.held_back) for stage in recipe.stages)
        with claimed(recipe, opened, data, out, distribution):
            machine = recipe.machine
            log = RunLog(out, tensorboard=machine.tensorboard, wandb=machine.wandb, writes=distribution.is_main)
            peak = matmul_peak(distribution.device, resolved_precision(machine.precision, distribution.device))
            shown = progress if distribution.is_main else silent
            run = Run(recipe, opened, start, out, distribution, log, shown, peak)
            run.notes += [f"left out {each}" for stage in opened for each in stage.left_out]
            try:
                with closing(log):
                    return _stages(run, interruption)
            finally:
                run.let_go()


# -- stages ----------------------------------------------------------------------------------------------------------


@dataclass
class State:
    """What training changes. model: the bare one; trained: as the processes train it. stage: the one that the model is
    made for; step: made in all."""

    model: PretrainedModel
    trained: nn.Module
    stage: int
    step: int
    optimizer: torch.optim.Optimizer
    average: Average | None


def _stages(run: Run, interruption: Interruption) -> RunResult:
    lengths = [_length(stage, data) for stage, data in zip(run.recipe.stages, run.data, strict=True)]
    state, before, finished = _resumed(run), 0, True
    for number, length in enumerate(lengths):
        if number > state.stage:
            state = _started(run, _at_image(run, state.model, number), number, before)
        if number == state.stage:
            finished = _train_stage(run, state, before, lengths, interruption)
            if not finished:
                break
            _save_weights(run, state)
            if number + 1 < len(lengths) and run.distribution.any(interruption.asked):
                finished = False
                break
        before += length
    if not run.record:
        run.record = next((each for each in reversed(read_log(run.out / "log.jsonl")) if "loss" in each), {})
    weights = run.out / "weights"
    return RunResult(
        step=state.step,
        steps=sum(lengths),
        record=run.record,
        checkpoint=checkpoints(run.folder)[0],
        weights=weights if weights.exists() else None,
        finished=finished,
        notes=tuple(run.notes),
        is_main=run.distribution.is_main,
    )


def _started(run: Run, model: PretrainedModel, number: int, step: int) -> State:
    """A stage at its start: a new optimizer over the model of the stage before."""
    schedule = run.recipe.stages[number].schedule

    def optimizer(made: nn.Module) -> torch.optim.Optimizer:
        return make_optimizer(made, lr=schedule.lr, weight_decay=schedule.weight_decay, betas=schedule.betas)

    trained, made = run.distribution.made(model, optimizer)
    # of the model as it is trained: each process averages what it holds
    average = None if run.recipe.ema is None else Average(model, run.recipe.ema)
    run.state = State(model, trained, number, step, made, average)
    return run.state


def _new_model(run: Run) -> PretrainedModel:
    """The model with which a run begins, made for the images of its first stage."""
    recipe = run.recipe
    if run.start is not None:
        return _going_on(run, run.start).to(run.distribution.device)
    torch.manual_seed(recipe.seed)
    config = recipe.model.config(recipe.stages[0].augmentation.image)
    units, head = statistics(run.data, recipe.model.normalization), recipe.stages[0].task.head_config()
    model = new_weights(recipe.task.name, config, head, units, _provenance(run))
    if recipe.model.start != "random":
        recipe.task.starts[recipe.model.start](model)
    return model.to(run.distribution.device)


def _going_on(run: Run, start: PretrainedModel) -> PretrainedModel:
    """A copy of given weights; of another task, or with another head, a new model on their encoder."""
    task, head = run.recipe.task, run.recipe.stages[0].task.head_config()
    if start.task.name == task.name and start.head_config == head:
        model = copy.deepcopy(start)
    else:
        torch.manual_seed(run.recipe.seed)
        model = on_encoder(start, task.name, head)
    # what was measured of the features before
    model.read_out = None
    model = _at_image(run, model, 0)
    before = {key: value for key, value in start.provenance.items() if key in ("recipe", "data", "license", "steps")}
    model.provenance = {**_provenance(run), "from": {"weights": start.fingerprint(), **before}}
    return model


def _at_image(run: Run, model: PretrainedModel, number: int) -> PretrainedModel:
    """The model of the stage before, made for this stage's images; a resized table is noted."""
    image = run.recipe.stages[number].augmentation.image
    if image == model.config.image:
        return model
    if run.recipe.model.place_nodes is None:
        said = len(model.provenance.get("resized", []))
        model = model.resized(image)
        run.notes += [f"stage {number + 1}: {each}" for each in model.provenance.get("resized", [])[said:]]
        return model
    nodes, patch = model.config.place_nodes, model.config.patch
    run.notes.append(
        f"stage {number + 1}: place tables of {nodes[0]} x {nodes[1]} nodes, read at {image // patch} x "
        f"{image // patch} places instead of {model.config.image // patch} x {model.config.image // patch}"
    )
    model.config = replace(model.config, image=image)
    return model


def _resumed(run: Run) -> State:
    """The newest checkpoint's state, or that of a run's start."""
    found = checkpoints(run.folder)
    for path in found:
        try:
            extra = read_extra(path, run.distribution)
            model = _new_model(run)
            for number in range(1, extra["stage"] + 1):
                model = _at_image(run, model, number)
            state = _started(run, model, extra["stage"], extra["step"])
            load_checkpoint(path, model, state.optimizer, run.distribution, state.average)
        except DamagedError as error:
            if path == found[-1]:
                raise
            run.notes.append(f"{error} The one before is taken.")
            continue
        run.notes.append(f"went on from {path.name}")
        break
    else:
        _refuse_lost(run)
        state = _started(run, _new_model(run), 0, 0)
    run.log.cut(state.step)
    return state


def _refuse_lost(run: Run) -> None:
    """DataError when a run without a checkpoint has a log that tells of one: a new start would cut the log, too."""
    log = run.out / LOG
    saved = [record["saved"] for record in read_log(log) if "saved" in record] if log.exists() else []
    if saved:
        raise DataError(
            f"{run.folder}: found no checkpoint, though {log} tells of {saved[-1]}; expected it. Put it back, or start "
            "anew in another --out."
        )


def _length(stage: Stage, data: StageData) -> int:
    """Steps of a stage."""
    loader = Loader(data.sources, batch=stage.data.batch, micro=1, seed=0, dates=stage.data.dates)
    return stage.schedule.length(loader.steps_per_epoch)


def _loader_of(
    stage: Stage, data: StageData, seed: int, distribution: Distribution, *, micro: int, workers: int
) -> Loader:
    return Loader(
        data.sources,
        batch=stage.data.batch,
        micro=micro,
        seed=seed,
        dates=stage.data.dates,
        rank=distribution.rank,
        ranks=distribution.ranks,
        workers=workers,
        pin=distribution.device.type == "cuda",
    )


def _train_stage(run: Run, state: State, before: int, lengths: list[int], interruption: Interruption) -> bool:
    """Train to the end of a stage; false when it was interrupted, with all saved. before: steps of earlier stages."""
    recipe, stage, data, distribution = (
        run.recipe,
        run.recipe.stages[state.stage],
        run.data[state.stage],
        run.distribution,
    )
    machine, length, total, model = recipe.machine, lengths[state.stage], sum(lengths), state.model
    if state.step == before + length:
        return True
    seed = int(keys(recipe.seed, state.stage)) >> 1
    loader = _loader_of(stage, data, seed, distribution, micro=machine.micro, workers=machine.workers)
    model.train()
    model.set_checkpointing(machine.checkpointing)
    if machine.compile:
        _compile(model)
    meter = Meter(distribution, run.peak)
    work = _work(run, model, loader, stage, data, state.step - before)
    steps = train_steps(
        state.trained,
        state.optimizer,
        stage.task,
        work,
        lambda step: stage.schedule.rate(step, length),
        distribution,
        clip=stage.schedule.clip,
        precision=machine.precision,
        average=state.average,
    )
    # several GPUs agree on when to stop where they wait for each other anyway
    seldom = distribution.device.type == "cuda" and distribution.ranks > 1
    with closing(work), closing(steps):
        for done in steps:
            meter.add(done)
            state.step = step = before + done.step
            last, draws = done.step == length, step % machine.picture_every == 0
            logs = step % machine.log_every == 0 or last
            stops = distribution.any(interruption.asked) if logs or not seldom else False
            saves = step % machine.save_every == 0 or last or stops
            if logs or saves:
                _log(run, meter, loader, state.stage, before, total)
            with meter.paused():
                if draws or last:
                    _validate(run, state, stage, data)
                if saves:
                    kept = {"stage": state.stage, "step": step}
                    path = save_checkpoint(
                        run.folder, step, model, state.optimizer, kept, distribution, state.average, keep=machine.keep
                    )
                    run.log.write({"stage": stage.name, "step": float(step), "saved": path.name})
            if last or stops:
                return last
    raise AssertionError("a loader has no end")


def _compile(model: PretrainedModel) -> None:
    """Each block for itself: quick to compile, for any number of tokens."""
    for block in model.modules():
        if isinstance(block, Block):
            block.compile(dynamic=True)


def _work(
    run: Run, model: PretrainedModel, loader: Loader, stage: Stage, data: StageData, start: int
) -> Generator[Work, None, None]:
    """Steps from `start` on (0: the first); a step's number is how many are made after it."""
    steps = loader.steps(start)
    try:
        while True:
            asked = time.perf_counter()
            step = next(steps)
            waited = time.perf_counter() - asked
            own = data.own[loader.order.batch(step.number).source]
            batches = []
            for samples in step.micro:
                cube = augmented(
                    samples,
                    stage.augmentation,
                    model.config.bands,
                    model.normalization,
                    own=own,
                    trained_side=model.config.image,
                    device=run.distribution.device,
                )
                if not run.recipe.model.time_and_scale:
                    cube = cube.without_time_and_scale()
                key = samples.key.to(run.distribution.device, non_blocking=True)
                batches.append(Batch(cube, key, samples.draw))
            yield Work(step.number + 1, batches, step.counted, waited, (step.number + 1) / loader.steps_per_epoch)
    finally:
        steps.close()


# -- what is said ----------------------------------------------------------------------------------------------------


def _log(run: Run, meter: Meter, loader: Loader, number: int, before: int, total: int) -> None:
    """Read the losses of the last steps, and write them down. DivergedError names the batch."""
    if not len(meter):
        return
    stage = run.recipe.stages[number]
    try:
        record: dict[str, Any] = dict(meter.record())
    except DivergedError as error:
        names = loader.names(error.step - 1)
        saved = checkpoints(run.folder)
        kept = f"{saved[0]} is the last good state" if saved else "no state was saved before"
        report = {"stage": stage.name, "step": before + error.step, "losses": error.losses, "samples": names}
        if run.distribution.is_main:
            text = json.dumps(
                {key: str(value) if key == "losses" else value for key, value in report.items()}, indent=1
            )
            (run.out / "diverged.json").write_text(text + "\n")
        raise DivergedError(
            f"{run.out}: stage {stage.name}, {error}; expected finite losses. The batch: {'; '.join(names[:4])}"
            f"{f' and {len(names) - 4} more' if len(names) > 4 else ''} (all in {run.out / 'diverged.json'}). {kept}. "
            "Start a run with a lower lr, a clip or more warmup, or look at these images.",
            before + error.step,
            error.losses,
        ) from None
    record["step"] = float(before + record["step"])
    record = {"stage": stage.name, **record}
    run.record = record
    run.log.write(record)
    run.progress(_told(record, number, len(run.recipe.stages)), int(record["step"]), total)


def _told(record: dict[str, Any], number: int, stages: int) -> str:
    """The progress line."""
    names = list(record)
    # the loss's parts stand between it and the rate
    losses = names[names.index("loss") + 1 : names.index("lr")]
    parts = ", ".join(f"{name} {record[name]:.3f}" for name in losses)
    speeds = f"{record['images_per_second']:.3g} images/s, {record['tokens_per_second']:.3g} tokens/s"
    utilization = f", MFU {record['utilization']:.0%}" if "utilization" in record else ""
    return (
        f"stage {number + 1}/{stages}: loss {record['loss']:.3f} ({parts}), {speeds}, waited {record['waited']:.0%}, "
        f"{record['memory']:.1f} GB{utilization}"
    )


def _validate(run: Run, state: State, stage: Stage, data: StageData) -> None:
    """Log and draw the validation, by all processes together."""
    if not data.held_count:
        return
    machine = run.recipe.machine
    with _averaged(state):
        found = validate(state.model, stage, data, machine.micro, machine.precision, run.distribution)
    state.model.train()
    run.log.write({"stage": stage.name, "step": float(state.step), **found.losses})
    if run.distribution.is_main and found.samples:
        name = f"step-{state.step:08d}"
        title = f"held-back samples after {name.replace('-', ' ')}"
        stage.task.draw(run.out / "pictures" / f"{name}.png", found.samples, title)


def _provenance(run: Run) -> dict[str, Any]:
    folders = {source.shards.folder: source.shards for data in run.data for source in data.sources}
    return {
        "recipe": run.recipe.name,
        "data": "; ".join(
            f"{folder.name} ({sum(each.counts)} samples, {each.fingerprint[:12]})" for folder, each in folders.items()
        ),
        "held_back": run.recipe.held_back,
        "seed": run.recipe.seed,
    }


def _averaged(state: State) -> AbstractContextManager[None]:
    """The model with its averaged weights inside, if there are any."""
    return nullcontext() if state.average is None else state.average.swapped(state.model)


def _save_weights(run: Run, state: State) -> None:
    """After a stage, by all processes together; the weights of the stage before are replaced."""
    with _averaged(state):
        tensors = run.distribution.whole(state.model)
        if run.distribution.is_main:
            stages = [stage.name for stage in run.recipe.stages[: state.stage + 1]]
            # behind what is said already, as if this stage were the first of this start
            said = {name: each for name, each in state.model.provenance.items() if name not in ("stages", "steps")}
            state.model.provenance = {**said, "stages": stages, "steps": state.step}
            state.model.with_tensors(tensors).save_pretrained(run.out / "weights")
    run.distribution.barrier()
