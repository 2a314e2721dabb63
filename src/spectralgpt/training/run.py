"""A run: its parts, the state that training changes, and how a start or a checkpoint makes that state.

config.json        the resolved recipe and what the run was started on; it starts the same run
log.jsonl          a record every few steps, and one per validation
checkpoints/       training states (checkpoints.py)
best/stage-1/      the best weights so far of the first stage, where it chooses by held-back samples
pictures/          reconstructions of fixed validation samples; the loss curve
weights/           the model as users load it, after each stage
images.json        hashes of the images trained on, as the weights list them (hashing.py)
"""

import copy
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spectralgpt.errors import DataError, OptionError, counted, first_few
from spectralgpt.nn import ModelConfig
from spectralgpt.nn.conditional_mean import ConditionalMean
from spectralgpt.progress import Announce, Progress, unheard
from spectralgpt.training.band_statistics import band_covariance, band_mixture
from spectralgpt.training.checkpoints import DamagedError, checkpoints, load_checkpoint, read_extra
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.domain import domain_of_run, earlier_domain
from spectralgpt.training.ema import Average
from spectralgpt.training.ending import ended_together
from spectralgpt.training.logs import LOG, RunLog, read_log
from spectralgpt.training.optimizer import make_optimizer
from spectralgpt.training.recipe import STANDARD, Recipe
from spectralgpt.training.stage_data import StageData, statistics
from spectralgpt.weights import PretrainedModel, new_weights, on_encoder
from spectralgpt.weights.store import CONFIG
from spectralgpt.weights.trained_domain import TrainedDomain
from spectralgpt.weights.trained_images import TrainedImages


@dataclass(frozen=True, slots=True)
class RunResult:
    """How far a run is: `step` of `steps`, over all stages. record: the last one of the log. finished: false after an
    interruption, from which the run can be resumed. notes: what else happened."""

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
    images: TrainedImages
    announce: Announce = unheard
    notes: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    state: "State | None" = None

    @property
    def folder(self) -> Path:
        """The folder of the checkpoints."""
        return self.out / "checkpoints"

    def warn(self, text: str) -> None:
        """Note what does not stop the run, and say it at once: once per file, whatever is free by then."""
        known = text.partition(", found ")[0]
        if not any(each.startswith(known) for each in self.notes):
            self.notes.append(text)
            self.announce(text)

    def let_go(self) -> None:
        """Drop what distributes the model. The frames of an error keep the state alive, and PyTorch's reducer must be
        destroyed before the process group: later, it may wait endlessly for a thread that waits for it."""
        if self.state is not None:
            self.state.trained = self.state.model


@dataclass
class State:
    """What training changes. model: the bare model; trained: the model as the processes train it. stage: the index of
    the stage that the model is made for; step: steps made in all stages. best: score and validation loss times -1, the
    one that decides first, of the best state so far of a stage that chooses."""

    model: PretrainedModel
    trained: nn.Module
    stage: int
    step: int
    optimizer: torch.optim.Optimizer
    average: Average | None
    best: list[float] | None = None


def started(run: Run, model: PretrainedModel, number: int, step: int) -> State:
    """The state at the start of a stage: the model of the previous stage with a new optimizer. step: made before it."""
    stage = run.recipe.stages[number]
    schedule = stage.schedule
    # first: what is frozen has no optimizer
    stage.task.ready(model)

    def optimizer(made: nn.Module) -> torch.optim.Optimizer:
        return make_optimizer(
            made,
            lr=schedule.lr,
            weight_decay=schedule.weight_decay,
            betas=schedule.betas,
            layer_decay=schedule.layer_decay,
            head_factor=schedule.head_factor,
        )

    trained, made = run.distribution.made(model, optimizer, partly=stage.task.partly)
    # after the model is distributed: each process averages the parameters that it holds
    average = None if run.recipe.ema is None else Average(model, run.recipe.ema)
    run.state = State(model, trained, number, step, made, average)
    return run.state


