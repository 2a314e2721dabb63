"""Arrays as PNG pictures, and figures; each is an atomic write."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from matplotlib.figure import Figure
from matplotlib.image import imsave

from spectralgpt.disk import atomic_write
from spectralgpt.free_space import refusals

SMALLEST_SIDE = 768
RED_GREEN_BLUE = (665.0, 560.0, 490.0)
"""Wavelengths of true colour, nm."""

Stretch = tuple[Float32[np.ndarray, " colour"], Float32[np.ndarray, " colour"]]
"""Per colour, the reflectance shown as black and the reflectance shown as white."""


def save_picture(
    path: Path, picture: UInt8[np.ndarray, "row column channel"], text: Mapping[str, str] | None = None
) -> None:
    """Save the picture as PNG, with pixels repeated so that a small picture is large enough to see. text: of the PNG's
    text chunks, by keyword. TargetError when the disk refuses."""
    times = max(1, SMALLEST_SIDE // max(picture.shape[:2]))
    large = np.ascontiguousarray(picture.repeat(times, axis=0).repeat(times, axis=1))
    content = io.BytesIO()
    imsave(content, large, format="png", metadata=dict(text or {}))
    _write(path, content)


def save_figure(path: Path, figure: Figure, text: Mapping[str, str] | None = None) -> None:
    """Save the figure as PNG, in an atomic write. text and errors: as in `save_picture`."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata=dict(text or {}))
    _write(path, content)


def _write(path: Path, content: io.BytesIO) -> None:
    # made in memory first: what a disk refuses is then a plain error of a write, with a known size
    with refusals(path, needed=content.tell()), atomic_write(path, durable=False) as file:
        file.write(content.getbuffer())


def natural(wavelengths: Sequence[float]) -> list[int]:
    """Indices of the bands nearest to red, green and blue."""
    return [int(np.argmin([abs(nm - colour) for nm in wavelengths])) for colour in RED_GREEN_BLUE]


def stretch_of(colours: Float32[np.ndarray, "colour row column"]) -> Stretch:
    """The stretch from the 2 % to the 98 % quantile of three bands of reflectance, NaN where not measured."""
    low, high = np.zeros(3, np.float32), np.ones(3, np.float32)
    for colour, values in enumerate(colours):
        known = values[~np.isnan(values)]
        if known.size:
            low[colour], high[colour] = np.quantile(known, (0.02, 0.98))
    return low, np.maximum(high, low + 1e-3)


def coloured(
    colours: Float32[np.ndarray, "colour row column"], stretch: Stretch
) -> Float32[np.ndarray, "row column colour"]:
    """Three bands of reflectance as a picture with values from 0 to 1."""
    low, high = stretch
    picture = (np.moveaxis(colours, 0, -1) - low) / (high - low)
    # white where nothing was measured; a gamma, as most reflectance is dark
    return np.where(np.isnan(picture), 1.0, np.clip(picture, 0, 1) ** 0.75).astype(np.float32)
