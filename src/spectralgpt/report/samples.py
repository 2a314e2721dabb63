"""The figure of a data set: some of its samples, and a map of all of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectralgpt.report.pictures import RED_GREEN_BLUE, coloured, natural, save_figure, stretch_of
from spectralgpt.report.places import draw_places
from spectralgpt.report.reconstruction import Image

MOST_SAMPLES = 24
ACROSS = 6

FAR = 60.0
"""Distance from a colour, nm, beyond which the title of a picture states the wavelengths that it shows."""


def save_samples(
    path: Path,
    samples: Sequence[Float32[np.ndarray, "_ _ _"]],
    wavelengths: Sequence[Sequence[float]],
    titles: Sequence[str],
    positions: Float32[np.ndarray, "sample 2"],
    title: str,
    text: Mapping[str, str] | None = None,
) -> None:
    """Save the figure: the first 24 samples, six in a row, and a map below.

    samples: reflectance [band, row, column], NaN where not valid; they may differ in bands and size. wavelengths: nm,
    one list per sample. In true colour or the nearest bands, each stretched from 2 % to 98 %. positions: longitude and
    latitude of all samples of the data set, degrees, NaN where unknown. text: of the PNG's text chunks.
    """
    rows = -(-min(len(samples), MOST_SAMPLES) // ACROSS)
    heights = 2.5 * max(rows, 1), 4.5
    figure = Figure(figsize=(14, 0.5 + sum(heights)), layout="constrained")
    figure.suptitle(title)
    above, below = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    cells = list(above.subplots(max(rows, 1), ACROSS, squeeze=False).flat)
    for axes in cells:
        axes.axis("off")
    for axes, sample, nm, words in zip(cells, samples, wavelengths, titles, strict=False):
        _draw_sample(axes, sample, nm, words)
    draw_places(below.subplots(), positions)
    save_figure(path, figure, text)


def _draw_sample(axes: Axes, sample: Image, wavelengths: Sequence[float], title: str) -> None:
    shown = natural(wavelengths)
    colours = sample[shown]
    axes.imshow(coloured(colours, stretch_of(colours)), interpolation="nearest")
    used = [wavelengths[band] for band in shown]
    far = any(abs(nm - colour) > FAR for nm, colour in zip(used, RED_GREEN_BLUE, strict=True))
    bands = ", ".join(f"{nm:.0f}" for nm in used)
    note = "" if not far else f"\ngrey: {used[0]:.0f} nm" if len(set(shown)) == 1 else f"\nred, green, blue: {bands} nm"
    axes.set_title(title + note, fontsize=8)
