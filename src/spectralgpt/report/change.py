"""The figure of a change: before, after, and what changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spectralgpt.report.pictures import coloured, save_figure, stretch_of

CHANGE_PANEL = 5.5
"""Inches of the longer side of a panel."""

OUTLINE = "#00e5ff"


@dataclass(frozen=True, slots=True, eq=False)
class DrawnDistances:
    """A map of distances, NaN where there is none, and from which one on a place has changed."""

    values: Float32[np.ndarray, "maprow mapcolumn"]
    threshold: float

    def draw(self, figure: Figure, axes: Axes) -> None:
        known = self.values[~np.isnan(self.values)]
        top = max(float(np.quantile(known, 0.99)) if known.size else 1.0, self.threshold, 1e-6)
        shown = axes.imshow(self.values, cmap="magma", vmin=0, vmax=top, interpolation="nearest", aspect="auto")
        changed = self.values > self.threshold
        if changed.any():
            # a contour around whole places, not through their centres
            fine = changed.repeat(4, axis=0).repeat(4, axis=1).astype(float)
            at = [(np.arange(size) + 0.5) / 4 - 0.5 for size in fine.shape]
            axes.contour(at[1], at[0], fine, levels=[0.5], colors=OUTLINE, linewidths=0.9)
        axes.set_title(f"distance; outlined: changed (above {self.threshold:.3g})", fontsize=10)
        figure.colorbar(shown, ax=axes, shrink=0.8)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnClasses:
    """A map of classes; other values are white. names, colours (`#rrggbb`): of its values 0, 1, ..."""

    values: UInt8[np.ndarray, "maprow mapcolumn"]
    names: Sequence[str]
    colours: Sequence[str]

    def draw(self, figure: Figure, axes: Axes) -> None:
        table = np.ones((256, 3), np.float32)
        for value, colour in enumerate(self.colours):
            table[value] = np.array(list(bytes.fromhex(colour.removeprefix("#"))), np.float32) / 255
        axes.imshow(table[self.values], interpolation="nearest", aspect="auto")
        axes.set_title("change", fontsize=10)
        known = max(1, int((self.values < len(self.names)).sum()))
        patches = [
            Patch(
                facecolor=colour,
                edgecolor="0.4",
                label=f"{name.replace('$', chr(92) + '$')}  {(self.values == value).sum() / known:.1%}",
            )
            for value, (name, colour) in enumerate(zip(self.names, self.colours, strict=True))
        ]
        axes.legend(handles=patches, loc="upper left", bbox_to_anchor=(0, -0.01), fontsize=9, frameon=False, ncols=2)


def save_change(
    path: Path,
    before: Float32[np.ndarray, "3 row column"],
    after: Float32[np.ndarray, "3 row column"],
    change: DrawnDistances | DrawnClasses,
    names: Sequence[str],
    title: str,
    covered: tuple[float, float],
    text: Mapping[str, str] | None = None,
) -> None:
    """Save the figure. before, after: reflectance of three bands, NaN where not valid; names: of the dates. Each date
    is stretched by itself. covered: rows and columns of the map that lie on the images, as its last ones may reach
    beyond: the panels show the same ground. text: of the PNG's text chunks."""
    height, width = before.shape[1:]
    panel = [max(2.0, CHANGE_PANEL * size / max(height, width)) for size in (height, width)]
    figure = Figure(figsize=(3 * panel[1] + 1.2, panel[0] + 1.0), layout="constrained")
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(1, 3)
    for each, image, name in zip(axes, (before, after), names, strict=False):
        each.imshow(coloured(image, stretch_of(image)), aspect="auto")
        each.set_title(name, fontsize=10)
    change.draw(figure, axes[2])
    axes[2].set(xlim=(-0.5, covered[1] - 0.5), ylim=(covered[0] - 0.5, -0.5))
    for each in axes:
        each.set(xticks=[], yticks=[])
    save_figure(path, figure, text)
