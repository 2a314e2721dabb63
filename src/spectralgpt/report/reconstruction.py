"""The figure of a reconstruction: input, what the model saw, reconstruction, error, and spectra of a few places."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spectralgpt.report.pictures import coloured, natural, save_figure, stretch_of

HIDDEN_GREY = 0.55
MARKED_PLACES = 4
MARKS = ("tab:red", "tab:orange", "tab:blue", "tab:green")

Image = Float32[np.ndarray, "band row column"]


def save_reconstruction(
    path: Path,
    truth: Image,
    rebuilt: Image,
    hidden: Bool[np.ndarray, "band row column"],
    names: Sequence[str],
    wavelengths: Sequence[float],
    title: str,
    patch: int = 8,
    text: Mapping[str, str] | None = None,
) -> None:
    """Save the figure.

    truth, rebuilt: reflectance, NaN where not valid. wavelengths: nm, ascending. In true colour or the nearest bands;
    where none of those was hidden, input and reconstruction are in up to three hidden bands, the longest as red. Both
    have the same stretch, 2 % to 98 % of the truth. In the picture of what the model saw, a place is grey where at
    least one of its three colours was hidden. text: of the PNG's text chunks.
    """
    colours, shown = natural(wavelengths), shown_bands(wavelengths, hidden)
    places = _places(truth, hidden, patch)
    figure = Figure(figsize=(17, 8.6 if places else 5.4), layout="constrained")
    figure.suptitle(title)
    parts = figure.subfigures(2 if places else 1, 1, height_ratios=(1.55, 1) if places else None, squeeze=False)
    pictures = parts[0, 0]
    axes = pictures.subplots(1, 4)
    unseen: NDArray[np.bool_] = np.any(hidden[colours], axis=0)
    seen = np.where(unseen[..., None], HIDDEN_GREY, coloured(truth[colours], stretch_of(truth[colours])))
    stretch = stretch_of(truth[shown])
    drawn = f"red, green, blue: {', '.join(names[i] for i in shown)}"
    axes[0].imshow(coloured(truth[shown], stretch))
    axes[0].set_title(f"input ({drawn})")
    axes[1].imshow(seen)
    axes[1].set_title(
        "what the model saw (hidden: grey)" if unseen.any() else "a part of what the model saw (true colour)"
    )
    axes[2].imshow(coloured(rebuilt[shown], stretch))
    axes[2].set_title("rebuilt")
    _draw_error(figure, axes[3], truth, rebuilt, hidden)
    for each in axes:
        each.set(xticks=[], yticks=[])
    for (row, column), mark in zip(places, MARKS, strict=False):
        centre = (column * patch + patch / 2, row * patch + patch / 2)
        axes[0].plot(*centre, "o", markersize=9, markerfacecolor="none", markeredgecolor="white", markeredgewidth=3.5)
        axes[0].plot(*centre, "o", markersize=9, markerfacecolor="none", markeredgecolor=mark, markeredgewidth=2)
    if places:
        _draw_spectra(
            list(parts[1, 0].subplots(1, len(places), squeeze=False)[0]),
            truth,
            rebuilt,
            hidden,
            wavelengths,
            places,
            patch,
        )
    save_figure(path, figure, text)


def shown_bands(wavelengths: Sequence[float], hidden: Bool[np.ndarray, "band row column"]) -> list[int]:
    """Three bands: true colour, or if none of it was hidden the hidden bands, longest first, repeated if fewer."""
    colours = natural(wavelengths)
    if hidden[colours].any() or not hidden.any():
        return colours
    found = [int(band) for band in np.flatnonzero(hidden.any(axis=(1, 2)))[::-1]]
    return (found * 3)[:3] if len(found) < 3 else [found[0], found[len(found) // 2], found[-1]]


def _draw_error(
    figure: Figure, axes: Axes, truth: Image, rebuilt: Image, hidden: Bool[np.ndarray, "band row column"]
) -> None:
    """Mean over the hidden bands of |rebuilt - truth|, white where nothing was hidden."""
    difference = np.where(hidden & ~np.isnan(truth), np.abs(rebuilt - truth), 0.0)
    count = (hidden & ~np.isnan(truth)).sum(axis=0)
    error = np.where(count > 0, difference.sum(axis=0) / np.maximum(count, 1), np.nan)
    top = float(np.nanquantile(error, 0.98)) if (count > 0).any() else 1.0
    image = axes.imshow(error, cmap="magma", vmin=0, vmax=max(top, 1e-6))
    axes.set_title("mean error of hidden bands (reflectance)")
    figure.colorbar(image, ax=axes, shrink=0.8)


def _places(truth: Image, hidden: Bool[np.ndarray, "band row column"], patch: int) -> list[tuple[int, int]]:
    """Hidden patches from dark to bright, as row and column: quantiles of the mean of the brightest band."""
    bands, height, width = truth.shape
    rows, columns = height // patch, width // patch
    if not rows or not columns:
        return []
    cut = (slice(None), slice(rows * patch), slice(columns * patch))
    blocks = truth[cut].reshape(bands, rows, patch, columns, patch).mean(axis=(2, 4)).max(axis=0)
    some = hidden[cut].reshape(bands, rows, patch, columns, patch).all(axis=(2, 4)).any(axis=0) & ~np.isnan(blocks)
    found = np.argwhere(some)
    if not len(found):
        return []
    order = np.argsort(blocks[some], kind="stable")
    at = np.unique((np.array([0.05, 0.4, 0.7, 0.97]) * (len(order) - 1)).round().astype(int))
    return [(int(found[order[i]][0]), int(found[order[i]][1])) for i in at[:MARKED_PLACES]]


def _draw_spectra(
    axes: Sequence[Axes],
    truth: Image,
    rebuilt: Image,
    hidden: Bool[np.ndarray, "band row column"],
    wavelengths: Sequence[float],
    places: Sequence[tuple[int, int]],
    patch: int,
) -> None:
    """Mean spectra of the places: measured, and rebuilt in the hidden bands."""
    for each, (row, column), mark in zip(axes, places, MARKS, strict=False):
        cut = (slice(None), slice(row * patch, (row + 1) * patch), slice(column * patch, (column + 1) * patch))
        measured, made = truth[cut].mean(axis=(1, 2)), rebuilt[cut].mean(axis=(1, 2))
        unseen = hidden[cut].all(axis=(1, 2))
        each.plot(wavelengths, measured, "-", color="0.35", marker=".", label="measured")
        each.plot(wavelengths, np.where(unseen, made, np.nan), "o", color=mark, markersize=5, label="rebuilt (hidden)")
        each.plot(wavelengths, np.where(unseen, np.nan, measured), "s", color="0.35", markersize=4, label="seen")
        each.set(xlabel="wavelength (nm)", ylim=(0, None))
        each.grid(True, alpha=0.3)
        for spine in each.spines.values():
            spine.set_color(mark)
            spine.set_linewidth(1.5)
    axes[0].set_ylabel("reflectance")
    axes[0].legend(fontsize=8)
