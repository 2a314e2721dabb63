"""How fast shuffled batches are assembled from a million samples, against NumPy copying the same bytes from a memmap.

The million is simulated: a folder of some hundred real samples (12 bands of 128 px as uint16, sharded from a made
scene), with a manifest that names the same shards repeatedly. All pages are in memory, for both sides, so disk speed
plays no part. Runs are interleaved in one process and take the same samples in the same order. Opening, and its memory,
is measured in a process of its own. Augmentation: crops of 96 px on one core (and on a GPU, with --device cuda). From
these follows how many cores a GPU needs.

    python benchmarks/loader.py --repeats 7
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import rasterio
import torch
from measuring import about, given, interleaved, options, write
from memory import status
from reading import GSDS, made

from spectralgpt.bands import BandSet
from spectralgpt.data.augmentation import Augmentation, augmented, drawn_crops
from spectralgpt.data.loader import Loader, MixtureEntry
from spectralgpt.data.manifest import read_manifest, write_manifest
from spectralgpt.data.shards import Shards, open_shards
from spectralgpt.nn import BandStatistics, Normalization
from spectralgpt.verbs.shard import shard

MILLION, CHIP, IMAGE, GPU = 1_000_000, 128, 96, 5000
"""Samples; pixels of a sample and of a crop; images per second that one GPU needs (Base at 96 px)."""
WORKERS = (0, 1, 2)
FIELDS = ("VmRSS", "RssAnon", "RssFile")
"""Memory of a process: all of it, its own, and pages of files, which all processes share."""


def sharded(folder: Path, side: int, samples: int) -> tuple[Shards, int]:
    """Shards of a scene of side x side pixels, listed repeatedly to reach `samples`; and the number of real samples."""
    scene = made(folder / "scene.tif", list(GSDS), side, 10)
    shard(scene, out=folder / "shards", chip=CHIP, bands="s2-l2a", workers=1)
    scene.unlink()
    manifest = read_manifest(folder / "shards")
    real = sum(entry.count for entry in manifest.shards)
    write_manifest(folder / "shards", replace(manifest, shards=manifest.shards * -(-samples // real)))
    return open_shards(folder / "shards"), real


def loader(shards: Shards, batch: int, workers: int = 0) -> Loader:
    source = MixtureEntry(shards, None, (0,), (np.arange(shards.counts[0]),))
    return Loader([source], batch=batch, micro=2 * batch, seed=0, dates=None, workers=workers)


# -- assembling --------------------------------------------------------------------------------------------------------


def assembling(
    folder: Path, shards: Shards, real: int, batch: int, count: int, repeats: int
) -> dict[str, dict[str, float]]:
    """One row per way to get `count` batches; each time the next batches, the same for all ways."""
    order = loader(shards, batch).order
    starts = [count * repeat for repeat in range(repeats + 1)]
    # known beforehand, so that NumPy does nothing but copy
    wanted = {start: [order.batch(start + number).positions % real for number in range(count)] for start in starts}
    stored = shards.read(0, np.arange(real)).values.numpy()
    stored.tofile(folder / "values")
    mapped = np.memmap(folder / "values", np.uint16, "r", shape=stored.shape)
    reused = np.empty((2 * batch, *stored.shape[1:]), np.uint16)

    def numpy(start: int) -> None:
        # a batch is held until the next one exists, as with ours
        for _ in map(mapped.__getitem__, wanted[start]):
            pass

    def numpy_again(start: int) -> None:
        for rows in wanted[start]:
            np.take(mapped, rows, axis=0, out=reused[: len(rows)], mode="clip")

    def memcpy(start: int) -> None:
        for first in range(0, count * batch, batch):
            np.copyto(reused[:batch], stored[first % (real - batch + 1) :][:batch])

    def ours(workers: int) -> Callable[[int], None]:
        own = loader(shards, batch, workers)

        def run(start: int) -> None:
            steps = own.steps(start)
            for _ in islice(steps, count):
                pass
            steps.close()

        return run

    for step in islice(loader(shards, batch).steps(starts[-1]), 2):
        if not np.array_equal(step.micro[0].values, mapped[wanted[starts[-1]][step.number - starts[-1]]]):
            raise AssertionError(f"batch {step.number} is not what lies in the memmap")
    ways = {"numpy": numpy, "numpy, into the same memory": numpy_again, "memcpy": memcpy}
    ways |= {f"ours, {workers} workers": ours(workers) for workers in WORKERS}
    seconds = interleaved({name: each_time(way, starts) for name, way in ways.items()}, repeats, "cpu")
    size = count * batch * stored[0].nbytes
    rows = {}
    for name, each in seconds.items():
        median = statistics.median(each)
        ratios = [theirs / own for theirs, own in zip(seconds["numpy"], each, strict=True)]
        rows[name] = {
            "samples_per_s": count * batch / median,
            "gigabytes_per_s": size / median / 1e9,
            "ratio_to_numpy": statistics.median(seconds["numpy"]) / median,
            "lowest_ratio": min(ratios),
            "highest_ratio": max(ratios),
            "share_of_memcpy": statistics.median(seconds["memcpy"]) / median,
        }
    return rows


def each_time(way: Callable[[int], None], starts: list[int]) -> Callable[[], None]:
    """The way, each time from the next of the starts."""
    coming = iter(starts)
    return lambda: way(next(coming))


# -- opening -----------------------------------------------------------------------------------------------------------


def opening(folder: Path, batch: int) -> dict[str, float]:
    """Seconds and bytes, in this process, from before the folder is opened to after its batches are read."""
    torch.empty(1).sum()
    before = {field: status(field) for field in FIELDS}
    start = time.perf_counter()
    shards = open_shards(folder)
    order = loader(shards, batch).order
    order.batch(0)
    opened = time.perf_counter()
    held_back = shards.places(0) % np.uint64(20) == 0
    split = time.perf_counter()
    source = MixtureEntry(shards, None, (0,), (np.flatnonzero(~held_back),))
    steps = Loader([source], batch=batch, micro=2 * batch, seed=0, dates=None, workers=max(WORKERS)).steps()
    next(steps)
    first = time.perf_counter()
    result: dict[str, float] = {"opening_s": opened - start, "places_s": split - opened, "first_batch_s": first - split}
    result |= {f"{field}_opened": status(field) - before[field] for field in FIELDS}
    for _ in islice(steps, 40):
        pass
    return result | {f"{field}_after_41_batches": status(field) - before[field] for field in FIELDS}


# -- augmentation ------------------------------------------------------------------------------------------------------


def augmenting(shards: Shards, batch: int, device: str, repeats: int) -> dict[str, dict[str, float]]:
    """Images per second on one core and on a GPU; and those for which one core can draw a GPU's random numbers."""
    samples = next(loader(shards, batch).steps()).micro[0]
    statistics_ = tuple(
        BandStatistics(each.band, each.asinh_mean, each.asinh_sd) for each in shards.manifest.statistics
    )
    bands, normalization = BandSet.native(samples.bands), Normalization("standard", statistics_)
    augmentation = Augmentation(IMAGE)

    def cubes(target: str) -> Callable[[], object]:
        return lambda: augmented(samples, augmentation, bands, normalization, trained_side=IMAGE, device=target)

    ways = {
        "augmentation, one core": cubes("cpu"),
        "its random numbers, one core": lambda: drawn_crops(samples, augmentation),
    }
    seconds = interleaved(ways, repeats, "cpu")
    if device != "cpu":
        seconds |= interleaved({"augmentation, GPU": cubes(device)}, repeats, device)
    return {name: {"samples_per_s": len(samples) / statistics.median(each)} for name, each in seconds.items()}


