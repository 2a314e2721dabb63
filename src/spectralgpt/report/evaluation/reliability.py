"""Calibration: how often answers of a probability are right."""

import numpy as np
from matplotlib.figure import Figure

from spectralgpt.report.evaluation.contents import CalibrationBins
from spectralgpt.report.evaluation.drawing import INK, OWN_COLOUR, drawn
from spectralgpt.report.evaluation.markup import Markup, element, joined
from spectralgpt.report.evaluation.numbers import decimal


def reliability_parts(bins: CalibrationBins, unit: str) -> Markup:
    """The figure, and what it shows in words."""
    error = decimal(bins.error)
    note = (
        f"Calibration error {error}: the mean distance of the bars from the points on the diagonal, weighted by the "
        f"number of {unit} (below). A bar under its point: the answers are too confident."
    )
    description = f"Reliability diagram, calibration error {error}"
    return joined(
        [drawn(lambda: reliability_figure(bins, unit), "calibration", description), element("p", note, class_="note")]
    )


def reliability_figure(bins: CalibrationBins, unit: str) -> Figure:
    """The share of right answers per bin as bars, the mean probability as points on the diagonal, the counts below."""
    figure = Figure(figsize=(4.6, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.4, 1))
    edges = np.linspace(0, 1, len(bins.counts) + 1)
    filled = bins.counts > 0
    centres, width = (edges[:-1] + edges[1:]) / 2, 0.9 * np.diff(edges)
    right, confidence = bins.right[filled], bins.confidence[filled]
    above.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--", alpha=0.6)
    above.bar(centres[filled], right, width[filled], color=OWN_COLOUR, alpha=0.75)
    above.plot(confidence, confidence, "o", color=INK, markersize=4)
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of right answers")
    below.bar(centres, bins.counts, width, color=INK, alpha=0.45)
    below.set(xlabel="probability of the answer", ylabel=unit)
    below.locator_params(axis="y", nbins=3)
    return figure
