"""Tasks: one file each, with a value that holds everything that the other rooms need to know about the task."""

from spectralgpt.tasks.change import ChangeConfig, ChangeDetection, Combine, LightChange
from spectralgpt.tasks.classification import Classification
from spectralgpt.tasks.embedding import Embedding, Embeddings
from spectralgpt.tasks.pretraining import Pretraining
from spectralgpt.tasks.segmentation import ClassMap, Segmentation
from spectralgpt.tasks.task import (
    Answers,
    Batch,
    Class,
    HeadConfig,
    Objective,
    Prepared,
    TargetKind,
    Task,
    find,
    names,
    scores_of,
    task_of,
)

__all__ = [
    "Answers",
    "Batch",
    "ChangeConfig",
    "ChangeDetection",
    "Class",
    "ClassMap",
    "Classification",
    "Combine",
    "Embedding",
    "Embeddings",
    "HeadConfig",
    "LightChange",
    "Objective",
    "Prepared",
    "Pretraining",
    "Segmentation",
    "TargetKind",
    "Task",
    "find",
    "names",
    "scores_of",
    "task_of",
]
