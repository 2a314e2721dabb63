"""Arrays as they are, as PNG; and figures saved whole or not at all."""

import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.image import imsave

SMALLEST_SIDE = 768


def save_picture(path: Path, picture: UInt8[np.ndarray, "row column channel"]) -> None:
    """The picture as PNG, its pixels repeated so that a small one can be looked at."""
    times = max(1, SMALLEST_SIDE // max(picture.shape[:2]))
    beside = _beside(path)
    imsave(beside, np.ascontiguousarray(picture.repeat(times, axis=0).repeat(times, axis=1)), format="png")
    os.replace(beside, path)


def save_figure(path: Path, figure: Figure) -> None:
    """The figure as PNG, written beside and renamed."""
    beside = _beside(path)
    figure.savefig(beside, format="png", dpi=110)
    os.replace(beside, path)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")
