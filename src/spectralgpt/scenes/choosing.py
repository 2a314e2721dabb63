"""Overlap and batch where they are not given: as suits the scene and the machine."""

import os
from itertools import takewhile

import torch

from spectralgpt.cores import memory_limit
from spectralgpt.raster import Readable
from spectralgpt.scenes.plan import plan_scene
from spectralgpt.scenes.windows import scene_alignment
from spectralgpt.weights import PretrainedModel

LEAST_OVERLAP = 0.25

WINDOWS_ON_CPU, WINDOWS_ON_GPU = 8, 64
"""Windows computed together at most: on a CPU, more take memory and save no time."""

BYTES_PER_FEATURE = 120
"""About the memory that a token takes per feature of the encoder while a batch is computed: 30 numbers of 4 bytes."""

MEMORY_SHARE = 0.25
"""Share of the memory that a batch may take."""


def suited(
    image: Readable, model: PretrainedModel, *, own: bool, overlap: float | int | None, batch: int | None
) -> tuple[float, int]:
    """Overlap and batch for a scene, each as given where it is not None.

    The overlap is the largest that takes no more windows than a quarter does, so neighbours agree as well as possible
    at that cost. A row of windows is divided into groups of even size, as large as pays on the model's device and
    fits a quarter of its memory. So a machine chooses the same for a scene every time. Raises BandError and OptionError
    like `windows_plan`.
    """
    groups = len(scene_alignment(image, model, own).bandset.groups)
    dates, side, patch = image.shape[0], model.config.window(groups, image.shape[0]), model.config.patch
    height, width = image.grid.shape
    if overlap is None:
        overlap = largest_overlap(height, width, patch, side)
    if batch is None:
        plan = plan_scene(height, width, patch=patch, side=side, overlap=overlap, batch=1)
        tokens = groups * dates * (side // patch) ** 2
        batch = even_batch(len(plan.columns), _most(tokens * model.config.size.dim, model.device))
    return float(overlap), batch


def largest_overlap(height: int, width: int, patch: int, side: int) -> float:
    """The largest overlap, in whole patches, that takes no more windows than a quarter; a quarter for one window."""

    def count(overlap: float) -> int:
        return plan_scene(height, width, patch=patch, side=side, overlap=overlap, batch=1).count

    least, places = count(LEAST_OVERLAP), side // patch
    if least == 1:
        return LEAST_OVERLAP
    shared = (patches / places for patches in range(places) if patches / places > LEAST_OVERLAP)
    return max(takewhile(lambda overlap: count(overlap) == least, shared), default=LEAST_OVERLAP)


def even_batch(windows: int, most: int) -> int:
    """The windows of a row in the fewest groups of at most `most`, of even size."""
    groups = -(-windows // most)
    return -(-windows // groups)


def _most(features: int, device: torch.device) -> int:
    """Windows of so many features (tokens x width) that are computed together at most."""
    memory = _memory(device)
    most = WINDOWS_ON_CPU if device.type == "cpu" else WINDOWS_ON_GPU
    if memory is None:
        return most
    return max(1, min(most, int(MEMORY_SHARE * memory / (features * BYTES_PER_FEATURE))))


def _memory(device: torch.device) -> int | None:
    """Bytes; None where the system does not say. Of a CPU all that this process may use, however much is taken now:
    what else runs must not decide how a scene is computed."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", ()):
        return memory_limit()
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = memory_limit()
    return whole if limit is None else min(whole, limit)
