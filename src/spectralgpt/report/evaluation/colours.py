"""Colours of classes, and masks in them."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float64, Integer, UInt8

from spectralgpt.report.evaluation.contents import IndexMask

FIRST_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#bcbd22", "#17becf")
"""The colours of the first classes: Tableau's without its grey, which stands for pixels that are not labelled."""

MOST_COLOURS = 256
"""Number of colours before they repeat."""

IGNORED_GREYS = (150, 205)
"""The greys of the stripes where a pixel is not labelled."""

IGNORED_ALPHA = 150
"""Their opacity."""

STRIPE = 4
"""Their width, pixels along a row."""

# sRGB to Oklab, where distances are differences that one sees (B. Ottosson, 2020)
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def class_colours(given: Sequence[str | None]) -> tuple[str, ...]:
    """A colour `#rrggbb` per class: the given one, or one that depends on the class's index alone."""
    palette = distinct_colours()
    return tuple(colour or palette[index % len(palette)] for index, colour in enumerate(given))


@cache
def distinct_colours() -> tuple[str, ...]:
    """Colours, each as far as possible from all before it, none too light, dark or grey to be seen."""
    levels = np.arange(0, 256, 17)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    lightness, *chroma = oklab(grid).T
    # the range where a colour shows on white and on black
    candidates = grid[(lightness > 0.4) & (lightness < 0.88) & (np.hypot(*chroma) > 0.04)]
    places = oklab(candidates)
    colours = list(FIRST_COLOURS)
    distance = np.min([_distance(places, colour) for colour in colours], axis=0)
    while len(colours) < MOST_COLOURS:
        colours.append("#{:02x}{:02x}{:02x}".format(*candidates[distance.argmax()]))
        distance = np.minimum(distance, _distance(places, colours[-1]))
    return tuple(colours)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of `#rrggbb`, 0 to 255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def oklab(colours: Integer[np.ndarray, "colour 3"]) -> Float64[np.ndarray, "colour 3"]:
    """Lightness in [0, 1] and two axes of hue, from sRGB, 0 to 255."""
    values = colours / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T)


def _distance(places: Float64[np.ndarray, "colour 3"], colour: str) -> Float64[np.ndarray, " colour"]:
    return np.asarray(np.linalg.norm(places - oklab(np.array([rgb(colour)])), axis=1))


def coloured_mask(mask: IndexMask, colours: Sequence[str]) -> UInt8[np.ndarray, "row column 4"]:
    """The mask in the colours of its classes, as red, green, blue and opacity; half transparent grey stripes where it
    is negative. ValueError for an index without a colour."""
    if mask.size and mask.max() >= len(colours):
        raise ValueError(f"found the class {mask.max()} in a mask, but {len(colours)} colours")
    table = np.array([(*rgb(colour), 255) for colour in colours] or [(0, 0, 0, 0)], np.uint8)
    row, column = np.indices(mask.shape)
    light = (row + column) // STRIPE % 2
    greys = np.array(IGNORED_GREYS, np.uint8)[light]
    stripes = np.stack([greys, greys, greys, np.full_like(greys, IGNORED_ALPHA)], -1)
    return np.where((mask < 0)[..., None], stripes, table[np.maximum(mask, 0)])
