"""Training curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from spectralgpt.report.pictures import save_figure


def save_loss_curve(path: Path, records: Sequence[Mapping[str, float]], losses: Sequence[str], title: str) -> None:
    """Losses over steps, on a logarithmic axis. records: of a training log, each with `step` and the losses."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in losses:
        axes.plot([each["step"] for each in records], [each[name] for each in records], label=name)
    axes.set(xlabel="step", ylabel="loss (normalized units)", yscale="log", title=title)
    axes.grid(True, which="both", alpha=0.3)
    axes.legend()
    save_figure(path, figure)
