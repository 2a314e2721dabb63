"""Shards of a few dozen small samples, a recipe of seconds, and what is left of a run."""

import json
import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

from spectralgpt.bands import sensor
from spectralgpt.data import Augmentation
from spectralgpt.data.layout import Layout
from spectralgpt.data.manifest import Manifest
from spectralgpt.data.statistics import totals
from spectralgpt.data.table import Chip
from spectralgpt.data.writing import ShardsWriter
from spectralgpt.nn import Size
from spectralgpt.tasks import Pretraining
from spectralgpt.training import Machine, Mixture, ModelChoice, Recipe, Schedule, Stage, checkpoints, read_log

SIDE = 28
COUNTS = (16, 8, 1)
"""Samples by layout: of one date with holes and without times, of two dates, and a single one of another sensor."""
PLAIN = ("seconds", "images_per_second", "tokens_per_second", "waited", "memory", "utilization")
"""What a record tells of the machine."""


def made_shards(folder: Path, *, seed: int = 0, broken: int | None = None) -> Path:
    """The shards. broken: a sample of the first layout of which no crop is finite: its values are at the end of
    float32, which no image gives, and its scale is so small that they are not taken for missing ones."""
    numbers = np.random.default_rng(seed)
    first, second = sensor("s2-l2a").bands, sensor("landsat8-c2l2").bands
    layouts = (
        Layout(first, "float32", 1, SIDE),
        Layout(first, "uint16", 2, SIDE),
        Layout(second, "uint16", 1, SIDE),
    )
    with ShardsWriter(folder, 40_000) as writer:
        for number, (layout, count) in enumerate(zip(layouts, COUNTS, strict=True)):
            for sample in range(count):
                writer.add(layout, _chip(layout, number, sample, numbers, number == 0 and sample == broken))
        writer.update(writer.manifest if writer.manifest.layouts else Manifest())
    return folder


def _chip(layout: Layout, number: int, sample: int, numbers: np.random.Generator, broken: bool) -> Chip:
    bands = len(layout.bands)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    shape = numbers.uniform(0.05, 0.3, (layout.dates, bands, 2, 1, 1))
    waves = np.sin(rows * shape[:, :, 0] + sample) + np.cos(columns * shape[:, :, 1])
    values = (1500 + 500 * waves + numbers.normal(0, 40, layout.shape)).astype(layout.dtype)
    valid, extent = None, (SIDE, SIDE)
    if number == 0 and sample % 2:
        # half of every second sample: parts of a global batch have unequal counts
        valid = np.ones(layout.shape, bool)
        valid[..., : SIDE // 2 + sample % 5] = False
    elif number == 1 and sample % 3 == 0:
        extent = (SIDE - 5, SIDE)
        values[..., SIDE - 5 :, :] = 0
    scale, offset = np.full(bands, 1e-4), np.zeros(bands)
    seen = (values[..., : extent[0], :], None if valid is None else valid[..., : extent[0], :])
    found = tuple(totals(*seen, scale, offset, layout.bands))
    if valid is not None:
        values[~valid] = 0
    return Chip(
        values=np.full_like(values, 3.4e38) if broken else values,
        valid=valid,
        scale=scale * 1e-9 if broken else scale,
        offset=offset,
        extent=extent,
        gsd=30.0 if number == 2 else 10.0,
        days=np.full(layout.dates, -1, np.int32) if number == 0 else np.arange(layout.dates, dtype=np.int32) + 18000,
        lon=10.0,
        lat=50.0,
        # two samples a place; the single one is not held back, of each other layout some are
        place=100 * number + sample // 2,
        image=f"image {number} {sample}",
        source=f"images/{number}-{sample}.tif",
        row=0,
        column=0,
        chips=1,
        totals=found,
    )


def made_recipe(*, steps: Sequence[int] = (8, 6), batch: int = 5, held_back: float = 0.15, **machine: Any) -> Recipe:
    """Two stages, 16 and 24 pixels, the second with two dates; masks of all kinds; a few hundred milliseconds."""
    first = Stage(
        name="small",
        task=Pretraining(mask="mixed", mask_ratio=0.6),
        augmentation=Augmentation(image=16, missing_bands=0.3),
        schedule=Schedule(steps=steps[0], lr=3e-3, clip=1.0),
        data=Mixture(batch=batch),
    )
    second = first.but(name="larger", image=24, dates=2, steps=steps[1], lr=1e-3, decode_fraction=0.7)
    fitting = {"micro": 3, "workers": 0, "precision": "fp32", "log_every": 2, "save_every": 3, "picture_every": 1000}
    return Recipe(
        name="made",
        model=ModelChoice(shape=Size(32, 1, 2, 32, 1, 2), place_nodes=None),
        stages=(first, second),
        seed=3,
        held_back=held_back,
        ema=0.9,
        machine=Machine(**{**fitting, "tensorboard": False, **machine}),
    )


def state_of(run: Path, number: int = 0) -> dict[str, Any]:
    """Weights, optimizer and average of a run's newest checkpoint, or of an older one."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp_to_torch_save(checkpoints(run / "checkpoints")[number], os.path.join(folder, "state.pt"))
        state: dict[str, Any] = torch.load(os.path.join(folder, "state.pt"), weights_only=False)
        return state


def records_of(run: Path) -> list[dict[str, Any]]:
    """The log without what it tells of the machine and of checkpoints."""
    every = [record for record in read_log(run / "log.jsonl") if "saved" not in record]
    return [{name: each for name, each in record.items() if name not in PLAIN} for record in every]


def weights_of(run: Path) -> dict[str, bytes]:
    """The files that users load."""
    return {path.name: path.read_bytes() for path in (run / "weights").iterdir()}


def without_key_biases(state: dict[str, Any]) -> dict[str, Any]:
    """A state less what no loss depends on: their gradients are rounding errors, of which Adam makes whole steps."""
    return {
        part: {name: each for name, each in state[part].items() if not name.endswith("qkv.bias")}
        | {
            f"{name} {i}": each.chunk(3)[i]
            for name, each in state[part].items()
            if name.endswith("qkv.bias")
            for i in (0, 2)
        }
        for part in ("model", "average")
    }


def furthest(one: Any, other: Any) -> float:
    """The largest difference of the tensors and numbers of two states, as a share of the largest number of each."""
    if isinstance(one, dict):
        assert set(one) == set(other)
        return max((furthest(one[name], other[name]) for name in one), default=0.0)
    if isinstance(one, list | tuple):
        assert len(one) == len(other)
        return max((furthest(*pair) for pair in zip(one, other, strict=True)), default=0.0)
    if isinstance(one, torch.Tensor | float | int) and not isinstance(one, bool):
        a, b = torch.as_tensor(one).double(), torch.as_tensor(other).double()
        return float((a - b).abs().max() / b.abs().max().clamp(min=1e-12)) if a.numel() else 0.0
    assert one == other
    return 0.0


def written_recipe(path: Path, recipe: Recipe) -> Path:
    """As a config.json from which the command line starts it."""
    from spectralgpt.plain import to_plain

    path.write_text(json.dumps({"recipe": to_plain(recipe)}))
    return path
