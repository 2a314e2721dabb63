"""The images that a run trains on, hashed once at its start: the weights' provenance names them."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from spectralgpt.cores import available_cores
from spectralgpt.data import Shards
from spectralgpt.disk import atomic_write
from spectralgpt.free_space import refusals
from spectralgpt.interruption import Interruption
from spectralgpt.progress import Progress
from spectralgpt.training.distribution import Distribution
from spectralgpt.training.ending import ended_together
from spectralgpt.training.recipe import Stage
from spectralgpt.training.stage_data import StageData, data_fingerprint
from spectralgpt.weights.trained_images import TrainedImages

IMAGES_FILE = "images.json"
"""The file in a run's folder: a run that is resumed does not read all samples again."""

HASHED = 64
"""Samples that a thread hashes at a time."""

Rows = Int64[np.ndarray, "..."]


def trained_images(
    stages: Sequence[Stage],
    data: Sequence[StageData],
    out: Path,
    distribution: Distribution,
    interruption: Interruption,
    progress: Progress,
) -> TrainedImages:
    """The images that the stages train on or choose their state by, from the run's folder or, at its first start, from
    the shards.

    Held-back samples that nothing is chosen by are not among them. By all processes together, each of which hashes its
    share; the main process, which saves the weights, returns all. progress: stage "hashing images", in samples of this
    process. An interrupt raises KeyboardInterrupt, in all processes; the next start begins again. DataError for a
    damaged shard; TargetError when the disk refuses.
    """
    shards = data_fingerprint(data)
    stored = _stored(out / IMAGES_FILE, shards) if distribution.is_main else None
    if not distribution.any(distribution.is_main and stored is None):
        return stored or TrainedImages()
    found = _hashed(_parts(stages, data, distribution), interruption, progress)
    if distribution.any(interruption.asked):
        raise KeyboardInterrupt
    hashes = frozenset().union(*distribution.gathered(found))
    sides = {
        source.shards.layouts[layout].side for stage in data for source in stage.sources for layout in source.layouts
    }
    images = TrainedImages(hashes, frozenset(sides))
    with ended_together(distribution, out):
        if distribution.is_main:
            _store(out / IMAGES_FILE, shards, images)
    return images


def _parts(
    stages: Sequence[Stage], data: Sequence[StageData], distribution: Distribution
) -> list[tuple[Shards, int, Rows]]:
    """The samples of all stages that this process hashes, each once: shards, layout, and at most HASHED rows."""
    trained: dict[tuple[Path, int], tuple[Shards, list[Rows]]] = {}
    for stage, each in zip(stages, data, strict=True):
        used = [
            (source.shards, layout, rows)
            for source in each.sources
            for layout, rows in zip(source.layouts, source.rows, strict=True)
        ]
        if stage.task.chooses:
            used += [(each.sources[number].shards, layout, rows) for number, layout, rows in each.held]
        for shards, layout, rows in used:
            trained.setdefault((shards.folder, layout), (shards, []))[1].append(rows)
    parts = []
    for (_, layout), (shards, several) in trained.items():
        rows = np.unique(np.concatenate(several))
        parts += [(shards, layout, rows[start : start + HASHED]) for start in range(0, len(rows), HASHED)]
    return parts[distribution.rank :: distribution.ranks]


def _hashed(
    parts: Sequence[tuple[Shards, int, Rows]], interruption: Interruption, progress: Progress
) -> frozenset[str]:
    """The hashes of the parts; some of them if interrupted. In threads, as hashing lets others run."""
    found: set[str] = set()
    done, total = 0, sum(len(rows) for _, _, rows in parts)
    with ThreadPoolExecutor(min(8, available_cores())) as pool:
        for hashes, (_, _, rows) in zip(pool.map(_part, parts), parts, strict=True):
            found.update(hashes)
            done += len(rows)
            progress("hashing images", done, total)
            if interruption.asked:
                pool.shutdown(cancel_futures=True)
                break
    return frozenset(found)


def _part(part: tuple[Shards, int, Rows]) -> list[str]:
    shards, layout, rows = part
    return shards.hashes(layout, rows)


def _stored(path: Path, shards: str) -> TrainedImages | None:
    """What an earlier start stored; None without it, or where it is damaged or of other shards."""
    try:
        content = json.loads(path.read_bytes())
        return TrainedImages.of(content) if content["shards"] == shards else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _store(path: Path, shards: str, images: TrainedImages) -> None:
    text = json.dumps({"shards": shards, **images.entries()}, indent=1) + "\n"
    with refusals(path, needed=len(text)), atomic_write(path) as file:
        file.write(text.encode())
