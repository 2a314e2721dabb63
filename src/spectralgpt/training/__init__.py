"""Training: the one loop, its objectives, optimizer and schedule."""

from spectralgpt.training.loop import Objective, train
from spectralgpt.training.optimizer import make_optimizer, parameter_groups
from spectralgpt.training.pretraining import Pretraining, random_crops
from spectralgpt.training.schedule import cosine

__all__ = ["Objective", "Pretraining", "cosine", "make_optimizer", "parameter_groups", "random_crops", "train"]
