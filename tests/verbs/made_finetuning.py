"""Fine-tuning in seconds: what the tests of the verb share."""

from pathlib import Path

import numpy as np
from made_rasters import NAMES, write

from made_labelled import at, picture, table

SHORT = ("--set", "stages.0.epochs=2", "--bands", "s2-l1c")
OFTEN = ["stages.0.epochs=3", "stages.0.batch=4", "machine.save_every=2", "machine.log_every=1", "machine.micro=4"]


def several_labels(folder: Path, count: int = 10) -> Path:
    """A table of images with water, forest or both."""
    rows = []
    for index in range(count):
        kind = index % 3
        picture(folder / f"{index}.tif", kind, index, transform=at(5.0 * index))
        rows.append({"image": f"{index}.tif", "labels": ("water", "forest", "water;forest")[kind]})
    return table(folder / "labels.csv", rows)


def water_masks(folder: Path, count: int = 10, side: int = 24) -> Path:
    """images/N.tif, dark on the left in the infrared, and masks/N.tif: 1 there, 0 elsewhere."""
    for index in range(count):
        rng = np.random.default_rng(index)
        values = rng.integers(1500, 2500, (13, side, side)).astype("uint16")
        wet = np.broadcast_to(np.arange(side) < 8 * (1 + index % 2), (side, side))
        values[7:, wet] //= 8
        for name, stored in (("images", values), ("masks", wet[None].astype("uint8"))):
            (folder / name).mkdir(parents=True, exist_ok=True)
            write(
                folder / name / f"{index}.tif",
                stored,
                names=NAMES if name == "images" else None,
                transform=at(5.0 * index),
            )
    return folder


def same_weights(one: Path, other: Path) -> bool:
    """Whether two folders hold the same tensors, byte by byte."""
    return (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