def config_of(recipe: Recipe, start: PretrainedModel | None) -> ModelConfig:
    """The configuration of the model that a run starts with: by the recipe, or that of the given weights with the parts
    that the recipe adds. OptionError where one of them does not fit."""
    first = recipe.stages[0]
    if start is None:
        return first.task.model_config(recipe.model.config(first.augmentation.image))
    config = start.config
    asked = recipe.model
    if asked.conditional_mean and (asked.gaussians, True) != (config.gaussians, config.conditional_mean):
        if start.normalization.kind != "standard":
            raise OptionError(
                f"model.conditional_mean: found true for weights with normalization={start.normalization.kind}",
                STANDARD,
            )
        config = replace(config, conditional_mean=True, gaussians=asked.gaussians)
    return first.task.model_config(config)


def _measure_bands(run: Run, model: PretrainedModel) -> None:
    """Set the Gaussians of a conditional mean that is new. A resumed run has them in its checkpoint."""
    mean, before = _mean_of(model), _mean_of(run.start)
    if mean is None or (before is not None and before.covariance.shape == mean.covariance.shape):
        return
    image = run.recipe.stages[0].augmentation.image
    measured = (run.data, model.config.bands, model.normalization, image)
    if model.config.gaussians == 1:
        mean.set_covariance(band_covariance(*measured))
    else:
        mean.set_mixture(band_mixture(*measured, model.config.gaussians))


def _mean_of(model: PretrainedModel | None) -> ConditionalMean | None:
    """The conditional mean of a model that has one."""
    found = getattr(model, "conditional_mean", None)
    return found if isinstance(found, ConditionalMean) else None


def _new_model(run: Run) -> PretrainedModel:
    """The model that a run starts with, made for the image size of its first stage."""
    recipe = run.recipe
    if run.start is not None:
        return _from_weights(run, run.start).to(run.distribution.device)
    torch.manual_seed(recipe.seed)
    config = config_of(recipe, None)
    units, head = statistics(run.data, recipe.model.normalization), recipe.stages[0].task.head_config()
    model = new_weights(recipe.task.name, config, head, units, _provenance(run))
    model.classes = run.data[0].classes
    if recipe.model.start != "random":
        recipe.task.starts[recipe.model.start](model)
    return model.to(run.distribution.device)


def _from_weights(run: Run, start: PretrainedModel) -> PretrainedModel:
    """A copy of the given weights; where their task, head or classes differ, a new model on their encoder."""
    task, head = run.recipe.task, run.recipe.stages[0].task.head_config()
    classes = run.data[0].classes
    same = (start.task.name, start.head_config, start.classes or classes) == (task.name, head, classes)
    if same:
        model = copy.deepcopy(start)
    else:
        torch.manual_seed(run.recipe.seed)
        model = on_encoder(start, task.name, head)
    # they were measured on the features, and chosen by the answers, of the given weights
    model.read_out, model.thresholds = None, ()
    model = _with_config(model, config_of(run.recipe, start))
    model.classes = classes
    model = at_image(run, model, 0)
    before = {key: value for key, value in start.provenance.items() if key in ("recipe", "data", "license", "steps")}
    earlier = TrainedImages.of(start.provenance)
    model.provenance = {
        # a new head knows no other kinds of images than those that it is fitted to
        **_provenance(run, earlier, earlier_domain(start) if same else None),
        "from": {"weights": start.fingerprint(), **before},
    }
    return model


def _with_config(model: PretrainedModel, config: ModelConfig) -> PretrainedModel:
    """The model with the parts that another configuration asks for, drawn anew, and without those that it does not."""
    if config == model.config:
        return model
    made = new_weights(model.task.name, config, model.head_config, model.normalization, model.provenance)
    own = made.state_dict()
    anew: tuple[str, ...] = ()
    if config.conditional_mean > model.config.conditional_mean:
        # an answer that is added to an estimate has to be learned anew
        anew = ("decoder.head.",)
    elif config.gaussians != model.config.gaussians:
        # where nothing is visible, which is most places, answers mean the same whatever the number of Gaussians
        anew = ("conditional_mean.covariance", "conditional_mean.means", "conditional_mean.shares")
    kept = {name: each for name, each in model.state_dict().items() if not name.startswith(anew)}
    own.update({name: each for name, each in kept.items() if name in own})
    made.load_state_dict(own)
    return made


