"""Folders of images for tests of sharding, and the contents of a shards folder in plain words."""

import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
from made_rasters import NAMES, land, write

from spectralgpt.data.sharding import shard
from spectralgpt.data.shards import open_shards


def scene(path: Path, rows: int, columns: int, seed: int = 0, **how) -> Path:
    """A Level-1C image with named bands."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, land(rows, columns, seed), names=NAMES, **how)


def bands_of(folder: Path, names: tuple[str, ...] = ("B02", "B03", "B04", "B08"), seed: int = 0) -> Path:
    """A folder of single-band files."""
    folder.mkdir(parents=True)
    for name, values in zip(names, land(48, 48, seed, len(names)), strict=True):
        write(folder / f"{folder.name}_{name}.tif", values[None])
    return folder


def contents(folder: Path) -> Counter:
    """Every sample of a shards folder: where it is from, and the sum of its values."""
    shards = open_shards(folder)
    found: Counter = Counter()
    for layout, count in enumerate(shards.counts):
        samples = shards.read(layout, np.arange(count))
        sums = samples.values.numpy().astype(np.float64).sum(axis=(1, 2, 3, 4))
        found.update(zip(shards.sources(layout, np.arange(count)), sums.tolist(), strict=True))
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def killed_run(how: str, at: float, arguments: tuple, options: dict) -> None:
    """Shard, and kill this process: `at` seconds `after` the start, or `before` or `behind` rename number `at`."""

    def kill() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def later() -> None:
        time.sleep(at)
        kill()

    calls, replace = iter(range(1, 1000)), os.replace

    def replaced(*names: os.PathLike[str]) -> None:
        last = next(calls) == at
        if last and how == "before":
            kill()
        replace(*names)
        if last:
            kill()

    if how == "after":
        threading.Thread(target=later).start()
    else:
        os.replace = replaced
    shard(*arguments, **options)
    kill()
