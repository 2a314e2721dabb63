"""The figure of a map of classes, beside the scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from spectralgpt.report.pictures import coloured, save_figure, stretch_of

PANEL = 6.0
"""Inches of the longer side of a panel."""

LEGEND_ROWS = 24
"""Classes of the legend, the most frequent first."""

LEGEND_NAME = 36


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A class. value: in the map. colour: `#rrggbb`. share: of the map."""

    value: int
    name: str
    colour: str
    share: float


@dataclass(frozen=True, slots=True)
class ShownPoint:
    """A place of the scene with a known class. row, column: pixels of the scene, from its upper left corner; value: of
    the class."""

    row: float
    column: float
    value: int


def save_class_map(
    path: Path,
    scene: Float32[np.ndarray, "3 row column"],
    shown: str,
    values: Integer[np.ndarray, "maprow mapcolumn"],
    legend: Sequence[LegendEntry],
    title: str,
    *,
    size: tuple[int, int],
    covered: tuple[int, int],
    points: Sequence[ShownPoint] = (),
    text: Mapping[str, str] | None = None,
) -> None:
    """Save the figure: the scene, the map, and the classes that occur with their shares.

    scene: reflectance of three bands, NaN where not valid; shown: which these are. values: of the map, negative where
    it has none, which is white. size: rows and columns of the scene; covered: those that the map covers, which may
    reach beyond. Both may be shown at fewer pixels. points: drawn on the scene, in the colours of their classes. text:
    of the PNG's text chunks.
    """
    panel = PANEL * size[1] / max(size), max(2.5, PANEL * size[0] / max(size))
    figure = Figure(figsize=(2 * max(2.5, panel[0]) + 3.2, panel[1] + 0.9), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    left.imshow(coloured(scene, stretch_of(scene)), extent=(0, size[1], size[0], 0))
    left.set_title(shown, fontsize=10)
    _draw_points(left, points, legend)
    right.imshow(_painted(values, legend), extent=(0, covered[1], covered[0], 0), interpolation="nearest")
    right.set_title("classes", fontsize=10)
    for axes in (left, right):
        axes.set(xticks=[], yticks=[], xlim=(0, size[1]), ylim=(size[0], 0))
    _add_legend(figure, legend)
    save_figure(path, figure, text)


def _painted(
    values: Integer[np.ndarray, "row column"], legend: Sequence[LegendEntry]
) -> Float32[np.ndarray, "row column 3"]:
    """White where negative."""
    table = np.ones((max([entry.value for entry in legend], default=0) + 2, 3), np.float32)
    for entry in legend:
        table[entry.value] = np.array(list(bytes.fromhex(entry.colour.removeprefix("#"))), np.float32) / 255
    return np.asarray(table[values])  # -1 is the last row, which stays white


def _draw_points(axes: Axes, points: Sequence[ShownPoint], legend: Sequence[LegendEntry]) -> None:
    if not points:
        return
    colours = {entry.value: entry.colour for entry in legend}
    drawn = axes.scatter(
        [each.column for each in points],
        [each.row for each in points],
        s=45,
        c=[colours[each.value] for each in points],
        edgecolors="white",
        linewidths=1.1,
        zorder=3,
    )
    drawn.set_path_effects([withStroke(linewidth=2.4, foreground="black")])  # to be seen on sand as on forest


def _add_legend(figure: Figure, legend: Sequence[LegendEntry]) -> None:
    found = sorted((entry for entry in legend if entry.share > 0), key=lambda entry: -entry.share)
    patches = [
        Patch(facecolor=entry.colour, edgecolor="0.4", label=f"{_short(entry.name)}  {_percent(entry.share)}")
        for entry in found[:LEGEND_ROWS]
    ]
    if len(found) > LEGEND_ROWS:
        patches.append(Patch(facecolor="none", label=f"and {len(found) - LEGEND_ROWS} more"))
    if patches:
        figure.legend(handles=patches, loc="outside right center", frameon=False, fontsize=9)


def _short(name: str) -> str:
    # a dollar sign would begin a formula
    short = name if len(name) <= LEGEND_NAME else name[: LEGEND_NAME - 1] + "…"
    return short.replace("$", r"\$")


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0005 else "under 0.1%"
