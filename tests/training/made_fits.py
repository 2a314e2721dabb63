"""Shards of a dozen small labelled images, and recipes of seconds that fit a head to them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spectralgpt.bands import sensor
from spectralgpt.data import Augmentation
from spectralgpt.data.layout import Layout
from spectralgpt.data.manifest import Manifest
from spectralgpt.data.statistics import totals
from spectralgpt.data.stored_targets import StoredTarget, stored_labels, stored_mask_of
from spectralgpt.data.table import Chip
from spectralgpt.data.writing import ShardsWriter
from spectralgpt.nn import Size
from spectralgpt.tasks import Class, Objective, TargetKind
from spectralgpt.tasks.change import DetectingChange
from spectralgpt.tasks.classification import Classifying
from spectralgpt.tasks.segmentation import Segmenting
from spectralgpt.training import Machine, Mixture, ModelChoice, Recipe, Schedule, Stage

SIDE = 32
BLOCK = 16
"""Pixels of the side of a patch of one class in a mask: two patches of the model."""
NAMES: dict[str, Sequence[str]] = {
    "class": ("water", "forest", "field", "town"),
    "classes": ("water", "forest", "field"),
    "mask": ("water", "forest", "field"),
    "change": ("same", "changed"),
}
OBJECTIVES: dict[str, type[Objective]] = {
    "class": Classifying,
    "classes": Classifying,
    "mask": Segmenting,
    "change": DetectingChange,
}
COUNTS = {"train": 8, "val": 8}


def labelled_shards(
    folder: Path,
    target: TargetKind,
    *,
    counts: dict[str, int] = COUNTS,
    seed: int = 0,
    shuffled: bool = False,
    ignored: int | None = None,
    names: Sequence[str] = (),
) -> Path:
    """Images in which each class is brighter in other bands, with noise; in every second one some pixels are not valid.

    counts: samples per part. shuffled: the labels of the part to train on are drawn anew. ignored: the number of rows
    of each mask without labels, unequal from image to image.
    """
    names = names or NAMES[target]
    numbers, shuffling = np.random.default_rng(seed), np.random.default_rng(99)
    bands = sensor("s2-l2a").bands
    classes, dates = len(names), 2 if target == "change" else 1
    layout = Layout(bands, "uint16", dates, SIDE, target, classes)
    with ShardsWriter(folder, 10**6) as writer:
        made = Manifest(target=target, classes=tuple(Class(each) for each in names))
        writer.update(made)
        index = 0
        for part, count in counts.items():
            for sample in range(count):
                truth = _truth(target, sample, classes, numbers)
                values = _values(target, truth, dates, len(bands), numbers)
                given = truth
                if shuffled and part == "train":
                    given = _truth(target, int(shuffling.integers(100)), classes, shuffling)
                writer.add(layout, _chip(layout, values, given, part, index, ignored))
                index += 1
    return folder


def _truth(target: str, sample: int, classes: int, numbers: np.random.Generator) -> Any:
    if target == "class":
        return sample % classes
    if target == "classes":
        return [number for number in range(classes) if (sample + 1) >> number & 1]
    blocks = numbers.integers(0, classes, (SIDE // BLOCK, SIDE // BLOCK))
    blocks[sample % 2, 0] = sample % classes
    return np.kron(blocks, np.ones((BLOCK, BLOCK), int)).astype(np.int16)


def _values(target: str, truth: Any, dates: int, bands: int, numbers: np.random.Generator) -> np.ndarray:
    values = 1200 + numbers.normal(0, 100, (dates, bands, SIDE, SIDE))
    if target in ("class", "classes"):
        # every third band, so one of each group; the fourth class is dark in all
        for each in [truth] if target == "class" else truth:
            if each < 3:
                values[:, each::3] += 2000
    elif target == "mask":
        for each in range(3):
            values[:, each::3] += np.where(truth == each, 2000, 0)
    else:
        values[1] += np.where(truth == 1, 2000, 0)
    return values


def _chip(layout: Layout, values: np.ndarray, truth: Any, part: str, index: int, ignored: int | None) -> Chip:
    bands = len(layout.bands)
    stored, valid = values.astype(layout.dtype), None
    if index % 2:
        valid = np.ones(layout.shape, bool)
        valid[..., : 4 + index % 5, :3] = False
        stored[~valid] = 0
    scale, offset = np.full(bands, 1e-4), np.zeros(bands)
    if layout.target in ("mask", "change"):
        given = truth.copy()
        given[: (index % 4) * (ignored or 0)] = -1
        label: int | bytes = stored_mask_of(given, layout)
    else:
        label = stored_labels([truth] if layout.target == "class" else truth, layout)
    return Chip(
        values=stored,
        valid=valid,
        scale=scale,
        offset=offset,
        extent=(SIDE, SIDE),
        gsd=10.0,
        days=np.arange(layout.dates, dtype=np.int32) * 365 + 18000,
        lon=10.0,
        lat=50.0,
        place=index,
        image=f"image {index}",
        source=f"images/{index}.tif",
        row=0,
        column=0,
        chips=1,
        totals=tuple(totals(stored, valid, scale, offset, layout.bands)),
        labels=StoredTarget(label, part, f"image {index}", f"place {index}"),
    )


def objective(target: TargetKind, **settings: Any) -> Any:
    """The objective of labels of this kind, with a head of few channels."""
    if target in ("mask", "change"):
        settings = {"channels": 32} | settings
    if target == "classes":
        settings = {"several": True} | settings
    return OBJECTIVES[target](**settings)


def fit_recipe(target: TargetKind, *, steps: int = 40, batch: int = 4, **changes: Any) -> Recipe:
    """One stage of some seconds. changes: of objective, schedule, machine and recipe, each by its name."""
    parts: dict[str, dict[str, Any]] = {name: {} for name in ("task", "schedule", "machine", "model", "recipe")}
    for name, each in changes.items():
        part, _, field = name.partition("__")
        parts[part][field] = each
    stage = Stage(
        name="fit",
        task=objective(target, **{"judge_every": 10.0} | parts["task"]),
        augmentation=Augmentation(image=SIDE, area=(0.8, 1.0)),
        schedule=Schedule(steps=steps, **{"lr": 3e-3, "clip": 1.0, "betas": (0.9, 0.999)} | parts["schedule"]),
        data=Mixture(batch=batch, dates=2 if target == "change" else 1),
    )
    machine = {"micro": 4, "workers": 0, "precision": "fp32", "log_every": 5, "save_every": 1000}
    machine |= {"picture_every": 10**6, "tensorboard": False} | parts["machine"]
    return Recipe(
        name="fitting",
        model=ModelChoice(**{"shape": Size(32, 2, 2, 32, 1, 2), "place_nodes": None} | parts["model"]),
        stages=(stage,),
        **{"seed": 3, "machine": Machine(**machine)} | parts["recipe"],
    )
