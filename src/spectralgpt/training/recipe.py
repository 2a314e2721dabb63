"""The full description of a run: a model, and the stages that train it one after the other."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from spectralgpt.bands import BandSet, sensor
from spectralgpt.data import Augmentation
from spectralgpt.errors import OptionError
from spectralgpt.nn import SIZES, SPECTRUM_NODES, MaskedAutoencoder, ModelConfig, Precision, Size
from spectralgpt.tasks import Objective, Task, find
from spectralgpt.training.schedule import Schedule

STANDARD = "normalization=standard, in which every band has mean 0"
"""What a conditional mean expects."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model of a run.

    size: tiny, small, base, large or huge. bands: the sensor with the bands of the model, in groups of `slots`.
    place_nodes: rows and columns of the place tables; None: one node per place of the images of a stage, as in the
    released models, with tables that are resized from stage to stage. spectrum: `shared` has the 12 nodes of our own
    models, `groups` one per group, as in the released models. normalization: `standard` by statistics of the shards,
    `min_max` as in the released models. start: `random`, as in the paper, or another start of the task of the first
    stage; `local` of pretraining is for runs of minutes: its decoder looks at neighbours from the start.
    time_and_scale: whether the model is given dates and GSD; in the paper it is not, and the tables for them stay 0.
    conditional_mean: whether hidden bands are estimated from the visible ones at the same pixel, and the decoder adds
    to the estimate; in the paper it predicts them itself. gaussians: how many make this estimate; one gives a linear
    regression.
    weights: to start from (a folder, a .pth, a name, a name on the hub); size, bands, spectrum, normalization and start
    are then those of the weights, and the values here are ignored; a conditional mean of the weights stays, unless one
    of another number of Gaussians is asked for.
    """

    size: Literal["tiny", "small", "base", "large", "huge"] = "base"
    bands: str = "spectralgpt-12"
    slots: int = 3
    patch: int = 8
    place_nodes: int | None = 16
    spectrum: Literal["shared", "groups"] = "shared"
    normalization: Literal["standard", "min_max"] = "standard"
    start: str = "random"
    time_and_scale: bool = True
    conditional_mean: bool = False
    gaussians: int = 1
    weights: str | None = None
    shape: Size | None = None
    """Another size than the five, for tests; `size` is then ignored."""

    def __post_init__(self) -> None:
        for name in ("slots", "patch", "gaussians"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}: found {getattr(self, name)}", "1 or more")
        if self.place_nodes is not None and self.place_nodes < 1:
            raise OptionError(f"place_nodes: found {self.place_nodes}", "1 or more, or none")
        if self.conditional_mean and self.weights is None and self.normalization != "standard":
            raise OptionError(f"model.conditional_mean: found true with normalization={self.normalization}", STANDARD)

    def config(self, image: int) -> ModelConfig:
        """The configuration of the model for images of this side (pixels)."""
        try:
            bands = BandSet.native(sensor(self.bands).bands, self.slots)
        except ValueError as error:
            raise OptionError(f"model.slots: {error}", "a number that divides them") from None
        nodes = self.place_nodes or image // self.patch
        return ModelConfig(
            size=self.shape or SIZES[self.size],
            bands=bands,
            patch=self.patch,
            image=image,
            place_nodes=(nodes, nodes),
            spectrum_nodes=SPECTRUM_NODES if self.spectrum == "shared" else tuple(g.wavelength for g in bands.groups),
            conditional_mean=self.conditional_mean,
            gaussians=self.gaussians if self.conditional_mean else 1,
        )


@dataclass(frozen=True, slots=True)
class DataChoice:
    """One source of the mixture of a stage.

    shards: a folder of shards below the data folder of the run; `.` is that folder itself. weight: its share of the
    steps; None, for all sources of a stage or for none: every sample once per epoch. sensors: only these; empty: all.
    least_dates: only samples with at least this number of dates. bands_as: `own` feeds all bands in groups of their own
    instead of the bands of the model.
    """

    shards: str = "."
    weight: float | int | None = None
    sensors: tuple[str, ...] = ()
    least_dates: int = 1
    bands_as: Literal["model", "own"] = "model"


@dataclass(frozen=True, slots=True)
class Mixture:
    """The samples of a stage. sources: where they are from. dates: largest number of dates of a sample. batch: samples
    per step, over all processes and accumulation steps.

    Raises OptionError for values that do not make a mixture.
    """

    sources: tuple[DataChoice, ...] = (DataChoice(),)
    dates: int = 1
    batch: int = 4096

    def __post_init__(self) -> None:
        if not self.sources:
            raise OptionError("data: found no sources", "at least one")
        for name in ("dates", "batch"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}: found {getattr(self, name)}", "1 or more")


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run: its task, the augmentation of its samples, the schedule, and the samples.

    Each part owns its fields; `but`, and `set` of pretrain, find a field by its name alone where only one part has it.
    """

    name: str
    task: Objective
    augmentation: Augmentation
    schedule: Schedule
    data: Mixture = Mixture()

    def __post_init__(self) -> None:
        if self.task.labels == "change" and self.data.dates != 2:
            raise OptionError(f"stage {self.name}, dates: found {self.data.dates}", "2 for change, before and after")

    def but(self, **changes: Any) -> "Stage":
        """A copy with other values of its fields or of those of its parts (`lr`, `image`). TypeError for others."""
        parts: dict[str, dict[str, Any]] = {}
        # not __slots__: an objective's are those of its last class alone
        stated = [each.name for each in fields(self)]
        for name, value in changes.items():
            if name in stated:
                continue
            owners = [part for part in stated[1:] if name in (each.name for each in fields(getattr(self, part)))]
            if len(owners) != 1:
                raise TypeError(f"{name}: found in {owners or 'no part'} of a stage; expected in one")
            parts.setdefault(owners[0], {})[name] = value
        own = {name: value for name, value in changes.items() if name in stated}
        return replace(self, **own, **{part: replace(getattr(self, part), **values) for part, values in parts.items()})


