"""The figure of a class map: the scene with the labelled points, and the classes beside it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64, Integer
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from spectralgpt.report.evaluation.colours import class_colours, coloured_mask
from spectralgpt.report.pictures import coloured, stretch_of

SIDE = 8.5
"""Of each of the two panels, inches."""


def class_map_figure(
    colours: Float32[np.ndarray, "3 row column"],
    mask: Integer[np.ndarray, "place_row place_column"],
    classes: Sequence[tuple[str, str | None]],
    points: Int64[np.ndarray, "point 2"],
    labels: Int64[np.ndarray, " point"],
    title: str,
    pixels: float | int,
) -> Figure:
    """The scene and its map side by side, each place of the map where it is on the scene.

    colours: red, green and blue reflectance of the scene, NaN where not valid. mask: indices of classes, negative where
    unknown. classes: name and colour. points: column and row of the places with a label. labels: indices of their
    classes. pixels: of `colours` along a side of a place; the first place begins at the first pixel.
    """
    palette = class_colours([colour for _, colour in classes])
    height, width = colours.shape[1:]
    figure = Figure(figsize=(2 * SIDE, SIDE * height / width + 1.2), layout="constrained")
    figure.suptitle(title)
    scene, map_ = figure.subplots(1, 2)
    scene.imshow(coloured(colours, stretch_of(colours)), extent=(0, width, height, 0))
    across, down = mask.shape[1] * pixels, mask.shape[0] * pixels
    map_.imshow(coloured_mask(mask, palette), extent=(0, across, down, 0), interpolation="nearest")
    _draw_points(scene, (points + 0.5) * pixels, [palette[label] for label in labels])
    for axes in (scene, map_):
        # the last places of the map may reach beyond the scene
        axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    shown = [index for index in range(len(classes)) if (mask == index).any() or (labels == index).any()]
    handles = [Patch(color=palette[index], label=classes[index][0]) for index in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=max(1, len(handles)), frameon=False)
    return figure


def _draw_points(axes: Axes, points: np.ndarray, colours: Sequence[str]) -> None:
    across, down = points.T
    drawn = axes.scatter(across, down, s=70, c=colours, edgecolors="white", linewidths=1.2, zorder=3)
    drawn.set_path_effects([withStroke(linewidth=2.8, foreground="black")])  # to be seen on sand as on forest
