"""The figure of an image: three band combinations, and its mean spectrum."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectralgpt.report.pictures import coloured, save_figure, stretch_of

RED, GREEN, BLUE = ("red", 660.0, 45.0), ("green", 560.0, 30.0), ("blue", 485.0, 35.0)
NIR, SWIR = ("NIR", 842.0, 65.0), ("SWIR", 2190.0, 150.0)
"""Colours: name, wavelength, and the largest distance of a band from it, nm."""

COMBINATIONS = {"true colour": (RED, GREEN, BLUE), "false colour": (NIR, RED, GREEN), "SWIR": (SWIR, NIR, RED)}

REFLECTIVE = 400.0, 2500.0
"""Range of the spectrum, nm: bands beyond it measure heat."""


def save_inspection(
    path: Path,
    values: Float32[np.ndarray, "band row column"],
    names: Sequence[str],
    wavelengths: Sequence[float],
    title: str,
    text: Mapping[str, str] | None = None,
) -> None:
    """Save the figure. values: reflectance, NaN where not valid. wavelengths: nm, in any order.

    True colour, false colour (NIR, red, green) and SWIR (SWIR at 2200 nm, NIR, red), each stretched from 2 % to 98 %; a
    panel without its bands says which are missing. The spectrum is the mean, over the range from 2 % to 98 %. text: of
    the PNG's text chunks.
    """
    figure = Figure(figsize=(17, 5.2), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, 4)
    for each, (called, colours) in zip(axes, COMBINATIONS.items(), strict=False):
        _draw_colours(each, called, colours, values, names, wavelengths)
    _draw_spectrum(axes[3], values, wavelengths)
    save_figure(path, figure, text)


def nearest_band(wavelengths: Sequence[float], wanted: tuple[str, float, float]) -> int | None:
    """Index of the band nearest to the wavelength of a colour, None when all are too far from it."""
    _, centre, far = wanted
    distances = [abs(each - centre) for each in wavelengths]
    nearest = int(np.argmin(distances))
    return nearest if distances[nearest] <= far else None


def _draw_colours(
    axes: Axes,
    called: str,
    colours: Sequence[tuple[str, float, float]],
    values: Float32[np.ndarray, "band row column"],
    names: Sequence[str],
    wavelengths: Sequence[float],
) -> None:
    axes.set(xticks=[], yticks=[])
    found = [nearest_band(wavelengths, colour) for colour in colours]
    bands = [band for band in found if band is not None]
    if len(bands) < len(colours):
        missing = ", ".join(name for (name, _, _), band in zip(colours, found, strict=True) if band is None)
        axes.set_title(called)
        axes.text(0.5, 0.5, f"no band for {missing}", ha="center", va="center", transform=axes.transAxes)
        return
    shown = values[bands]
    axes.set_title(f"{called} (red, green, blue: {', '.join(names[band] for band in bands)})")
    axes.imshow(coloured(shown, stretch_of(shown)))


def _draw_spectrum(axes: Axes, values: Float32[np.ndarray, "band row column"], wavelengths: Sequence[float]) -> None:
    order = [band for band in np.argsort(wavelengths) if REFLECTIVE[0] <= wavelengths[band] <= REFLECTIVE[1]]
    known = [(wavelengths[band], values[band][~np.isnan(values[band])]) for band in order]
    spectrum = np.array([(nm, each.mean(), *np.quantile(each, (0.02, 0.98))) for nm, each in known if each.size])
    axes.set(xlabel="wavelength (nm)", ylabel="reflectance", title="mean spectrum, 2 % to 98 %")
    axes.grid(True, alpha=0.3)
    if not len(spectrum):
        axes.text(0.5, 0.5, "no band between 400 and 2500 nm", ha="center", va="center", transform=axes.transAxes)
        return
    nm, mean, low, high = spectrum.T
    axes.fill_between(nm, low, high, color="0.8", linewidth=0)
    axes.plot(nm, mean, "-", color="0.2", marker=".")