@dataclass(frozen=True, slots=True)
class Machine:
    """Settings that may change from one start of a run to the next: they change no result, except for rounding.

    micro: samples that a process computes at once. workers: threads that prefetch. precision, compile, checkpointing
    (recompute blocks in the backward pass): how the model is computed. log_every, save_every, picture_every: steps.
    keep: number of checkpoints. tensorboard: write its logs if it is installed. wandb: a project, None for none.
    """

    micro: int = 64
    workers: int = 2
    precision: Precision = "auto"
    compile: bool = False
    checkpointing: bool = False
    log_every: int = 10
    save_every: int = 200
    picture_every: int = 1000
    keep: int = 2
    tensorboard: bool = True
    wandb: str | None = None

    def __post_init__(self) -> None:
        for name in ("micro", "log_every", "save_every", "picture_every", "keep"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}: found {getattr(self, name)}", "1 or more")
        if self.workers < 0:
            raise OptionError(f"workers: found {self.workers}", "0 or more")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A run; its config.json is the resolved recipe.

    held_back: share of the places that are never trained on, for the validation losses and pictures. ema: decay of the
    moving average of the weights, which is saved instead of them; None for none.
    """

    name: str
    stages: tuple[Stage, ...]
    model: ModelChoice = field(default_factory=ModelChoice)
    seed: int = 0
    held_back: float | int = 0.02
    ema: float | int | None = None
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        if not self.stages:
            raise OptionError(f"recipe {self.name}: found no stages", "at least one")
        if not 0 <= self.held_back < 1:
            raise OptionError(f"held_back: found {self.held_back}", "a share from 0 to below 1")
        if self.ema is not None and not 0 < self.ema < 1:
            raise OptionError(f"ema: found {self.ema}", "a decay between 0 and 1, or none")
        first, starts = self.stages[0].task, ("random", *self.task.starts)
        if self.model.start not in starts:
            raise OptionError(f"model.start: found {self.model.start!r}", f"one of: {', '.join(starts)}")
        if self.model.conditional_mean and not issubclass(self.task.model, MaskedAutoencoder):
            raise OptionError(
                f"model.conditional_mean: found true for {self.task.name}", "pretraining, as its decoder adds to it"
            )
        for stage in self.stages:
            image = stage.augmentation.image
            if image % self.model.patch:
                raise OptionError(
                    f"stage {stage.name}, image: found {image}", f"a multiple of the patch, {self.model.patch} pixels"
                )
            if (stage.task.task, stage.task.head_config()) != (first.task, first.head_config()):
                raise OptionError(
                    f"stage {stage.name}: found the task {stage.task.task}",
                    f"that of the first stage, {first.task}, with the same head, as all stages train one model",
                )
            config = self.model.config(image)
            if stage.task.model_config(config) != first.model_config(config):
                raise OptionError(
                    f"stage {stage.name}: found a descriptor_weight in some stages only",
                    "one in all stages or in none, as all train one model",
                )

    @property
    def task(self) -> Task:
        """The task of the model."""
        return find(self.stages[0].task.task)
