"""Learning curves: a score over the number of labelled samples."""

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from spectralgpt.report.evaluation.colours import distinct_colours
from spectralgpt.report.evaluation.contents import CurveLine, LearningCurve
from spectralgpt.report.evaluation.drawing import OWN_COLOUR, drawn
from spectralgpt.report.evaluation.markup import Markup, element, heading, joined, number, table
from spectralgpt.report.evaluation.numbers import decimal, interval, whole

DASHES = ("--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
MARKERS = "sD^vPX"


def learning_parts(curve: LearningCurve, key: str) -> Markup:
    """The figure, and its numbers in a table that can be opened. key: unique on the page."""
    description = f"{curve.score} over {curve.shots}: {', '.join(line.method for line in curve.lines)}"
    return joined([drawn(lambda: learning_figure(curve), key, description), _numbers(curve)])


def means(values: Float64[np.ndarray, "shot repeat"]) -> Float64[np.ndarray, " shot"]:
    """The mean over the repeats that are there; nan without any."""
    known = np.isfinite(values)
    return np.asarray(np.where(known, values, 0).sum(axis=1) / np.where(known.any(axis=1), known.sum(axis=1), np.nan))


def learning_figure(curve: LearningCurve) -> Figure:
    """Every repeat a point, the means a line, the intervals a band; the compared methods dashed."""
    figure = Figure(figsize=(7.6, 4.4), layout="constrained")
    axes = figure.subplots()
    others = distinct_colours()[1:]
    compared = 0
    for line in curve.lines:
        if line.compared:
            style = DASHES[compared % len(DASHES)]
            _draw_line(axes, line, others[compared % len(others)], style, MARKERS[compared % len(MARKERS)])
            compared += 1
        else:
            _draw_line(axes, line, OWN_COLOUR, "-", "o")
    shots = sorted({number for line in curve.lines for number in line.shots})
    if shots and shots[0] > 0:
        axes.set_xscale("log")
    axes.set_xticks(shots, [whole(each) for each in shots])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel=curve.shots, ylabel=curve.score)
    axes.grid(True, alpha=0.2, linewidth=0.6)
    if len(curve.lines) > 1:
        figure.legend(loc="outside lower center", ncols=2, fontsize=8.5)
    return figure


def _draw_line(axes: Axes, line: CurveLine, colour: str, style: object, marker: str) -> None:
    front = 2.0 if line.compared else 3.0
    shots = np.asarray(line.shots, np.float64)
    # points beside each other where repeats agree, by up to 3 % of the number
    spread = np.linspace(-0.03, 0.03, line.values.shape[1]) if line.values.shape[1] > 1 else np.zeros(1)
    at = shots[:, None] * (1 + spread)
    axes.plot(
        at.ravel(), line.values.ravel(), marker, color=colour, markersize=2.6, alpha=0.35, linewidth=0, zorder=front
    )
    if line.low is not None and line.high is not None:
        opacity = 0.08 if line.compared else 0.2
        axes.fill_between(shots, line.low, line.high, color=colour, alpha=opacity, linewidth=0, zorder=front - 1)
    width = 1.3 if line.compared else 2.2
    axes.plot(
        shots,
        means(line.values),
        linestyle=style,
        color=colour,
        linewidth=width,
        marker=marker,
        markersize=4.5,
        label=line.method,
        zorder=front + 0.5,
    )


def _numbers(curve: LearningCurve) -> Markup:
    heads = [
        heading("method"),
        *(heading(text, "number") for text in (curve.shots, "repeats", "mean", "interval", "lowest", "highest")),
    ]
    rows = [row for line in curve.lines for row in _rows(line)]
    return element("details", element("summary", "Numbers of the curve"), table(heads, rows))


def _rows(line: CurveLine) -> list[list[Markup]]:
    rows = []
    for at, (shots, mean) in enumerate(zip(line.shots, means(line.values).tolist(), strict=True)):
        known = line.values[at][np.isfinite(line.values[at])]
        ends = (line.low[at].item(), line.high[at].item()) if line.low is not None and line.high is not None else None
        cells = [
            whole(shots),
            whole(len(known)),
            decimal(mean),
            interval(ends) if ends else "",
            decimal(known.min().item()) if known.size else "",
            decimal(known.max().item()) if known.size else "",
        ]
        rows.append([element("td", line.method), *map(number, cells)])
    return rows
