"""The table and the picture of finetuned.py."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from four_tasks import BASELINES, TITLES, against, score_title
from four_tasks import COLUMNS as KINDS

FINETUNED, SCRATCH, PROBE, UNTRAINED = "finetuned", "scratch", "probe", "untrained"

WAYS = {
    FINETUNED: "fine-tuned",
    SCRATCH: "from scratch",
    PROBE: "frozen probe",
    UNTRAINED: "probe, untrained",
    **{name: KINDS[name] for name in BASELINES},
}
"""Ways to answer, and what they are called."""

CURVE = {FINETUNED: "#4477aa", SCRATCH: "#ccbb44", PROBE: "#aa3377"}
"""Ways that are drawn over fractions, with their colours."""

NOTES = (
    "Values are those of the first score of a task on the test images of all seeds together, with 95 % intervals by "
    "bootstrap over places; fewer than 20 places give too narrow an interval. An image in the test of several seeds "
    "counts as often, and is drawn with its place.",
    "Each seed divides the places anew as `finetune` does: a fifth to report on, a fifth to choose by, the rest to "
    "train on; and draws the head and the order of the images. All ways have the same parts.",
    "Fine-tuned: the recipe `own` as it is; masks and change by its light head. From scratch: the same network with "
    "newly drawn weights by the same recipe, but one rate in all layers, as lower rates in lower layers serve to keep "
    "what they learned. Both keep the state of the highest score on val; for masks of two classes and for change that "
    "of the lowest loss, and their threshold is chosen on val afterwards.",
    "Rate, length and mixing of the recipe were chosen by the loss on the part val of EuroSAT, forest classes, "
    "landslides and water, seeds 0 and 1, the head's rate by that of the first three and OSCD, and what heads see of "
    "pairs by that of OSCD, seed 1 (docs/finetuning.md): places that other seeds report on. This favours fine-tuned a "
    "little there; the other sets chose nothing.",
    "The frozen probe and the baselines are fitted on train and chosen on val (k-nearest neighbours, ridge or logistic "
    "regression; hand-made features by extra trees, differencing and NBR by a threshold).",
    "The last three columns are paired differences of the fine-tuned model; open: the interval holds 0. The best of "
    "several columns is picked by the same images, which favours it a little.",
    "EuroSAT: the hand-made set was tuned on its 120 images, so its score is optimistic.",
    "Water: a third of the images are of one place, which is the part test of all seeds: there is no interval.",
    "Landslides: 16 patches in 12 groups without georeference, so patches of one mountain range may be in two groups.",
)


def write(out: Path, result: Mapping[str, Any]) -> None:
    """The JSON file, with the table and, where there are curves, the picture beside it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    out.with_suffix(".md").write_text(table(result, out.stem))
    if result["curves"]:
        draw(out.with_suffix(".png"), result["curves"])


def table(result: Mapping[str, Any], name: str) -> str:
    """The results as Markdown. name: of the files."""
    differences = [f"fine-tuned - {other}" for other in ("from scratch", "probe", "best other")]
    head = ["task", "score", "images, places", "test images, seeds", *WAYS.values(), *differences]
    order = list(TITLES)
    cases = sorted(result["cases"], key=lambda case: order.index(case["set"]))
    rows = [row for case in cases for row in rows_of(case)]
    weights, settings = result["weights"], result["settings"]
    lines = [
        "# Fine-tuning on four tasks",
        "",
        f"Made by `{result['command']}`; numbers, settings and versions in [{name}.json]({name}.json).",
        "",
        *_lines(head, rows),
        "",
        *(_curve_lines(result["curves"], name) if result["curves"] else []),
        f"- Weights: {weights['text']}",
        f"- Seeds: {', '.join(map(str, settings['seeds']))}.",
        *([f"- The recipe is changed by {', '.join(settings['changes'])}."] if settings["changes"] else []),
        *(f"- {note}" for note in [*NOTES, *seen_notes(cases)]),
    ]
    if settings["quick"]:
        lines.insert(2, "NO RESULT: a trial of few steps.\n")
    return "\n".join([*lines, ""])


