"""The figure of a class map: the scene with the labelled points, and the classes beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int64, Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spectralgpt.report.evaluation.colours import class_colours, coloured_mask
from spectralgpt.report.pictures import coloured, save_figure, stretch_of

SIDE = 8.5
"""Of each of the two panels, inches."""


def save_class_map(
    path: Path,
    colours: Float32[np.ndarray, "3 row column"],
    mask: Integer[np.ndarray, "place_row place_column"],
    classes: Sequence[tuple[str, str | None]],
    points: Float[np.ndarray, "point 2"],
    labels: Int64[np.ndarray, " point"],
    title: str,
    text: Mapping[str, str] | None = None,
) -> None:
    """Save the figure. colours: red, green and blue reflectance, NaN where not valid. mask: indices of classes,
    negative where unknown. classes: name and colour. points: where labels are, as shares of the scene's width and
    height. labels: indices of their classes. text: of the PNG's text chunks.
    """
    palette = class_colours([colour for _, colour in classes])
    height, width = mask.shape
    figure = Figure(figsize=(2 * SIDE, SIDE * height / width + 1.2), layout="constrained")
    figure.suptitle(title)
    scene, map_ = figure.subplots(1, 2)
    extent = (0.0, 1.0, 1.0, 0.0)  # shares, so that points lie alike on both
    scene.imshow(coloured(colours, stretch_of(colours)), extent=extent, aspect=height / width)
    map_.imshow(coloured_mask(mask, palette), extent=extent, aspect=height / width, interpolation="nearest")
    _draw_points(scene, points, labels, palette)
    for axes in (scene, map_):
        axes.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(1, 0))
    shown = [index for index in range(len(classes)) if (mask == index).any() or (labels == index).any()]
    handles = [Patch(color=palette[index], label=classes[index][0]) for index in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=max(1, len(handles)), frameon=False)
    save_figure(path, figure, text)


def _draw_points(
    axes: Axes, points: Float[np.ndarray, "point 2"], labels: Int64[np.ndarray, " point"], palette: Sequence[str]
) -> None:
    across, down = points.T
    axes.scatter(
        across, down, s=70, c=[palette[label] for label in labels], edgecolors="white", linewidths=1.2, zorder=3
    )
