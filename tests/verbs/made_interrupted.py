"""Runs of scenes that are interrupted at their second row of windows, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spectralgpt.scenes import partial_of
from spectralgpt.scenes.block_rows import BlockRows


@contextmanager
def interrupted() -> Iterator[None]:
    """A run is interrupted at its second row of windows."""
    take = BlockRows.take

    def stopping(self, row, *given):
        if row:
            raise KeyboardInterrupt
        take(self, row, *given)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BlockRows, "take", stopping)
        yield


def finished(target: Path) -> int:
    """Block rows that are kept of a target."""
    return len(list(partial_of(target).glob("rows-*.npy")))
