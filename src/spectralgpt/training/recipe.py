"""A run described whole: a model, and the stages in which it is trained, each from where the one before ended."""

from dataclasses import dataclass, field
from typing import Literal

from spectralgpt.bands import BandSet, sensor
from spectralgpt.errors import OptionError
from spectralgpt.nn import SIZES, SPECTRUM_NODES, MaskKind, ModelConfig, Precision, Size


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model of a run.

    size: tiny, small, base, large or huge. bands: the sensor whose bands are its own, in groups of `slots`.
    place_nodes: rows and columns of its place tables; None: one node a place of the stage's images, as the released
    models, whose tables are resized from stage to stage. spectrum: `shared` has the 12 nodes of our own models,
    `groups` one a group, as the released ones. normalization: `standard` by statistics of the shards, `min_max` as the
    released ones. start: `random`, as the paper's; `local` for runs of minutes, whose decoder looks at its neighbours
    from the start. time_and_scale: whether it is told dates and GSD; the paper's is not, and its tables of them stay 0.
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
    start: Literal["random", "local"] = "random"
    time_and_scale: bool = True
    weights: str | None = None
    shape: Size | None = None
    """Another size than the five, for tests; then `size` does not count."""

    def __post_init__(self) -> None:
        for name in ("slots", "patch"):
            if getattr(self, name) < 1:
                raise OptionError(f"model.{name}: found {getattr(self, name)}; expected 1 or more.")
        if self.place_nodes is not None and self.place_nodes < 1:
            raise OptionError(f"model.place_nodes: found {self.place_nodes}; expected 1 or more, or none.")

    def config(self, image: int) -> ModelConfig:
        """The model's configuration for images of this side (pixels)."""
        try:
            bands = BandSet.native(sensor(self.bands).bands, self.slots)
        except ValueError as error:
            raise OptionError(f"model.slots: found that {error}; expected a number that divides them.") from None
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
class Stage:
    """A part of a run.

    image: side in pixels after the crop. dates: at most so many of a sample. batch: samples a step, over all processes
    and accumulation. epochs or steps: its length. lr: the peak of a cosine after `warmup`, a share of the length, down
    to `lr_end`. clip: largest gradient norm, None for no limit.
    gsd: lowest and highest ground sampling distance (m) after the crop; None: crops of a drawn share `area` of the
    image. aspect: of the crop. missing_bands: share of the steps in which drawn bands are missing.
    mask, mask_ratio, decode_fraction, normalized_target, spectral_weight: what is hidden and rebuilt (Pretraining).
    """

    name: str
    data: tuple[DataChoice, ...] = (DataChoice(),)
    image: int = 96
    dates: int = 1
    batch: int = 4096
    epochs: float | int | None = None
    steps: int | None = None
    lr: float | int = 3.2e-3
    lr_end: float | int = 0.0
    warmup: float | int = 0.1
    weight_decay: float | int = 0.05
    betas: tuple[float | int, float | int] = (0.9, 0.95)
    clip: float | int | None = None
    mask: MaskKind = "random"
    mask_ratio: float | int = 0.9
    decode_fraction: float | int = 1.0
    normalized_target: bool = False
    spectral_weight: float | int | None = None
    area: tuple[float | int, float | int] = (0.2, 1.0)
    aspect: tuple[float | int, float | int] = (3 / 4, 4 / 3)
    gsd: tuple[float | int, float | int] | None = None
    flips: bool = True
    turns: bool = True
    missing_bands: float | int = 0.0

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise OptionError(f"stage {self.name}: found epochs {self.epochs} and steps {self.steps}; expected one.")
        limits: tuple[tuple[str, float, bool, str], ...] = (
            ("image", self.image, self.image >= 8, "8 or more pixels"),
            ("dates", self.dates, self.dates >= 1, "1 or more"),
            ("batch", self.batch, self.batch >= 1, "1 or more"),
            ("epochs", self.epochs or 1, (self.epochs or 1) > 0, "more than 0"),
            ("steps", self.steps or 1, (self.steps if self.steps is not None else 1) >= 1, "1 or more"),
            ("lr", self.lr, self.lr > 0, "more than 0"),
            ("lr_end", self.lr_end, 0 <= self.lr_end <= self.lr, "from 0 to lr"),
            ("warmup", self.warmup, 0 <= self.warmup < 1, "a share from 0 to below 1"),
            ("weight_decay", self.weight_decay, self.weight_decay >= 0, "0 or more"),
            ("clip", self.clip or 1, self.clip is None or self.clip > 0, "more than 0, or none"),
            ("mask_ratio", self.mask_ratio, 0 < self.mask_ratio < 1, "between 0 and 1"),
            ("decode_fraction", self.decode_fraction, 0 < self.decode_fraction <= 1, "above 0 and up to 1"),
            ("missing_bands", self.missing_bands, 0 <= self.missing_bands <= 1, "from 0 to 1"),
            ("area", self.area[0], 0 < self.area[0] <= self.area[1] <= 1, "two shares up to 1, the smaller first"),
            ("aspect", self.aspect[0], 0 < self.aspect[0] <= self.aspect[1], "two ratios, the smaller first"),
            ("gsd", 0, self.gsd is None or 0 < self.gsd[0] <= self.gsd[1], "two numbers of metres, the smaller first"),
        )
        for name, value, fits, expected in limits:
            if not fits:
                found = getattr(self, name) if name in ("area", "aspect", "gsd") else value
                raise OptionError(f"stage {self.name}, {name}: found {found}; expected {expected}.")
        if not self.data:
            raise OptionError(f"stage {self.name}: found no data; expected at least one source.")


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
                raise OptionError(f"machine.{name}: found {getattr(self, name)}; expected 1 or more.")
        if self.workers < 0:
            raise OptionError(f"machine.workers: found {self.workers}; expected 0 or more.")


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
            raise OptionError(f"recipe {self.name}: found no stage; expected at least one.")
        if not 0 <= self.held_back < 1:
            raise OptionError(f"held_back: found {self.held_back}; expected a share from 0 to below 1.")
        if self.ema is not None and not 0 < self.ema < 1:
            raise OptionError(f"ema: found {self.ema}; expected a decay between 0 and 1, or none.")
        for stage in self.stages:
            if stage.image % self.model.patch:
                raise OptionError(
                    f"stage {stage.name}, image: found {stage.image}; expected a multiple of the patch, "
                    f"{self.model.patch} pixels."
                )