def main() -> None:
    parser = options(__doc__, repeats=15)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--count", type=int, default=32, help="batches per run")
    parser.add_argument("--opening", metavar="SHARDS", type=Path, help="measure opening in this process, and print it")
    parser.set_defaults(threads=1)
    found = given(parser)
    if found.opening:
        print(json.dumps(opening(found.opening, found.batch)))
        return
    side, samples = (3072, MILLION) if not found.quick else (1024, 1000)
    if found.quick:
        found.batch, found.count = 16, 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        shards, real = sharded(folder, side, samples)
        rows = assembling(folder, shards, real, found.batch, found.count, found.repeats)
        command = [sys.executable, __file__, "--opening", str(shards.folder), "--batch", str(found.batch)]
        opened = [json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout) for _ in range(3)]
        crops = augmenting(shards, found.batch, found.device, found.repeats)
    loading = rows["ours, 0 workers"]["samples_per_s"]
    on_gpu, on_cpu = GPU / loading, GPU / loading + GPU / crops["augmentation, one core"]["samples_per_s"]
    what = (
        f"batches of {found.batch} of {sum(shards.counts)} samples ({real} real ones) of 12 x {CHIP} x {CHIP} uint16, "
    )
    result: dict[str, Any] = {
        "what": what + f"pages in memory; crops of {IMAGE} px",
        **about(found),
        "rows": rows,
        "augmentation": crops,
        "opening": {name: statistics.median(each[name] for each in opened) for name in opened[0]},
        f"cores_for_a_gpu_of_{GPU}_images_per_s": {"augmentation on the GPU": on_gpu, "augmentation on cores": on_cpu},
    }
    result["versions"] |= {"numpy": np.__version__, "pyarrow": pyarrow.__version__, "rasterio": rasterio.__version__}
    bars = {"samples assembled a second": {name: row["ratio_to_numpy"] for name, row in rows.items()}}
    write("loader", result, bars, "numpy = 1", found.out)


if __name__ == "__main__":
    main()
