"""Training: the one loop, its objectives, optimizer and schedule."""

from spectralgpt.training.local_start import start_local
from spectralgpt.training.loop import Objective, train
from spectralgpt.training.optimizer import make_optimizer, parameter_groups
from spectralgpt.training.pretraining import Pretraining, random_crops
from spectralgpt.training.schedule import cosine
from spectralgpt.training.single_image import train_on_image

__all__ = [
    "Objective",
    "Pretraining",
    "cosine",
    "make_optimizer",
    "parameter_groups",
    "random_crops",
    "start_local",
    "train",
    "train_on_image",
]
