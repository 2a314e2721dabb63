"""Training a run, stage by stage: checkpoints, logs, validation. It can be killed at any moment and then resumed."""

import json
import math
import time
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from spectralgpt.data import Loader, Samples, augmented, augmented_mask
from spectralgpt.draws import keys
from spectralgpt.errors import TargetError, first_few
from spectralgpt.interruption import Interruption
from spectralgpt.nn import Block, resolved_precision
from spectralgpt.progress import Announce, Progress, silent, unheard
from spectralgpt.tasks import Batch
from spectralgpt.training.checkpoints import checkpoints, save_checkpoint
from spectralgpt.training.distribution import Distribution, distributed
from spectralgpt.training.ending import ended_together
from spectralgpt.training.flops import matmul_peak
from spectralgpt.training.hashing import trained_images
from spectralgpt.training.logs import RunLog, read_log
from spectralgpt.training.loop import Work, train_steps
from spectralgpt.training.meter import DivergedError, Meter
from spectralgpt.training.recipe import Recipe, Stage
from spectralgpt.training.run import Run, RunResult, State, at_image, averaged, config_of, resumed, started
from spectralgpt.training.run_folder import best_weights, claimed
from spectralgpt.training.run_space import check_run_space
from spectralgpt.training.stage_data import StageData, of_labels, stage_data
from spectralgpt.training.validation import validate
from spectralgpt.weights import PretrainedModel, open_weights
from spectralgpt.weights.named import name_note


def run_training(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    device: str = "auto",
    measured: bool = False,
    announce: Announce = unheard,
    progress: Progress = silent,
) -> RunResult:
    """Train a model by a recipe, or resume the run in the folder `out`; under torchrun with all its processes.

    data: a folder of shards, or the folder that holds the shards that the recipe names. A run that was started with
    another recipe or on other shards is refused; `machine` may differ. SIGTERM and Ctrl-C are a graceful shutdown: the
    run ends after the current step, saved. measured: the caller ends it before anything large is written, so the disk
    is not asked for space. announce: called with what the run will keep on the disk, and with what does not stop it,
    like a picture that cannot be written. Raises OptionError, DataError, TargetError before anything is written; later
    TargetError where the disk takes no checkpoint or weights, and DivergedError when a loss is not finite.
    """
    with distributed(device) as distribution, Interruption() as interruption:
        weights = recipe.model.weights
        start = None if weights is None else open_weights(weights)
        bands = config_of(recipe, start).bands
        opened = tuple(stage_data(stage, data, bands, recipe.held_back) for stage in recipe.stages)
        recipe = of_labels(recipe, opened)
        with claimed(recipe, opened, data, out, distribution):
            shown = progress if distribution.is_main else silent
            images = trained_images(recipe.stages, opened, out, distribution, interruption, shown)
            machine = recipe.machine
            log = RunLog(
                out,
                tensorboard=machine.tensorboard,
                wandb=machine.wandb,
                writes=distribution.is_main,
                warn=lambda text: run.warn(text),
            )
            peak = matmul_peak(distribution.device, resolved_precision(machine.precision, distribution.device))
            said = announce if distribution.is_main else unheard
            run = Run(recipe, opened, start, out, distribution, log, shown, peak, images, said)
            run.notes += [note for note in (name_note(weights),) if note]
            run.notes += [f"left out {each}" for stage in opened for each in stage.left_out]
            try:
                with closing(log):
                    result = _stages(run, interruption, measured=measured)
                return replace(result, notes=tuple(run.notes))  # closing the log may have added one
            finally:
                run.let_go()


def _stages(run: Run, interruption: Interruption, *, measured: bool) -> RunResult:
    lengths = [_length(stage, data) for stage, data in zip(run.recipe.stages, run.data, strict=True)]
    state, before, finished = resumed(run), 0, True
    if not measured and state.step < sum(lengths):
        run.announce(check_run_space(run, state))
    for number, length in enumerate(lengths):
        if number > state.stage:
            state = started(run, at_image(run, _result(run, state), number), number, before)
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
        pairs=stage.task.pairs,
    )


