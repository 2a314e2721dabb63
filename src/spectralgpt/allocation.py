"""Memory that is freed and soon taken again stays with the process."""

import ctypes
import os
import sys
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""

ARENAS = 2
"""Heaps of the process: each thread would have its own, and what one has freed is of no use to another."""

KEPT_BYTES = 2**30
"""Freed memory at the end of the heap that is not given back."""

LARGEST_KEPT_BLOCK = 2**25
"""Bytes of a block up to which it is taken from the heap; glibc refuses more."""


@cache
def keep_freed_memory() -> bool:
    """Ask glibc, for the rest of the process, not to give freed memory back at once; whether it was asked.

    Each window of a scene takes and frees hundreds of megabytes. By default, glibc returns them each time, and the
    system hands them out again page by page, filled with zeros: 40 % of the time of `reconstruct` on 2 cores
    (`benchmarks/scene_speed.py`). Whoever has set glibc's own variables is left alone, and so is any other system.
    """
    chosen = "GLIBC_TUNABLES" in os.environ or any(name.startswith("MALLOC_") for name in os.environ)
    if sys.platform != "linux" or chosen:
        return False
    wanted = ((M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, LARGEST_KEPT_BLOCK), (M_TRIM_THRESHOLD, KEPT_BYTES))
    return all(_called("mallopt", *each) for each in wanted)


def give_freed_memory_back() -> None:
    """Once in a while, as the gaps between what is used would grow for as long as a scene takes."""
    if sys.platform == "linux":
        _called("malloc_trim", 0)


def _called(name: str, *numbers: int) -> bool:
    """Whether the C library has this function, and it did what it was asked to."""
    function = getattr(ctypes.CDLL(None), name, None)
    return function is not None and bool(function(*numbers))
