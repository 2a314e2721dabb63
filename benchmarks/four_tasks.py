"""Probes of frozen features on real labelled images of four tasks, beside the same network untrained and baselines.

python benchmarks/four_tasks.py DATA WORK --weights W [--only SET ...] --out docs/results/four_tasks.json
    DATA: a folder of real images as for labelled_sets.py. Writes labelled sets and reports into WORK, and after each
    set the results as JSON, with the same as a table beside it (.md). A further run goes on where one ended; --again
    repeats what is there.
"""

import argparse
import json
import math
import platform
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labelled_sets import SETS, MadeSet, labelled_sets, restricted
from together import Difference, together

from spectralgpt.features.baselines import find
from spectralgpt.tasks import scores_of
from spectralgpt.verbs.probe import Probed, probe
from spectralgpt.weights import load_model
from spectralgpt.weights.named import versioned_name

FOLDS = 5
IMAGE_REPEATS = 10
MASK_REPEATS = 1
"""Of folds. Every pixel of every image is answered in each, by each method; the interval over places, which is much
wider than the spread over folds, does not need more."""

UNTRAINED = "untrained"
UNTRAINED_TITLE = "the same network untrained"
BESIDE = "handmade"
"""What stands beside the model's features in a column of its own, for image labels."""

BASELINES = ("statistics", "convolutions", "handmade", "differencing", "nbr")

COLUMNS = {
    "model": "pretrained",
    UNTRAINED: "untrained",
    "statistics": "band statistics",
    "convolutions": "random convolutions",
    "handmade": "hand-made, extra trees",
    "differencing": "differencing",
    "nbr": "NBR difference",
    "beside": "pretrained with hand-made beside",
}
"""Columns of the table: kinds of features, and what they are called."""

TITLES = {
    "eurosat": "EuroSAT, 10 classes",
    "eurosat_more": "EuroSAT, 5 classes, other places",
    "forest_classes": "forest classes in a patch",
    "land_cover": "land cover in a chip",
    "water": "water",
    "forest": "forest",
    "landslides": "landslides",
    "oscd": "OSCD, urban change",
    "damage": "bark-beetle damage",
    "nanjing": "Nanjing, change (no claim)",
}

NO_CLAIM = ("nanjing",)
"""Sets that show that a task runs, but are no measure of it."""

READ_OUTS = {"auto": "last block", "layers": "four depths"}
"""What is read of the model for image labels."""

NOTES = (
    "Values are those of the first score of a task, with 95 % intervals by bootstrap over places: how much they vary "
    "with the places, not with the pretraining. Fewer than 20 places give too narrow an interval.",
    "The probe is the read-out that inner folds choose: k-nearest neighbours, ridge or logistic regression. The same "
    "holds for the untrained network, statistics and convolutions. Hand-made features are read by 300 extremely "
    "randomized trees (pixels by 100), differencing and the NBR difference by a threshold that inner folds choose.",
    f"{FOLDS} folds over places, repeated {IMAGE_REPEATS} times for image labels and once for masks and change.",
    "Other folds move these values too, which the intervals do not cover: the ten repeats of EuroSAT differ by 0.02 "
    "to 0.04 (standard deviation), and two draws of ten gave 0.750 and 0.721 for the four depths.",
    "The last three columns are paired differences; open: the interval holds 0. The best of several columns is picked "
    "by the same images, which favours it a little. The best other column is one without the model's features.",
    "With hand-made beside: the same probe of both kinds of features side by side, where inner folds also choose how "
    "much each counts; alone, hand-made features are read by the probe as well, and the better of the two counts.",
    "EuroSAT: the hand-made set was tuned on these 120 images, so its score is optimistic.",
    "Landslides: 16 patches in 12 groups without georeference, so patches of one mountain range may be in two groups.",
    "Nanjing is one scene of raw digital numbers with sparse labels, split into blocks that touch: no claim.",
)

