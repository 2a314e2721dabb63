"""Shards in memory: what the loader needs of a shards folder, without files."""

from pathlib import Path

import numpy as np
import torch

from spectralgpt.bands import Band
from spectralgpt.data.layout import Layout
from spectralgpt.data.manifest import Manifest, ShardEntry
from spectralgpt.data.samples import Samples
from spectralgpt.data.shards import Memory, Shards


def made_layout(side: int = 2, dates: int = 1) -> Layout:
    bands = (Band("s2-l2a", "B2", 492.0, 66.0, 10.0), Band("s2-l2a", "B3", 560.0, 36.0, 10.0))
    return Layout(bands, "uint16", dates, side)


class MadeShards(Shards):
    """Layouts of two bands; a sample's values identify its row, date and band: 100 x row + 10 x date + band."""

    def __init__(self, counts: tuple[int, ...], dates: int = 1, folder: str = "made", fails: int | None = None) -> None:
        layouts = tuple(made_layout(2 + number, dates) for number in range(len(counts)))
        entries = tuple(ShardEntry("shard-00000.arrow", layout, count, 0, 0) for layout, count in enumerate(counts))
        super().__init__(Path(folder), Manifest(layouts, entries))
        object.__setattr__(self, "fails", fails)  # which row is damaged

    def read(
        self, layout: int, rows: np.ndarray, dates: np.ndarray | None = None, memory: Memory = np.empty
    ) -> Samples:
        if self.fails is not None and self.fails in rows:
            raise OSError(f"row {self.fails} is damaged")
        shape, size = self.layouts[layout], len(rows)
        days = np.tile(np.arange(shape.dates), (size, 1)) if dates is None else dates
        values = 100 * rows[:, None, None] + 10 * days[:, :, None] + np.arange(len(shape.bands))
        filled = np.broadcast_to(values[..., None, None], (*values.shape, shape.side, shape.side))
        stored = memory(filled.shape, "uint16")
        stored[...] = filled
        zeros = torch.zeros(size, dtype=torch.int64)
        return Samples(
            values=torch.from_numpy(stored),
            valid=None,
            scale=torch.full((size, len(shape.bands)), 1e-4, dtype=torch.float64),
            offset=torch.zeros((size, len(shape.bands)), dtype=torch.float64),
            bands=shape.bands,
            days=torch.from_numpy(days.astype(np.int32)),
            gsd=torch.full((size,), 10.0),
            extent=torch.full((size, 2), shape.side, dtype=torch.int32),
            key=zeros,
            draw=0,
            number=torch.from_numpy(rows.copy()),
        )

    def sources(self, layout: int, rows: np.ndarray) -> list[str]:
        return [f"{self.folder}/{layout}/{row}" for row in rows]
