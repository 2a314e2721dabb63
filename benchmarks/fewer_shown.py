"""The table and the picture of fewer.py: accuracy with fewer bands, other pixel sizes and fewer labels."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from place_intervals import shown, verdict

MODEL = "model"
KINDS = {
    MODEL: "model",
    "untrained": "untrained",
    "statistics": "band statistics",
    "handmade": "hand-made",
    "handmade_trees": "hand-made, extra trees",
}
"""Kinds of features, and what they are called."""

COLOURS = ("#4477aa", "#ccbb44", "#aa3377", "#228833", "#66ccee")

SETS = {"eurosat": "EuroSAT, 10 classes", "eurosat_more": "EuroSAT, 5 classes, other places"}

NOTES = (
    "Accuracy of frozen image vectors, read by logistic regression of which inner folds over places choose the "
    "strength; hand-made features also by 300 extremely randomized trees. The untrained network is read at four "
    "depths, the model by its measured read-out if it has one.",
    "95 % intervals by bootstrap over places; the values are means over the repeats of drawn folds or labels.",
    "The last columns are paired differences from the model; open: the interval holds 0.",
    "Bands: 12 is all but B10, 10 is without those of 60 m, 6 is B2, B3, B4, B8, B11, B12. All at 10 m.",
    "Pixel size: all 12 bands. 20 m is the mean of 2 x 2 pixels (images of 32 pixels), 5 m is interpolated bilinearly "
    "(images of 128 pixels), which adds no detail; the model is given the pixel size.",
    "EuroSAT: the hand-made set was tuned on these 120 images, so its score is optimistic.",
    "Labels of the second set are of other places, of which the model was trained on some images, without labels.",
)


def write(out: Path, result: Mapping[str, Any]) -> None:
    """The JSON file, and table and picture beside it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    out.with_suffix(".md").write_text(table(result))
    draw(out.with_suffix(".png"), result)


def table(result: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    others = [kind for kind in KINDS if kind != MODEL]
    head = ["", *KINDS.values(), *(f"model - {KINDS[kind]}" for kind in others)]
    lines = [f"Made by `{result['command']}`; numbers and versions in [fewer.json](fewer.json).", ""]
    for name, found in result["sets"].items():
        lines += [f"## {SETS[name]}: {found['images']} images of {found['places']} places", ""]
        rows = [
            row(f"{sweep}: {varied}", point, others)
            for sweep, points in found["curves"].items()
            for varied, point in points.items()
        ]
        lines += ["| " + " | ".join(each) + " |" for each in (head, ["---"] * len(head), *rows)] + [""]
    notes = (f"Weights: {result['weights']['text']}", f"{result['settings']['repeats']} repeats.", *NOTES)
    return "\n".join(["# Fewer bands, other pixel sizes, fewer labels", "", "![](fewer.png)", "", *lines,
                      *(f"- {note}" for note in notes), ""])  # fmt: skip


def row(title: str, point: Mapping[str, Any], others: list[str]) -> list[str]:
    """A row of the table, the highest value in bold."""
    best = max(each["value"] for each in point.values())
    cells = [shown(point[kind], 3) for kind in KINDS]
    bold = [f"**{cell}**" if point[kind]["value"] == best else cell for kind, cell in zip(KINDS, cells, strict=True)]
    return [title, *bold, *(verdict(point[kind], lower_is_better=False) for kind in others)]


def draw(path: Path, result: Mapping[str, Any]) -> None:
    """A row of curves per set, a column per sweep. Bars: 95 % over places."""
    sets = result["sets"]
    sweeps = list(next(iter(sets.values()))["curves"])
    figure, axes = plt.subplots(
        len(sets), len(sweeps), figsize=(3.9 * len(sweeps), 3.1 * len(sets)), layout="constrained", squeeze=False,
        sharey="row",
    )  # fmt: skip
    for line, (name, found) in zip(axes, sets.items(), strict=True):
        for axis, sweep in zip(line, sweeps, strict=True):
            points = found["curves"][sweep]
            drawn(axis, points)
            axis.set_xlabel(sweep)
            axis.set_xticks(range(len(points)), list(points))
            axis.spines[["top", "right"]].set_visible(False)
            axis.grid(axis="y", color="#dddddd", linewidth=0.6)
        line[0].set_ylabel("accuracy")
        line[0].set_title(SETS[name], fontsize=10, loc="left")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(KINDS), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def drawn(axis: Any, points: Mapping[str, Any]) -> None:
    """A line per kind of features, slightly offset so that their intervals do not overlap."""
    for number, ((kind, title), colour) in enumerate(zip(KINDS.items(), COLOURS, strict=True)):
        each = [point[kind] for point in points.values()]
        values = [one["value"] for one in each]
        limits = [[value if end is None else end for end in one["interval"]]
                  for value, one in zip(values, each, strict=True)]  # fmt: skip
        reach = [[abs(value - pair[side]) for value, pair in zip(values, limits, strict=True)] for side in (0, 1)]
        where = [at + (number - 2) * 0.06 for at in range(len(values))]
        width = 2.2 if kind == MODEL else 1.2
        axis.errorbar(
            where, values, yerr=reach, color=colour, label=title, marker="o", markersize=3.5, linewidth=width,
            elinewidth=0.8, capsize=0, zorder=3 if kind == MODEL else 2,
        )  # fmt: skip
