"""The confusion matrix: as a figure of row shares, as a table of counts, and its largest errors."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from spectralgpt.report.evaluation.drawing import INK, OWN_COLOUR, WRONG_COLOUR, drawn
from spectralgpt.report.evaluation.markup import Markup, element, heading, joined, number, table
from spectralgpt.report.evaluation.numbers import percent, short, whole

Confusion = Int64[np.ndarray, "truth predicted"]

COUNTS_IN_CELLS = 12
"""The largest number of classes for which cells hold counts as well as shares."""

SHARES_IN_CELLS = 24
"""The largest number of classes for which each cell holds its share; above it, only those of NOTABLE."""

NOTABLE = 0.1

MOST_CONFUSIONS = 10
"""Number of the largest errors that are listed."""

LONGEST_LABEL = 32
"""Characters of a class's name along an axis."""


def confusion_parts(counts: Confusion, names: Sequence[str], unit: str) -> Markup:
    """The figure, the largest errors, and all counts in a table that can be opened."""
    description = f"Confusion matrix of {len(names)} classes; the counts are in the table below"
    note = (
        f"Rows are the truth, columns the prediction. Percentages are shares of the {unit} of a row: the diagonal "
        "is the recall of each class. An empty row is a class that is absent from the truth."
    )
    if len(names) > SHARES_IN_CELLS:
        note += f" Shares below {percent(NOTABLE)} are shown by the shade alone."
    return joined(
        [
            drawn(lambda: confusion_figure(counts, names), "confusion", description),
            element("p", note, class_="note"),
            _largest_errors(counts, names, unit),
            _counts(counts, names, unit),
        ]
    )


def row_shares(counts: Confusion) -> Float64[np.ndarray, "truth predicted"]:
    """Each count as a share of its row, nan in an empty row."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)


def confusion_figure(counts: Confusion, names: Sequence[str]) -> Figure:
    """Row shares as opacity: blue on the diagonal, orange beside it, so that it reads on white and on black."""
    classes, shares = len(names), row_shares(counts)
    cell = 0.56 if classes <= COUNTS_IN_CELLS else 0.32 if classes <= SHARES_IN_CELLS else 0.185
    labels = [_label(name) for name in names]
    size = 9 if classes <= SHARES_IN_CELLS else 7.5
    # the width of a label is about half its height per character
    margin = 0.6 + max(map(len, labels)) * size * 0.6 / 72
    side = max(classes * cell, 1.6)
    figure = Figure(figsize=(side + margin, side + margin), layout="constrained")
    axes = figure.subplots()
    axes.imshow(_cells(shares), interpolation="nearest", extent=(-0.5, classes - 0.5, classes - 0.5, -0.5))
    _write_cells(axes, counts, shares, size)
    axes.set_xticks(range(classes), labels, rotation=90, fontsize=size)
    axes.set_yticks(range(classes), labels, fontsize=size)
    axes.set_xlabel("prediction", labelpad=8)
    axes.set_ylabel("truth", labelpad=8)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    edges = np.arange(classes + 1) - 0.5
    axes.hlines(edges, -0.5, classes - 0.5, color=INK, linewidth=0.4, alpha=0.25)
    axes.vlines(edges, -0.5, classes - 0.5, color=INK, linewidth=0.4, alpha=0.25)
    return figure


def _label(name: str) -> str:
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1].rstrip()}…"


def _cells(shares: Float64[np.ndarray, "truth predicted"]) -> Float64[np.ndarray, "truth predicted 4"]:
    picture = np.empty((*shares.shape, 4))
    picture[..., :3] = to_rgb(WRONG_COLOUR)
    diagonal = np.arange(len(shares))
    picture[diagonal, diagonal, :3] = to_rgb(OWN_COLOUR)
    # a root, as an error of a few percent should be seen
    picture[..., 3] = np.sqrt(np.nan_to_num(shares)) * 0.9
    return picture


def _write_cells(
    axes: Axes, counts: Confusion, shares: Float64[np.ndarray, "truth predicted"], size: float | int
) -> None:
    classes = len(counts)
    for truth, predicted in np.argwhere(counts > 0).tolist():
        share = shares[truth, predicted]
        if classes > SHARES_IN_CELLS and share < NOTABLE:
            continue
        text = f"{100 * share:.0f}" if classes > COUNTS_IN_CELLS else percent(share)
        if classes <= COUNTS_IN_CELLS:
            text += f"\n{short(counts[truth, predicted].item())}"
        colour = "white" if truth == predicted and share > 0.4 else INK
        small = size - (1 if classes <= SHARES_IN_CELLS else 2)
        axes.text(predicted, truth, text, ha="center", va="center", fontsize=small, color=colour)


def _largest_errors(counts: Confusion, names: Sequence[str], unit: str) -> Markup:
    """The errors with the largest counts."""
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [divmod(at, counts.shape[1]) for at in order.tolist() if wrong.flat[at] > 0]
    if not pairs or len(names) <= 2:
        return Markup("")
    shares = row_shares(counts)
    rows = [
        [
            element("td", names[truth]),
            element("td", names[predicted]),
            number(whole(counts[truth, predicted].item())),
            number(percent(shares[truth, predicted].item())),
        ]
        for truth, predicted in pairs
    ]
    heads = [
        heading("truth"),
        heading("predicted as"),
        heading(unit, "number"),
        heading("share of the truth", "number"),
    ]
    return joined([element("h3", "Most frequent errors"), table(heads, rows)])


def _counts(counts: Confusion, names: Sequence[str], unit: str) -> Markup:
    heads = [heading("truth \\ prediction"), *(_head(name, "col") for name in names), heading("all", "number")]
    rows = [
        [
            _head(name, "row"),
            *(
                number(whole(count) if count else "·", "diagonal" if truth == predicted else "")
                for predicted, count in enumerate(row)
            ),
            number(whole(sum(row))),
        ]
        for truth, (name, row) in enumerate(zip(names, counts.tolist(), strict=True))
    ]
    return element("details", element("summary", f"All counts ({unit})"), table(heads, rows, "counts"))


def _head(name: str, scope: str) -> Markup:
    return element("th", _label(name), scope=scope, title=name, class_="number" if scope == "col" else "")