UNLISTED = (
    "These weights do not list the images of their pretraining: that it saw none of the images below follows from the "
    "choice of data sets alone."
)


def columns_of(found: Probed) -> dict[str, dict[str, Any]]:
    """The score of each kind of features, by column: of the model, that of the chosen method."""
    titles = {UNTRAINED_TITLE: UNTRAINED, **{find(name).title: name for name in BASELINES}}
    model, *others = found.methods
    columns = {"model": scored(model)}
    for each in others:
        if each.features in titles:
            columns[titles[each.features]] = scored(each)
    return columns


def column_beside(beside: Probed) -> dict[str, Any]:
    """The column of the model with hand-made features beside it; difference: of the model alone to both."""
    both, alone = beside.methods[0], parts_alone(beside)[0]
    low, high = (None if end is None else -end for end in reversed(alone["difference_interval"]))
    less = alone["difference"]
    return {**scored(both), "difference": None if less is None else -less, "difference_interval": [low, high]}


def parts_alone(beside: Probed) -> list[dict[str, Any]]:
    """The model alone, then the hand-made features alone by each method; difference: of both to it."""
    own = beside.methods[0].features
    return [{"features": each.features, **scored(each)} for each in beside.methods if each.features != own]


def scored(each: Any) -> dict[str, Any]:
    """A score in plain values; difference: of the probe to it."""
    return {
        "method": each.method,
        "value": number(each.value),
        "interval": [number(each.low), number(each.high)],
        "difference": number(each.difference),
        "difference_interval": [number(each.difference_low), number(each.difference_high)],
    }


def number(value: float) -> float | None:
    """Rounded; None where it is not defined, which JSON has no number for."""
    return None if math.isnan(value) else round(value, 5)


