"""Training: the one loop, its objectives, optimizer and schedule; runs, their recipes, states and logs."""

from spectralgpt.training.checkpoints import checkpoints
from spectralgpt.training.distribution import Distribution, bare, distributed
from spectralgpt.training.local_start import start_local
from spectralgpt.training.logs import read_log
from spectralgpt.training.loop import Done, Work, train_steps
from spectralgpt.training.meter import DivergedError, Meter
from spectralgpt.training.objective import Objective, Prepared
from spectralgpt.training.optimizer import make_optimizer, parameter_groups
from spectralgpt.training.pretraining import Batch, Pretraining
from spectralgpt.training.recipe import DataChoice, Machine, ModelChoice, Recipe, Stage
from spectralgpt.training.run import RunResult, pretrain
from spectralgpt.training.run_folder import run_recipe
from spectralgpt.training.schedule import cosine
from spectralgpt.training.settings import changed, from_plain, to_plain
from spectralgpt.training.single_image import random_crops, train, train_on_image

__all__ = [
    "Batch",
    "DataChoice",
    "Distribution",
    "DivergedError",
    "Done",
    "Machine",
    "Meter",
    "ModelChoice",
    "Objective",
    "Prepared",
    "Pretraining",
    "Recipe",
    "RunResult",
    "Stage",
    "Work",
    "bare",
    "changed",
    "checkpoints",
    "cosine",
    "distributed",
    "from_plain",
    "make_optimizer",
    "parameter_groups",
    "pretrain",
    "random_crops",
    "read_log",
    "run_recipe",
    "start_local",
    "to_plain",
    "train",
    "train_on_image",
    "train_steps",
]
