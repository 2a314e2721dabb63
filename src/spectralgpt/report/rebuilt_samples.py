"""The figure of a pretraining run: samples, the parts that the model saw, and the reconstructions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spectralgpt.report.pictures import coloured, save_figure, stretch_of
from spectralgpt.report.reconstruction import HIDDEN_GREY, Image, shown_bands

MOST_REBUILT = 6


def save_rebuilt_samples(
    path: Path,
    truth: Sequence[Float32[np.ndarray, "_ _ _"]],
    rebuilt: Sequence[Float32[np.ndarray, "_ _ _"]],
    hidden: Sequence[Bool[np.ndarray, "_ _ _"]],
    wavelengths: Sequence[Sequence[float]],
    titles: Sequence[str],
    title: str,
) -> None:
    """Save the figure: one row per sample, for the first six, with the input, what the model saw (grey where hidden)
    and the reconstruction.

    truth, rebuilt: reflectance [band, row, column], NaN where not valid. Samples may differ in bands and size.
    wavelengths: nm, one list per sample. In true colour or the nearest bands; where none of those was hidden, in up to
    three hidden bands. The three pictures of a row have the same stretch, 2 % to 98 % of the truth. The error is the
    mean absolute difference from the truth, in reflectance, over the hidden values.
    """
    count = min(len(truth), MOST_REBUILT)
    figure = Figure(figsize=(8.2, 0.7 + 2.75 * count), layout="constrained")
    figure.suptitle(title)
    rows = figure.subplots(count, 3, squeeze=False)
    for axes, *sample in zip(rows, truth, rebuilt, hidden, wavelengths, titles, strict=False):
        _draw_sample(list(axes), *sample)
    save_figure(path, figure)


def _draw_sample(
    axes: Sequence[Axes],
    truth: Image,
    rebuilt: Image,
    hidden: Bool[np.ndarray, "band row column"],
    wavelengths: Sequence[float],
    title: str,
) -> None:
    shown = shown_bands(wavelengths, hidden)
    stretch = stretch_of(truth[shown])
    unseen: NDArray[np.bool_] = np.any(hidden[shown], axis=0)
    scored = hidden & ~np.isnan(truth) & ~np.isnan(rebuilt)
    error = f", error {np.abs(rebuilt - truth)[scored].mean():.4f}" if scored.any() else ""
    pictures = coloured(truth[shown], stretch), coloured(rebuilt[shown], stretch)
    axes[0].imshow(pictures[0], interpolation="nearest")
    axes[1].imshow(np.where(unseen[..., None], HIDDEN_GREY, pictures[0]), interpolation="nearest")
    axes[2].imshow(pictures[1], interpolation="nearest")
    bands = ", ".join(f"{wavelengths[band]:.0f}" for band in shown)
    for each, words in zip(axes, (title, f"seen ({bands} nm)", f"rebuilt{error}"), strict=True):
        each.set_title(words, fontsize=8)
        each.set(xticks=[], yticks=[])
