"""Whether the disk holds a scene's result and what lies beside it while it is made: asked before the first window."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from spectralgpt.free_space import free_space, in_bytes, require_space
from spectralgpt.progress import Announce
from spectralgpt.raster import Profile
from spectralgpt.scenes.maker import Maker
from spectralgpt.scenes.plan import Plan

WITH_OVERVIEWS = 4 / 3
"""Size of a raster with its overviews, over that of the raster alone."""

KEPT_ROWS = "Finished block rows are kept, and the same command goes on from there"


def check_scene_space(
    plan: Plan, maker: Maker[Any, Any], target: Path, beside: Iterable[Profile], done: int, announce: Announce
) -> None:
    """TargetError where the disk does not hold the block rows that are to be stored and the rasters beside TARGET, for
    which there is no smaller size. Where it may not hold the result itself, that is announced: its size depends on how
    well it compresses.

    beside: of the rasters beside TARGET. done: block rows that are stored already.
    """
    height, width = plan.output_shape
    row = maker.bands * width * maker.dtype.itemsize
    left = sum(end - start for start, end in plan.block_rows[done:]) * row
    others = sum(one.count * height * width * np.dtype(one.dtype).itemsize for one in beside)
    result = int((row * height + others) * WITH_OVERVIEWS)
    certain, most = left + others, left + 2 * result
    what = f"the block rows of {target.name}, while the result is at most {in_bytes(result)}"
    require_space(target.parent, certain, what, "choose a target on another disk")
    free = free_space(target.parent)
    if free is not None and free < most:
        announce(
            f"{target}: {in_bytes(free)} are free; up to {in_bytes(most)} are needed while the result of at most "
            f"{in_bytes(result)} is made. If the disk is full before, finished block rows are kept."
        )
