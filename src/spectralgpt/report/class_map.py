"""The figure of a map of classes, beside the scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spectralgpt.report.pictures import coloured, save_figure, stretch_of

PANEL = 6.0
"""Inches of the longer side of a panel."""

MOST_LISTED = 24
"""Classes of the legend, the most frequent first."""

LONGEST_NAME = 36


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A class. value: in the map. colour: `#rrggbb`. share: of the map."""

    value: int
    name: str
    colour: str
    share: float


def save_class_map(
    path: Path,
    scene: Float32[np.ndarray, "3 row column"],
    shown: str,
    values: Integer[np.ndarray, "maprow mapcolumn"],
    legend: Sequence[LegendEntry],
    title: str,
    text: Mapping[str, str] | None = None,
) -> None:
    """Save the figure: the scene, the map, and the classes that occur with their shares.

    scene: reflectance of three bands, NaN where not valid; shown: which these are. values: of the map, negative where
    it has none, which is white. The panels show the same ground, whatever the numbers of their pixels. text: of the
    PNG's text chunks.
    """
    height, width = scene.shape[1:]
    panel = PANEL * width / max(height, width), max(2.5, PANEL * height / max(height, width))
    figure = Figure(figsize=(2 * panel[0] + 4.0, panel[1] + 0.9), layout="constrained")
    figure.suptitle(title)
    left, right, beside = figure.subplots(1, 3, width_ratios=(panel[0], panel[0], 3.4))
    left.imshow(coloured(scene, stretch_of(scene)), aspect="auto")
    left.set_title(shown, fontsize=10)
    # the map's last pixels may reach beyond the scene
    right.imshow(_painted(values, legend), aspect="auto", interpolation="nearest")
    right.set_title("classes", fontsize=10)
    for axes in (left, right):
        axes.set(xticks=[], yticks=[])
    _draw_legend(beside, legend)
    save_figure(path, figure, text)


def _painted(
    values: Integer[np.ndarray, "row column"], legend: Sequence[LegendEntry]
) -> Float32[np.ndarray, "row column 3"]:
    """White where negative."""
    table = np.ones((max([entry.value for entry in legend], default=0) + 2, 3), np.float32)
    for entry in legend:
        table[entry.value] = np.array(list(bytes.fromhex(entry.colour.removeprefix("#"))), np.float32) / 255
    return np.asarray(table[values])  # -1 is the last row, which stays white


def _draw_legend(axes: Axes, legend: Sequence[LegendEntry]) -> None:
    axes.axis("off")
    found = sorted((entry for entry in legend if entry.share > 0), key=lambda entry: -entry.share)
    patches = [
        Patch(facecolor=entry.colour, edgecolor="0.4", label=f"{_short(entry.name)}  {_percent(entry.share)}")
        for entry in found[:MOST_LISTED]
    ]
    if len(found) > MOST_LISTED:
        patches.append(Patch(facecolor="none", label=f"and {len(found) - MOST_LISTED} more"))
    if patches:
        axes.legend(handles=patches, loc="center left", frameon=False, fontsize=9, borderaxespad=0)


def _short(name: str) -> str:
    # a dollar sign would begin a formula
    short = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    return short.replace("$", r"\$")


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 else "under 0.1%"
