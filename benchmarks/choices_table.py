"""The results of choices.py as a table: the base recipe, and what each other choice changes."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

BASE = "base"

COLUMNS = {
    "eurosat": "EuroSAT",
    "forest": "forest",
    "land_cover": "land cover",
    "mean": "mean",
    "hidden_bands": "hidden bands",
    "tokens": "token error",
    "speed": "images/s",
}
"""The scores that are shown, and what they are called."""

DIGITS = {"hidden_bands": 4, "speed": 0}
"""Digits after the point, of others 3."""

REFERENCE_TITLES = {
    "untrained": "the same network untrained, the paper's start",
    "statistics": "no network: mean and standard deviation of each band",
    "handmade": "no network: hand-made features",
}

NOTES = (
    "The first row holds values. Every other choice differs from it in one thing, and its row holds the mean "
    "difference to it over the seeds that both have, with the standard deviation of that difference; for speed, the "
    "ratio.",
    "EuroSAT: mean over five classes of the share that is right, 12 images per class, other places; forest, land "
    "cover: mean average precision, folds over places. Frozen features (read-out of four depths), half-whitened, read "
    "by logistic regression. The reported half of what is held back is not among these images; pretraining has seen a "
    "part of them, in every row the same, and no label.",
    "Hidden bands: root mean square error of B11 and B12 of Sentinel-2, hidden with their group, in reflectance. Token "
    "error: mean square error with 75 % of the tokens hidden, divided by that of harmonic interpolation. Both on "
    "images that are held back; lower is better. Empty where a model does not predict pixels in comparable units.",
    "Images/s: images per second of CPU time, on one thread; beside other work on the machine, a third is noise.",
)


def table(result: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    by_choice: dict[str, list[Mapping[str, Any]]] = {}
    for each in result["runs"]:
        by_choice.setdefault(each["choice"], []).append(each)
    base = by_choice.pop(BASE, [])
    head = ["choice", "what differs", *COLUMNS.values(), "seeds"]
    rows = [[BASE, base[0]["differs"], *values(base), str(len(base))]] if base else []
    for name, runs in by_choice.items():
        rows.append([name, runs[0]["differs"], *against(runs, base), str(len(runs))])
    for name, scores in result["references"].items():
        rows.append([name, REFERENCE_TITLES[name], *values([{"scores": scores}]), ""])
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(
        [
            "# Choices of the recipe, one changed at a time",
            "",
            f"Made by `{result['command']}`: {result['images']:,} images per run in batches of {result['batch']}, tiny "
            "model, 64 pixels. Numbers, settings and versions in [choices.json](choices.json).",
            "",
            *lines,
            "",
            *(f"- {each}" for each in (*NOTES, "The last rows hold values of features without pretraining.")),
            "",
        ]
    )


def values(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A cell per column: the mean over seeds and their standard deviation."""
    cells = []
    for name in COLUMNS:
        found = [each["scores"][name] for each in runs if name in each["scores"]]
        cells.append(with_spread(found, f".{DIGITS.get(name, 3)}f") if found else "")
    return cells


def against(runs: Sequence[Mapping[str, Any]], base: Sequence[Mapping[str, Any]]) -> list[str]:
    """A cell per column: the mean difference to the base recipe over common seeds, and its standard deviation; of
    speed the ratio."""
    of_seed = {each["seed"]: each["scores"] for each in base}
    cells = []
    for name in COLUMNS:
        pairs = [
            (each["scores"][name], of_seed[each["seed"]][name])
            for each in runs
            if each["seed"] in of_seed and name in each["scores"]
        ]
        if not pairs:
            cells.append("")
        elif name == "speed":
            cells.append(f"x {statistics.mean(own / other for own, other in pairs):.2f}")
        else:
            cells.append(with_spread([own - other for own, other in pairs], f"+.{DIGITS.get(name, 3)}f"))
    return cells


def with_spread(found: Sequence[float], form: str) -> str:
    """The mean, and of several numbers their standard deviation."""
    mean = format(statistics.mean(found), form)
    return mean if len(found) < 2 else f"{mean} ({statistics.stdev(found):{form.removeprefix('+')}})"