def case_of(
    each: MadeSet, read_out: str, repeats: int, found: Probed, cpu: float, beside: Probed | None = None
) -> dict[str, Any]:
    """What is kept of a probe, and of one with hand-made features beside those of the model."""
    columns = columns_of(found)
    if beside is not None:
        columns["beside"] = column_beside(beside)
    own = [scored(one) for one in found.methods if one.features == found.methods[0].features]
    return {
        "set": each.name,
        "target": each.target,
        "read_out": read_out,
        "score": found.score,
        "counts": dict(found.counts),
        "split": found.split,
        "settings": {"folds": FOLDS, "repeats": repeats, "apart_km": 1.0, "seed": 0, "method": "auto"},
        "columns": columns,
        "beside": [] if beside is None else parts_alone(beside),
        "methods": own,
        "scores": {name: number(value) for name, value in found.scores.items()},
        "per_class": dict(found.per_class),
        "seen_in_pretraining": found.seen,
        "fingerprint": found.fingerprint,
        "seconds": round(found.seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "notes": list(each.notes),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def probed(each: MadeSet, read_out: str, given: argparse.Namespace) -> dict[str, Any]:
    """Probe a set."""
    of_images = each.target in ("class", "classes")
    repeats = given.repeats if of_images else given.mask_repeats
    start = time.process_time()
    judged = partial(
        probe,
        each.source,
        bands=each.bands or None,
        classes=each.classes or None,
        ignore=None if each.ignore is None else str(each.ignore),
        trust_input=each.trust_input,
        weights=given.weights,
        read_out=read_out,
        split="places",
        folds=FOLDS,
        repeats=repeats,
    )
    report = given.work / "reports" / f"{each.name}_{read_out}"
    found = judged(baselines=True, out=report)
    beside = judged(beside=BESIDE, out=report.with_name(f"{report.name}_{BESIDE}")) if of_images else None
    return case_of(each, read_out, repeats, found, time.process_time() - start, beside)


# -- the table ---------------------------------------------------------------------------------------------------------


def table(result: Mapping[str, Any]) -> str:
    """The results as Markdown."""
    differences = ["pretrained - untrained", "pretrained - best other", "with hand-made beside - best alone"]
    head = ["task", "score", "images, places", *COLUMNS.values(), *differences]
    order = list(TITLES)
    cases = sorted(result["cases"], key=lambda case: (order.index(case["set"]), case["read_out"]))
    rows = [
        [
            *(row_title(case), score_title(case), sizes(case), *values(case)),
            *(against(case["columns"][UNTRAINED]), verdict(case), gain(case)),
        ]
        for case in cases
    ]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    weights = result["weights"]
    listed = [] if weights.get("lists_its_images") else [UNLISTED]
    missing = ", ".join(title for name, title in TITLES.items() if name not in {case["set"] for case in cases})
    gaps = [f"Not measured with these weights: {missing}."] if missing else []
    notes = [f"Weights: {weights['text']}", *listed, *gaps, *all_tasks(cases), *NOTES, *seen_notes(cases)]
    return "\n".join(
        [
            "# Four tasks: probes of frozen features",
            "",
            f"Made by `{result['command']}`; numbers, settings and versions in [four_tasks.json](four_tasks.json).",
            "",
            *lines,
            "",
            *(f"- {note}" for note in notes),
            "",
        ]
    )


def row_title(case: Mapping[str, Any]) -> str:
    """Of the task, for image labels with what is read of the model."""
    title = TITLES[case["set"]]
    return f"{title}; {READ_OUTS[case['read_out']]}" if case["target"] in ("class", "classes") else title


def score_title(case: Mapping[str, Any]) -> str:
    return next(score.title for score in scores_of(case["target"]) if score.name == case["score"])


def sizes(case: Mapping[str, Any]) -> str:
    return f"{case['counts']['images']}, {case['counts']['places']}"


def values(case: Mapping[str, Any]) -> list[str]:
    """A cell per column, the best in bold."""
    columns = case["columns"]
    best = max(each["value"] for each in columns.values() if each["value"] is not None)
    cells = []
    for name in COLUMNS:
        each = columns.get(name)
        if each is None or each["value"] is None:
            cells.append("")
            continue
        value = f"{each['value']:.3f}"
        low, high = each["interval"]
        shown = f"**{value}**" if each["value"] == best else value
        cells.append(shown if low is None else f"{shown} ({low:.3f} to {high:.3f})")
    return cells


def verdict(case: Mapping[str, Any]) -> str:
    """The difference to the best other column without the model's features."""
    own = ("model", "beside")
    others = {name: each for name, each in case["columns"].items() if name not in own and each["value"] is not None}
    name = max(others, key=lambda name: others[name]["value"])
    return f"{COLUMNS[name]}: {against(others[name])}"


def gain(case: Mapping[str, Any]) -> str:
    """How much more both kinds of features score than the better of them alone; empty where they were not judged."""
    alone = [each for each in case.get("beside", ()) if each["value"] is not None]
    if not alone:
        return ""
    best = max(alone, key=lambda each: each["value"])
    title = COLUMNS["model"] if best is alone[0] else "hand-made"
    return f"{title}, {best['method']}: {against(best)}"


def against(each: Mapping[str, Any]) -> str:
    """The difference to a score, and whether its interval excludes 0."""
    low, high = each["difference_interval"]
    words = f"{each['difference']:+.3f}"
    if low is None:
        return words
    said = "better" if low > 0 else "worse" if high < 0 else "open"
    return f"{words} ({low:+.3f} to {high:+.3f}), {said}"


def all_tasks(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """The differences to each other column, over the tasks that make a claim and of which pretraining saw no image."""
    claims = [each for each in cases if each["read_out"] == "auto" and each["set"] not in NO_CLAIM]
    fair = [each for each in claims if not each["seen_in_pretraining"]]
    words = []
    for name, title in COLUMNS.items():
        shown = [each["columns"].get(name) for each in fair] if name not in ("model", "beside") else [None]
        if all(shown) and len(shown) > 1:
            every = together([Difference(one["difference"], *one["difference_interval"]) for one in shown])
            words.append(f"{title}: {against(every.plain)}")
    if not words:
        return []
    of = ", ".join(TITLES[each["set"]] for each in fair)
    return [
        f"All tasks that make a claim and of which pretraining saw no image ({of}), the mean difference of the "
        f"pretrained network to {'; '.join(words)}. The interval takes the tasks as independent."
    ]


def seen_notes(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sets of which pretraining saw images."""
    seen = {TITLES[case["set"]]: case["seen_in_pretraining"] for case in cases if case["seen_in_pretraining"]}
    return [
        f"{title}: pretraining saw {count} of the images, so the score is too good." for title, count in seen.items()
    ]


# -- the run -----------------------------------------------------------------------------------------------------------


def described(weights: str, trained_on: str) -> dict[str, Any]:
    """What the weights are, without where they lie."""
    model = load_model(weights, "cpu")
    made = model.provenance
    name = "" if Path(weights).exists() else f"{versioned_name(weights)}: "
    recipe = f"recipe {made['recipe']}, " if made.get("recipe") else ""
    text = f"{name}{recipe}{made.get('steps', 'unknown number of')} steps, fingerprint {model.fingerprint()[:16]}"
    return {
        "text": f"{text}. Trained on {trained_on}." if trained_on else f"{text}.",
        "lists_its_images": "images" in made,
        "fingerprint": model.fingerprint(),
        "provenance": {name: made[name] for name in ("recipe", "stages", "steps", "data", "seed") if name in made},
    }


def result_of(given: argparse.Namespace, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """The content of the result file."""
    part = f"--part {given.part} --parts WORK/parts.csv " if given.part else ""
    return {
        "command": f"python benchmarks/four_tasks.py DATA WORK --weights W {part}--out docs/results/four_tasks.json",
        "weights": described(given.weights, given.trained_on),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("spectralgpt", "torch", "numpy", "scikit-learn")},
        },
        "cases": cases,
    }


def save(out: Path, result: Mapping[str, Any]) -> None:
    """Write both files."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n")
    out.with_suffix(".md").write_text(table(result))


def run(given: argparse.Namespace) -> int:
    """Probe what is not there yet. Returns the number of sets that failed."""
    cases = json.loads(given.out.read_text())["cases"] if given.out.exists() else []
    result = result_of(given, cases)
    failed = 0
    for each in labelled_sets(given.data, given.work / "sets", given.only or list(SETS)):
        if given.part:
            each = restricted(each, given.part, given.parts)
        for read_out in READ_OUTS if each.target in ("class", "classes") else ("auto",):
            same = [case for case in cases if (case["set"], case["read_out"]) == (each.name, read_out)]
            if same and same[0]["fingerprint"] == result["weights"]["fingerprint"] and not given.again:
                continue
            print(f"{each.name}, {read_out}", flush=True)
            try:
                case = probed(each, read_out, given)
            except Exception:  # the other sets are worth having
                traceback.print_exc()
                failed += 1
                continue
            cases[:] = [other for other in cases if other not in same] + [case]
            save(given.out, result)
            print(json.dumps(case["columns"]), flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--trained-on", default="", help="the data of the pretraining in words, for the notes")
    parser.add_argument("--only", nargs="+", choices=list(SETS))
    parser.add_argument("--part", choices=("train", "choose", "report"), help="only the places of this part")
    parser.add_argument("--parts", type=Path, help="the file that parts.py wrote, for --part")
    parser.add_argument("--again", action="store_true", help="also what the results have already")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file; the table is written beside it")
    parser.add_argument("--repeats", type=int, default=IMAGE_REPEATS, help="of folds, for images")
    parser.add_argument("--mask-repeats", type=int, default=MASK_REPEATS, help="of folds, for masks")
    given = parser.parse_args()
    if given.part and not given.parts:
        parser.error("--part needs --parts")
    return run(given)


if __name__ == "__main__":
    sys.exit(main())
