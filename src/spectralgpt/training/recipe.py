"""A run described whole: a model, and the stages in which it is trained, each from where the one before ended."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from spectralgpt.bands import BandSet, sensor
from spectralgpt.data import Augmentation
from spectralgpt.errors import OptionError
from spectralgpt.nn import SIZES, SPECTRUM_NODES, ModelConfig, Precision, Size
from spectralgpt.tasks import Objective, Task, find
from spectralgpt.training.schedule import Schedule


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model of a run.

    size: tiny, small, base, large or huge. bands: the sensor whose bands are its own, in groups of `slots`.
    place_nodes: rows and columns of its place tables; None: one node a place of the stage's images, as the released
    models, whose tables are resized from stage to stage. spectrum: `shared` has the 12 nodes of our own models,
    `groups` one a group, as the released ones. normalization: `standard` by statistics of the shards, `min_max` as the
    released ones. start: `random`, as the paper's, or another start of the first stage's task; `local` of pretraining
    is for runs of minutes: its decoder looks at its neighbours from the start. time_and_scale: whether it is given
    dates and GSD; the paper's is not, and its tables of them stay 0.
    weights: to go on from (a folder, a .pth, a name on the hub); then size, bands, spectrum, normalization and start
    are theirs and do not count here.
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
    weights: str | None = None
    shape: Size | None = None
    """Another size than the five, for tests; then `size` does not count."""

    def __post_init__(self) -> None:
        for name in ("slots", "patch"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name}: found {getattr(self, name)}", "1 or more")
        if self.place_nodes is not None and self.place_nodes < 1:
            raise OptionError(f"place_nodes: found {self.place_nodes}", "1 or more, or none")

    def config(self, image: int) -> ModelConfig:
        """The model's configuration for images of this side (pixels)."""
        try:
            bands = BandSet.native(sensor(self.bands).bands, self.slots)
        except ValueError as error:
            raise OptionError(f"model.slots: found that {error}", "a number that divides them") from None
        nodes = self.place_nodes or image // self.patch
        return ModelConfig(
            size=self.shape or SIZES[self.size],
            bands=bands,
            patch=self.patch,
            image=image,
            place_nodes=(nodes, nodes),
            spectrum_nodes=SPECTRUM_NODES if self.spectrum == "shared" else tuple(g.wavelength for g in bands.groups),
        )


@dataclass(frozen=True, slots=True)
class DataChoice:
    """One source of a stage's mixture.

    shards: a folder of shards below --data; `.` is --data itself. weight: its share of the steps; None, for all of a
    stage or none: every sample once an epoch. sensors: only these; none named: all. least_dates: only samples of so
    many dates or more. bands_as: `own` feeds all bands in groups of their own instead of the model's bands.
    """

    shards: str = "."
    weight: float | int | None = None
    sensors: tuple[str, ...] = ()
    least_dates: int = 1
    bands_as: Literal["model", "own"] = "model"


@dataclass(frozen=True, slots=True)
class Mixture:
    """What a stage is trained on. sources: of its samples. dates: at most so many of a sample. batch: samples per step,
    over all processes and accumulation.

    Raises OptionError for values that make no mixture.
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
    """A part of a run: what it minimizes, on which samples, how they are drawn, and for how long.

    Each part owns its fields; `but`, and --set, find a field by its name alone where only one part has it.
    """

    name: str
    task: Objective
    augmentation: Augmentation
    schedule: Schedule
    data: Mixture = Mixture()

    def but(self, **changes: Any) -> "Stage":
        """A copy with other values of its own fields, or of its parts' (`lr`, `image`). TypeError for another name."""
        parts: dict[str, dict[str, Any]] = {}
        for name, value in changes.items():
            if name in self.__slots__:
                continue
            owners = [part for part in self.__slots__[1:] if name in getattr(self, part).__slots__]
            if len(owners) != 1:
                raise TypeError(f"found the name {name} in {owners or 'no part'} of a stage; expected it in one")
            parts.setdefault(owners[0], {})[name] = value
        own = {name: value for name, value in changes.items() if name in self.__slots__}
        return replace(self, **own, **{part: replace(getattr(self, part), **values) for part, values in parts.items()})


@dataclass(frozen=True, slots=True)
class Machine:
    """What may change from one start of a run to the next: none of it changes what is computed, but for rounding.

    micro: samples that a process computes at once. workers: threads that read ahead. precision, compile, checkpointing
    (recompute blocks in the backward pass): how it is computed. log_every, save_every, picture_every: steps. keep: how
    many checkpoints. tensorboard: where it is installed. wandb: a project, None for none.
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
    """A run: its config.json is this, resolved.

    held_back: share of the places that is never trained on, for the validation losses and pictures. ema: decay of the
    moving average of the weights that is saved instead of them; None for none.
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
            raise OptionError(f"recipe {self.name}: found no stage", "at least one")
        if not 0 <= self.held_back < 1:
            raise OptionError(f"held_back: found {self.held_back}", "a share from 0 to below 1")
        if self.ema is not None and not 0 < self.ema < 1:
            raise OptionError(f"ema: found {self.ema}", "a decay between 0 and 1, or none")
        first, starts = self.stages[0].task, ("random", *self.task.starts)
        if self.model.start not in starts:
            raise OptionError(f"model.start: found {self.model.start!r}", f"one of: {', '.join(starts)}")
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

    @property
    def task(self) -> Task:
        """The task of the model."""
        return find(self.stages[0].task.task)
