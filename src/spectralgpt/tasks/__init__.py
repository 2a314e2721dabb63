"""Tasks: one file each, with a value that holds everything that the other rooms need to know about the task."""

import importlib
import pkgutil

from spectralgpt.tasks.change import ChangeConfig, ChangeDetection, Combine
from spectralgpt.tasks.classification import Classification
from spectralgpt.tasks.embedding import Embedding, Embeddings
from spectralgpt.tasks.pretraining import Pretraining
from spectralgpt.tasks.segmentation import Segmentation
from spectralgpt.tasks.task import Answers, Batch, Class, HeadConfig, Objective, Prepared, Task

__all__ = [
    "Answers",
    "Batch",
    "ChangeConfig",
    "ChangeDetection",
    "Class",
    "Classification",
    "Combine",
    "Embedding",
    "Embeddings",
    "HeadConfig",
    "Objective",
    "Prepared",
    "Pretraining",
    "Segmentation",
    "Task",
    "find",
    "names",
]


def names() -> list[str]:
    """The tasks: all modules here except the one that defines what a task is."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != "task")


def find(name: str) -> Task:
    """The task of this name. OptionError, with the nearest name, for any other."""
    from spectralgpt.errors import OptionError, did_you_mean

    known = names()
    if name not in known:
        raise OptionError(f"unknown task {name!r}", f"one of: {', '.join(known)}", did_you_mean(name, known, 0.6))
    task: Task = importlib.import_module(f"spectralgpt.tasks.{name}").TASK
    return task
