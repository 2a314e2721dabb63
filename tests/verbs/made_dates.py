"""Made pairs of dates, and what a test reads of their maps."""

from pathlib import Path

import numpy as np
import rasterio
from made_rasters import NAMES, land, write

ROWS, COLUMNS = slice(96, 136), slice(24, 64)
"""What changes, in pixels: neither in the middle nor square to a corner; places 12 to 17, 3 to 8."""


def two_dates(folder: Path, noise: float = 10, rows: int = 200, columns: int = 136, **how) -> tuple[Path, Path]:
    """A scene and the same with other noise, in which a rectangle has its bands turned around."""
    before = land(rows, columns)
    after = before + np.random.default_rng(1).normal(0, noise, before.shape).round()
    after = np.clip(after, 1, None).astype(np.uint16)
    after[:, ROWS, COLUMNS] = after[::-1, ROWS, COLUMNS]
    return (
        write(folder / "before_2020-05-01.tif", before, names=NAMES, nodata=0.0),
        write(folder / "after_2021-05-01.tif", after, names=NAMES, nodata=0.0, **how),
    )


def band(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def of_dates(warnings: tuple[str, ...]) -> list[str]:
    """Those on the two dates, not on the made values."""
    return [each for each in warnings if each.startswith("the later image") or "looks like change" in each]


def shifted(folder: Path, rows: float, columns: float) -> tuple[Path, Path, Path]:
    """Before, after, and after moved by whole or half pixels: the mean of the pixels that lie there."""
    # smooth, as interpolated noise is no longer noise
    base = np.random.default_rng(0).normal(0, 1, (258, 218))
    for axis in (0, 1, 0, 1):
        window = np.lib.stride_tricks.sliding_window_view(base, 10, axis)
        base = window.mean(axis=-1)
    base = 1500 + 400 * base / base.std()
    levels = np.linspace(0.6, 1.6, 13)[:, None, None]
    before = base * levels + 5 * np.arange(13)[:, None, None]
    after = before.copy()
    after[:, 116:156, 44:84] = after[::-1, 116:156, 44:84]
    moved = after
    for axis, by in ((1, rows), (2, columns)):
        low, part = int(np.floor(by)), by - np.floor(by)
        moved = (1 - part) * np.roll(moved, low, axis) + part * np.roll(moved, low + 1, axis)
    paths = []
    for name, values in (("before", before), ("after", after), ("moved", moved)):
        inner = values[:, 20:-20, 20:-20].round().astype(np.uint16)
        paths.append(write(folder / f"{name}.tif", inner, names=NAMES, nodata=0.0))
    return paths[0], paths[1], paths[2]
