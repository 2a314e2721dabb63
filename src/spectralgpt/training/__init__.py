"""Training: the one loop, its optimizer and schedule; runs with their recipes, states and logs."""

from spectralgpt.training.checkpoints import checkpoints
from spectralgpt.training.distribution import Distribution, distributed
from spectralgpt.training.logs import read_log
from spectralgpt.training.loop import Done, Work, train_steps
from spectralgpt.training.meter import DivergedError, Meter
from spectralgpt.training.optimizer import make_optimizer, parameter_groups
from spectralgpt.training.recipe import DataChoice, Machine, Mixture, ModelChoice, Recipe, Stage
from spectralgpt.training.run import RunResult
from spectralgpt.training.run_folder import run_recipe
from spectralgpt.training.schedule import Schedule, cosine
from spectralgpt.training.stages import run_training

__all__ = [
    "DataChoice",
    "Distribution",
    "DivergedError",
    "Done",
    "Machine",
    "Meter",
    "Mixture",
    "ModelChoice",
    "Recipe",
    "RunResult",
    "Schedule",
    "Stage",
    "Work",
    "checkpoints",
    "cosine",
    "distributed",
    "make_optimizer",
    "parameter_groups",
    "read_log",
    "run_recipe",
    "run_training",
    "train_steps",
]
