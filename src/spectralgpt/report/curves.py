"""Training curves."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spectralgpt.report.pictures import save_figure

VALIDATION = "val_"
"""Prefix of the names of losses that are measured on held-back samples."""

HELD_BACK_SCORE = "val_score"
"""Name of the score of held-back samples, which is drawn in a panel of its own."""

KEPT_STATE = "kept"
"""Whether the state with this score is the best so far."""

SMOOTHED_FROM = 200
"""Number of points from which a moving average is drawn over a curve: losses differ between batches of different
sensors."""

SMOOTHED_SHARE = 0.02
"""The share of a curve in the window of that average."""

Curve = Float64[np.ndarray, "2 point"]
"""Steps and losses."""

Stage = tuple[str, float | int, float | int]
"""Name, first and last step."""


def save_loss_curve(
    path: Path,
    records: Sequence[Mapping[str, Any]],
    losses: Sequence[str],
    title: str,
    text: Mapping[str, str] | None = None,
    score: str = "score",
) -> None:
    """Losses over steps, on a logarithmic axis unless one is below 0; a loss of 0 is a gap on it.

    records: of a training log, in order, each with `step`; a loss may be missing in some. All losses with the prefix
    `val_` are drawn as well, dashed, in the colour of the same loss in training; a part that is the whole loss is not
    drawn again. The score of held-back samples, called score, is drawn below, if there is one. Where records are of
    several stages (names or numbers), these are printed above the curves, with a line where they change. text: of the
    PNG's text chunks.
    """
    validation = dict.fromkeys(name for each in records for name in each if name.startswith(VALIDATION))
    validation.pop(HELD_BACK_SCORE, None)
    scores = _curve(records, HELD_BACK_SCORE)
    colours = {name: f"C{index % 10}" for index, name in enumerate((*losses, *validation))}
    curves = _different({name: curve for name in colours if (curve := _curve(records, name)).size})
    stages = _stages(records)
    figure = Figure(figsize=(8, 7 if scores.size else 4.5), layout="constrained")
    axes, *below = figure.subplots(2 if scores.size else 1, squeeze=False).ravel()
    alone = all(name.removeprefix(VALIDATION) == "loss" for name in curves)
    for name, curve in curves.items():
        colour = colours.get(name.removeprefix(VALIDATION), colours[name])
        _draw_curve(
            axes, curve, colour, _label(name, alone), [start for _, start, _ in stages[1:]], name.startswith(VALIDATION)
        )
    axes.set(xlabel="step", ylabel="loss" if scores.size else "loss (normalized units)", title=title)
    if all((curve[1] >= 0).all() and curve[1].any() for curve in curves.values()):
        # the spectral loss of a batch without a complete group of bands is 0
        axes.set_yscale("log", nonpositive="mask")
    axes.grid(True, which="both", alpha=0.3)
    if len(stages) > 1:
        _draw_stages(axes, stages)
    if curves:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)  # beside the curves, not over them
    for panel in below:
        _draw_scores(panel, score, scores, [each["step"] for each in records if each.get(KEPT_STATE)])
    save_figure(path, figure, text)


def _draw_scores(axes: Axes, score: str, scores: Curve, kept: Sequence[float | int]) -> None:
    """The score of each judgement, with that of the state that was kept last marked."""
    steps, values = scores
    axes.plot(steps, values, marker=".", color="C2")
    if kept:
        at = int(np.searchsorted(steps, kept[-1]))
        axes.plot(steps[at], values[at], "o", color="C3", label=f"kept: {values[at]:.3f} at step {steps[at]:g}")
        axes.legend()
    axes.set(xlabel="step", ylabel=f"{score}, held back")
    axes.grid(True, alpha=0.3)


def _curve(records: Sequence[Mapping[str, Any]], name: str) -> Curve:
    """Steps and values of the records that have a finite loss with this name."""
    points = [(each["step"], each[name]) for each in records if each.get(name) is not None]
    curve = np.array(points, np.float64).reshape(-1, 2).T
    return np.ascontiguousarray(curve[:, np.isfinite(curve[1])])


def _stages(records: Sequence[Mapping[str, Any]]) -> list[Stage]:
    """The stages: each begins at the last record of the previous one, the first at the first record."""
    staged = [(each["stage"], each["step"]) for each in records if "stage" in each]
    found: list[Stage] = []
    for stage, together in groupby(staged, key=lambda each: each[0]):
        steps = [step for _, step in together]
        name = stage if isinstance(stage, str) else f"stage {stage:g}"
        found.append((name, found[-1][2] if found else steps[0], steps[-1]))
    return found


def _different(curves: Mapping[str, Curve]) -> dict[str, Curve]:
    """Without those that repeat an earlier one."""
    found: dict[str, Curve] = {}
    for name, curve in curves.items():
        if not any(np.array_equal(curve, each) for each in found.values()):
            found[name] = curve
    return found


def _label(name: str, alone: bool) -> str:
    """What the legend calls a loss. alone: the whole loss, without its parts."""
    part = name.removeprefix(VALIDATION)
    words = ("loss" if alone else "whole loss") if part == "loss" else f"{part} loss"
    return f"{words}, held back" if name.startswith(VALIDATION) else words


def _draw_curve(
    axes: Axes, curve: Curve, colour: str, label: str, borders: Sequence[float | int], held_back: bool
) -> None:
    steps, losses = curve
    if held_back:
        axes.plot(steps, losses, "--", color=colour, marker=".", label=label)
        return
    many = len(steps) >= SMOOTHED_FROM
    axes.plot(steps, losses, color=colour, alpha=0.25 if many else 1, label=None if many else label)
    if many:
        parts = np.split(losses, np.searchsorted(steps, borders, side="right"))
        axes.plot(steps, np.concatenate([_smoothed(part) for part in parts]), color=colour, label=label)


def _smoothed(losses: Float64[np.ndarray, " point"]) -> Float64[np.ndarray, " point"]:
    """The moving average, over fewer points at the ends."""
    half = max(1, int(len(losses) * SMOOTHED_SHARE / 2))
    sums, at = np.concatenate([[0.0], np.cumsum(losses)]), np.arange(len(losses))
    first, last = np.maximum(at - half, 0), np.minimum(at + half + 1, len(losses))
    return np.asarray((sums[last] - sums[first]) / (last - first))


def _draw_stages(axes: Axes, stages: Sequence[Stage]) -> None:
    for _, start, _ in stages[1:]:
        axes.axvline(start, color="0.3", linewidth=1, linestyle=":")
    above = axes.secondary_xaxis("top")
    above.set_xticks([(start + end) / 2 for _, start, end in stages], labels=[name for name, _, _ in stages])
    above.tick_params(length=0)