def at_image(run: Run, model: PretrainedModel, number: int) -> PretrainedModel:
    """The model of the previous stage, made for the image size of this stage; a resized table is noted. A stage that
    leaves the features as they are leaves the size that they were trained at."""
    stage = run.recipe.stages[number]
    image = stage.augmentation.image
    if image == model.config.image or not stage.task.trains_features:
        return model
    if run.recipe.model.place_nodes is None:
        noted = len(model.provenance.get("resized", []))
        model = model.resized(image)
        run.notes += [f"stage {number + 1}: {each}" for each in model.provenance.get("resized", [])[noted:]]
        return model
    # tables of nodes are read at any size: nothing is lost that a user should know of
    model.config = replace(model.config, image=image)
    return model


def resumed(run: Run) -> State:
    """The state of the newest undamaged checkpoint, or the state of a new run where there is none."""
    found = checkpoints(run.folder)
    for path in found:
        try:
            extra = read_extra(path, run.distribution)
            model = _new_model(run)
            for number in range(1, extra["stage"] + 1):
                model = at_image(run, model, number)
            state = started(run, model, extra["stage"], extra["step"])
            load_checkpoint(path, model, state.optimizer, run.distribution, state.average)
            state.best = extra.get("best")
        except DamagedError as error:
            if path == found[-1]:
                raise _all_damaged(run, found, error) from error
            run.notes.append(f"{error.found}. The previous checkpoint is used.")
            continue
        run.notes.append(f"resumed from {path.name}")
        break
    else:
        _refuse_lost(run)
        model = _new_model(run)
        _measure_bands(run, model)
        state = started(run, model, 0, 0)
    with ended_together(run.distribution, run.out):
        run.log.cut(state.step)
    return state


def _all_damaged(run: Run, found: list[Path], last: DamagedError) -> DamagedError:
    """What to say where no checkpoint is whole. last: about the oldest; those before it are in the notes."""
    names = [path.name for path in found]
    listed = first_few(names, 4)
    several = f"{run.folder}: none of its {counted(len(names), 'checkpoint')} is whole ({listed}); {last.found}"
    do = "Put one back from a copy, or start a new run in another folder"
    # the best state of a stage that chooses, or the weights of a stage that is done
    kept = [each for each in (run.out / "weights", *sorted(run.out.glob("best/stage-*"))) if (each / CONFIG).is_file()]
    if kept:
        return DamagedError(several, last.expected, f"{do}, which can begin with", ("weights", str(kept[-1])))
    return DamagedError(several, last.expected, do)


def _refuse_lost(run: Run) -> None:
    """DataError when the log of a run without a checkpoint names one: a new start would discard the log as well."""
    log = run.out / LOG
    saved = [record["saved"] for record in read_log(log) if "saved" in record] if log.exists() else []
    if saved:
        raise DataError(
            f"{run.folder}: found no checkpoint, although {log} names {saved[-1]}",
            do="Put it back, or start a new run in another folder",
        )


def _provenance(run: Run, earlier: TrainedImages | None = None, domain: TrainedDomain | None = None) -> dict[str, Any]:
    """earlier, domain: the images, and the kinds of images, that the weights of the start were trained on."""
    own = domain_of_run(run.recipe.stages, run.data)
    assert own is not None, "a stage has samples to train on"
    own = own if domain is None else domain | own
    folders = {source.shards.folder: source.shards for data in run.data for source in data.sources}
    fitted = any(stage.task.labels is not None for stage in run.recipe.stages)
    images = run.images.with_labels() if fitted else run.images
    return {
        "recipe": run.recipe.name,
        "data": "; ".join(
            f"{folder.name} ({sum(each.counts)} samples, {each.fingerprint[:12]})" for folder, each in folders.items()
        ),
        # where samples have a split, it decides
        **({} if any(each.has_splits for each in folders.values()) else {"held_back": run.recipe.held_back}),
        "seed": run.recipe.seed,
        **own.entries(),
        **(images | (earlier or TrainedImages())).entries(),
    }


def averaged(state: State) -> AbstractContextManager[None]:
    """While entered, the model has its averaged weights, if there are any."""
    return nullcontext() if state.average is None else state.average.swapped(state.model)