def rows_of(case: Mapping[str, Any]) -> list[list[str]]:
    """The row of a set, and one of the images alone that pretraining did not see, where it saw some."""
    counts, title = case["counts"], TITLES[case["set"]]
    sizes = f"{counts['images']}, {counts['places']}"
    rows = [[title, score_title(case), sizes, f"{counts['test']}, {counts['seeds']}", *_cells(case["columns"])]]
    if case["unseen_columns"]:
        unseen = f"{counts['test'] - counts['test_seen']}, {counts['seeds']}"
        rows.append([f"{title}; not seen in pretraining", score_title(case), sizes, unseen,
                     *_cells(case["unseen_columns"])])  # fmt: skip
    return rows


def _cells(columns: Mapping[str, Any]) -> list[str]:
    """A cell per way, the best in bold, and the differences."""
    known = {way: each for way, each in columns.items() if each["value"] is not None}
    best = max((each["value"] for each in known.values()), default=None)
    cells = [_cell(known[way], best) if way in known else "" for way in WAYS]
    cells += [against(known[way]) if way in known else "" for way in (SCRATCH, PROBE)]
    return [*cells, best_other(known)]


def _cell(each: Mapping[str, Any], best: float | None) -> str:
    low, high = each["interval"]
    value = f"{each['value']:.3f}"
    value = f"**{value}**" if each["value"] == best else value
    return value if low is None else f"{value} ({low:.3f} to {high:.3f})"


def best_other(columns: Mapping[str, Any]) -> str:
    """The difference to the best way without the pretrained weights."""
    others = {way: each for way, each in columns.items() if way not in (FINETUNED, PROBE)}
    if not others:
        return ""
    way = max(others, key=lambda way: others[way]["value"])
    return f"{WAYS[way]}: {against(others[way])}"


def seen_notes(cases: list[Mapping[str, Any]]) -> list[str]:
    """Sets of which pretraining saw images."""
    notes = []
    for case in cases:
        counts, title = case["counts"], TITLES[case["set"]]
        if counts["test_seen"]:
            notes.append(
                f"{title}: NOT COMPARABLE, pretraining saw {counts['test_seen']} of {counts['test']} test images, "
                "without labels"
            )
        if counts["train_seen"]:
            notes.append(
                f"{title}: pretraining saw {counts['train_seen']} of {counts['train']} images that are trained on or "
                "chosen by, without labels"
            )
    return [f"{note}." for note in notes]


def _lines(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]


# -- fractions ---------------------------------------------------------------------------------------------------------


def _curve_lines(curves: Mapping[str, Any], name: str) -> list[str]:
    """The scores by fraction of the training images: mean and standard deviation over seeds."""
    lines = ["## Fewer training images", "", f"![]({name}.png)", ""]
    for made_set, fractions in curves.items():
        rows = [
            [fraction, _range(ways), *(_mean(ways[way]) if way in ways else "" for way in CURVE)]
            for fraction, ways in fractions.items()
        ]
        head = ["share", "training images", *(WAYS[way] for way in CURVE)]
        lines += [f"{TITLES[made_set]}: mean and standard deviation over seeds", "", *_lines(head, rows), ""]
    return lines


def _range(ways: Mapping[str, Any]) -> str:
    """How many images are trained on, in all seeds."""
    counts = [count for each in ways.values() for count in each["train"]]
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least} to {most}"


def _mean(each: Mapping[str, Any]) -> str:
    return f"{each['mean']:.3f}" if each["spread"] is None else f"{each['mean']:.3f} ± {each['spread']:.3f}"


def draw(path: Path, curves: Mapping[str, Any]) -> None:
    """A panel per set. Bars: a standard deviation over seeds."""
    figure, axes = plt.subplots(1, len(curves), figsize=(4.4 * len(curves), 3.3), layout="constrained", squeeze=False)
    for axis, (name, fractions) in zip(axes[0], curves.items(), strict=True):
        for number, (way, colour) in enumerate(CURVE.items()):
            points = {at: ways[way] for at, ways in enumerate(fractions.values()) if way in ways}
            axis.errorbar(
                # slightly offset, so that bars do not overlap
                [at + (number - 1) * 0.05 for at in points], [each["mean"] for each in points.values()],
                yerr=[each["spread"] or 0.0 for each in points.values()], color=colour, label=WAYS[way], marker="o",
                markersize=3.5, linewidth=1.5, elinewidth=0.8,
            )  # fmt: skip
        axis.set_xticks(range(len(fractions)), [f"{float(each):.0%}" for each in fractions])
        axis.set_xlabel("share of the training images")
        axis.set_title(TITLES[name], fontsize=10, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes[0][0].set_ylabel("accuracy")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(CURVE), frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