def _train_stage(run: Run, state: State, before: int, lengths: list[int], interruption: Interruption) -> bool:
    """Train to the end of a stage; false after an interruption, when all is saved. before: steps of earlier stages."""
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
    stage.task.ready(model)
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
    chooses = stage.task.chooses and data.held_count > 0
    judges = stage.task.steps_between_judgements(loader.steps_per_epoch) if chooses else 0
    # several GPUs agree to stop only where they wait for each other anyway
    seldom = distribution.device.type == "cuda" and distribution.ranks > 1
    with closing(work), closing(steps):
        for done in steps:
            meter.add(done)
            state.step = step = before + done.step
            last, draws = done.step == length, step % machine.picture_every == 0
            judged = judges > 0 and (last or done.step % judges == 0)
            logs = step % machine.log_every == 0 or last
            stops = distribution.any(interruption.asked) if logs or not seldom else False
            saves = step % machine.save_every == 0 or last or stops
            if logs or saves:
                _log(run, meter, loader, state.stage, before, total)
            with meter.paused():
                if draws or last or judged:
                    _validate(run, state, stage, data, judged=judged)
                if saves:
                    kept = {"stage": state.stage, "step": step} | ({} if state.best is None else {"best": state.best})
                    path = save_checkpoint(
                        run.folder, step, model, state.optimizer, kept, distribution, state.average, keep=machine.keep
                    )
                    run.log.write({"stage": stage.name, "step": float(step), "saved": path.name})
            if last or stops:
                return last
    raise AssertionError("a loader has no end")


def _compile(model: PretrainedModel) -> None:
    """Compile block by block: quick, and for any number of tokens."""
    for block in model.modules():
        if isinstance(block, Block):
            block.compile(dynamic=True)


def _work(
    run: Run, model: PretrainedModel, loader: Loader, stage: Stage, data: StageData, start: int
) -> Generator[Work, None, None]:
    """The steps from `start` on, which counts from 0. Their numbers count from 1."""
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
                batches.append(Batch(cube, key, samples.draw, _target(samples, stage, run.distribution.device)))
            yield Work(step.number + 1, batches, step.counted, waited, (step.number + 1) / loader.steps_per_epoch)
    finally:
        steps.close()


def _target(samples: Samples, stage: Stage, device: torch.device) -> torch.Tensor | None:
    """The targets of samples, masks cropped like the cube."""
    if samples.target is None or stage.task.labels is None:
        return None
    target = augmented_mask(samples, stage.augmentation) if samples.target.ndim == 3 else samples.target
    return target.to(device, non_blocking=True)


# -- what is reported ------------------------------------------------------------------------------------------------


def _log(run: Run, meter: Meter, loader: Loader, number: int, before: int, total: int) -> None:
    """Read the losses of the last steps and log them. DivergedError names the batch."""
    if not len(meter):
        return
    stage = run.recipe.stages[number]
    try:
        record: dict[str, Any] = dict(meter.record())
    except DivergedError as error:
        names = loader.names(error.step - 1)
        saved = checkpoints(run.folder)
        kept = f"{saved[0]} is the last good state" if saved else "No state was saved before"
        report = {"stage": stage.name, "step": before + error.step, "losses": error.losses, "samples": names}
        if run.distribution.is_main:
            text = json.dumps(
                {key: str(value) if key == "losses" else value for key, value in report.items()}, indent=1
            )
            with suppress(OSError):  # that the run has diverged matters more
                (run.out / "diverged.json").write_text(text + "\n")
        raise DivergedError(
            f"{run.out}: stage {stage.name}, {error}; expected finite losses. The batch: {first_few(names, 4, '; ')} "
            f"(all in {run.out / 'diverged.json'}). {kept}. "
            "Start a run with a lower lr, a clip or a longer warmup, or look at these images.",
            before + error.step,
            error.losses,
        ) from None
    record["step"] = float(before + record["step"])
    record = {"stage": stage.name, **record}
    run.record = record
    run.log.write(record)
    run.progress(_line(record, number, len(run.recipe.stages)), int(record["step"]), total)


def _line(record: dict[str, Any], number: int, stages: int) -> str:
    """The progress line."""
    names = list(record)
    # the parts of the loss stand between it and the rate
    losses = names[names.index("loss") + 1 : names.index("lr")]
    parts = ", ".join(f"{name} {record[name]:.3f}" for name in losses)
    speeds = f"{record['images_per_second']:.3g} images/s, {record['tokens_per_second']:.3g} tokens/s"
    utilization = f", MFU {record['utilization']:.0%}" if "utilization" in record else ""
    return (
        f"stage {number + 1}/{stages}: loss {record['loss']:.3f} ({parts}), {speeds}, waited {record['waited']:.0%}, "
        f"{record['memory']:.1f} GB{utilization}"
    )


def _validate(run: Run, state: State, stage: Stage, data: StageData, *, judged: bool = False) -> None:
    """Validate, log the losses and draw the samples; where it is judged, keep the weights if they are the best so far.
    By all processes together."""
    if not data.held_count:
        return
    machine = run.recipe.machine
    with averaged(state):
        found = validate(state.model, stage, data, machine.micro, machine.precision, run.distribution, judged=judged)
        loss = found.losses["val_loss"]
        # nothing is less than NaN; of equal states the earlier one
        low = -loss if math.isfinite(loss) else -math.inf
        reached = [found.score, low] if stage.task.chooses_by_score else [low, found.score]
        kept = judged and (state.best is None or reached > state.best)
        if kept:
            state.best = reached
            _write_weights(run, state, best_weights(run.out, state.stage))
    state.model.train()
    stage.task.ready(state.model)
    score = {"val_score": found.score, "kept": kept} if judged else {}
    run.log.write({"stage": stage.name, "step": float(state.step), **found.losses, **score})
    if run.distribution.is_main and found.samples:
        name = f"step-{state.step:08d}"
        title = f"held-back samples after {name.replace('-', ' ')}"
        try:
            stage.task.draw(run.out / "pictures" / f"{name}.png", found.samples, title)
        except TargetError as error:
            run.warn(f"a picture is missing, and the run goes on: {error}")


def _save_weights(run: Run, state: State) -> None:
    """Save the weights after a stage, in place of those of the previous stage: the best ones of a stage that chooses.
    By all processes together."""
    if state.best is None:
        with averaged(state):
            _write_weights(run, state, run.out / "weights")
    else:
        with ended_together(run.distribution, run.out):
            if run.distribution.is_main:
                open_weights(best_weights(run.out, state.stage)).save_pretrained(run.out / "weights")


def _result(run: Run, state: State) -> PretrainedModel:
    """The model that the next stage starts with: the best of a stage that chooses, and else the last."""
    if state.best is None:
        return state.model
    run.distribution.barrier()
    # its own copy: the optimizer and the average of the stage hold the last state
    return open_weights(best_weights(run.out, state.stage)).to(run.distribution.device)


def _write_weights(run: Run, state: State, folder: Path) -> None:
    """Write the weights as they are, with how they were made; by all processes together."""
    tensors = run.distribution.whole(state.model)
    with ended_together(run.distribution, run.out):
        if run.distribution.is_main:
            stages = [stage.name for stage in run.recipe.stages[: state.stage + 1]]
            # added last, so that a resumed run writes the same order of keys
            kept = {name: each for name, each in state.model.provenance.items() if name not in ("stages", "steps")}
            state.model.provenance = {**kept, "stages": stages, "steps": state.step}
            state.model.with_tensors(tensors).save_pretrained(folder)
