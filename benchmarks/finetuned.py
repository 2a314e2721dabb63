"""Fine-tuning on real labelled images of four tasks: from pretrained weights, from scratch, frozen, and baselines.

python benchmarks/finetuned.py DATA WORK --weights W [--only SET ...] [--seeds 0 1 2] [--fractions 0.1 0.25 0.5 1]
        --out docs/results/finetuned.json
    DATA: a folder of real images as for labelled_sets.py. First prints how long it will take. Every way's answers for
    each set, seed and fraction are kept in WORK, and after each one the results are written as JSON with a table (.md)
    and, of fractions, a picture (.png) beside it; a further run goes on where one ended.
"""

import argparse
import hashlib
import json
import math
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from finetuned_answers import Answers, compared, over_seeds
from finetuned_shown import CURVE, FINETUNED, PROBE, SCRATCH, WAYS, write
from finetuned_ways import ONE_RATE, Item, OpenedSet, fitted, probed
from four_tasks import described
from labelled_sets import SETS, labelled_sets

from spectralgpt.progress import silent
from spectralgpt.settings import changed
from spectralgpt.tasks import scores_of
from spectralgpt.training import Recipe
from spectralgpt.verbs._recipes import finetuning_recipe, with_settings
from spectralgpt.verbs._time_estimate import estimated_time, in_words
from spectralgpt.weights import PretrainedModel, TrainedImages, load_model

CLAIMED = [name for name in SETS if name != "nanjing"]
"""All sets but one of a single scene, of which four_tasks.py makes no claim either."""

CURVES = ("eurosat", "eurosat_more")
"""Sets of which fractions are trained on."""

FITTED = (FINETUNED, SCRATCH)

QUICK = ("stages.*.epochs=1", "machine.workers=0")

FROZEN_SECONDS = {"class": 15.0, "classes": 15.0, "mask": 40.0, "change": 90.0}
"""CPU seconds of probe and baselines of a set and seed, for the estimate."""


def planned(sets: Sequence[str], seeds: Sequence[int], fractions: Sequence[float]) -> list[Item]:
    """Everything that is answered, the sets whole first."""
    kinds = (*FITTED, PROBE)
    whole = [Item(name, seed, 1.0, way) for name in sets for seed in seeds for way in kinds]
    return whole + [
        Item(name, seed, fraction, way)
        for name in sets
        if name in CURVES
        for fraction in sorted(set(fractions) - {1.0})
        for seed in seeds
        for way in kinds
    ]


# -- results -----------------------------------------------------------------------------------------------------------


def kept_answers(folder: Path, name: str, seeds: Sequence[int], fraction: float) -> dict[str, list[Answers]]:
    """The answers of all ways for the seeds that are complete; of each way that all of these have."""
    items = [Item(name, seed, fraction, PROBE).folder for seed in seeds]
    done = [folder / each for each in items if all((folder / each / f"{way}.npz").exists() for way in CURVE)]
    return {
        way: [Answers.load(each / f"{way}.npz") for each in done]
        for way in WAYS
        if done and all((each / f"{way}.npz").exists() for each in done)
    }


def case_of(opened: OpenedSet, ways: Mapping[str, Sequence[Answers]]) -> dict[str, Any]:
    """What is said of a set."""
    ours, target = ways[FINETUNED], opened.made.target
    seen = int(sum(each.seen.sum() for each in ours))
    total = sum(len(each.seen) for each in ours)
    return {
        "set": opened.made.name,
        "target": target,
        "score": scores_of(target)[0].name,  # type: ignore[arg-type]
        "counts": {
            "images": len(opened.data.truth),
            "places": opened.data.places.count,
            "seeds": len(ours),
            "test": total,
            "test_seen": seen,
            "train": sum(each.trained["train"] + each.trained["val"] for each in ours),
            "train_seen": sum(each.trained["seen"] for each in ours),
        },
        "columns": compared(ways, target, FINETUNED),
        "unseen_columns": compared(ways, target, FINETUNED, only_unseen=True) if 0 < seen < total else {},
        "cpu_seconds": {way: [round(each.seconds, 1) for each in ways[way]] for way in CURVE},
        "notes": list(opened.made.notes),
    }


def result_of(given: argparse.Namespace, sets: Sequence[OpenedSet]) -> dict[str, Any]:
    """The content of the result file."""
    folder = given.kept / "answers"
    found = {each.made.name: kept_answers(folder, each.made.name, given.seeds, 1.0) for each in sets}
    curves = {name: curve_of(folder, name, given) for name in CURVES if found.get(name) and given.fractions}
    return {
        "command": "python benchmarks/finetuned.py DATA WORK --weights W --out docs/results/finetuned.json",
        "weights": given.described,
        "settings": {
            "recipe": "own",
            "seeds": given.seeds,
            "changes": given.changes,
            "quick": given.quick,
            "scratch": list(ONE_RATE),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("spectralgpt", "torch", "numpy", "scikit-learn")},
        },
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cases": [case_of(each, found[each.made.name]) for each in sets if found[each.made.name]],
        "curves": curves,
    }


def curve_of(folder: Path, name: str, given: argparse.Namespace) -> dict[str, Any]:
    """The score by fraction, then by way."""
    points = {f"{fraction:g}": kept_answers(folder, name, given.seeds, fraction) for fraction in given.fractions}
    return {
        fraction: {way: over_seeds(ways[way], "class") for way in CURVE if way in ways}
        for fraction, ways in points.items()
        if ways
    }


def merged(before: Mapping[str, Any] | None, now: dict[str, Any]) -> dict[str, Any]:
    """The results with those of other sets from before, where they are of the same weights and settings."""
    if before is None or any(before[part] != now[part] for part in ("weights", "settings")):
        return now
    sets = {each["set"]: each for each in (*before["cases"], *now["cases"])}
    return {**now, "cases": list(sets.values()), "curves": {**before["curves"], **now["curves"]}}


def save(given: argparse.Namespace, sets: Sequence[OpenedSet]) -> None:
    """Write the results of these sets beside those of others."""
    before = json.loads(given.out.read_text()) if given.out.exists() else None
    write(given.out, merged(before, result_of(given, sets)))


# -- the run -----------------------------------------------------------------------------------------------------------


def recipe_of(opened: OpenedSet, item: Item, given: argparse.Namespace) -> Recipe:
    """What `finetune` will run."""
    parts = opened.divided(item.seed)
    facts = parts.facts(parts.drawn(item.fraction, item.seed))
    made = with_settings(finetuning_recipe("own", facts), item.seed, None, given.weights)
    return changed(made, given.changes)


def measured(opened: OpenedSet, item: Item, given: argparse.Namespace) -> float:
    """CPU seconds of a fine-tuning, by a few of its steps."""
    recipe, parts = recipe_of(opened, item, given), opened.divided(item.seed)
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(folder) / "shards"
        parts.store(parts.drawn(item.fraction, item.seed), shards, recipe.stages[0].augmentation.image, silent)
        wall, cpu = time.perf_counter(), time.process_time()
        found = estimated_time(recipe, shards, "cpu")
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return math.nan if found is None else found.seconds * share


def announce_time(sets: Mapping[str, OpenedSet], items: Sequence[Item], given: argparse.Namespace) -> None:
    """Print how long the rest will take, from steps of one run per set and fraction."""
    total = 0.0
    for name, fraction in dict.fromkeys((each.set, each.fraction) for each in items):
        own = [each for each in items if (each.set, each.fraction) == (name, fraction)]
        runs = sum(each.way in FITTED for each in own)
        seconds = measured(sets[name], own[0], given) if runs else 0.0
        frozen = (len(own) - runs) * FROZEN_SECONDS[sets[name].made.target]
        each = f"{runs} fine-tunings of {in_words(seconds)} each, probes {in_words(frozen)}"
        print(f"{name}, fraction {fraction:g}: {each}", flush=True)
        total += runs * seconds + frozen
    print(f"estimated CPU time: {in_words(total)}", flush=True)


def kept_name(fingerprint: str, changes: Sequence[str]) -> str:
    """The folder of answers by these weights and a recipe with these changes."""
    name = fingerprint[:12]
    return f"{name}-{hashlib.sha256(' '.join(changes).encode()).hexdigest()[:8]}" if changes else name


def run(given: argparse.Namespace) -> int:
    """Answer what is not answered yet. Returns how many of these failed."""
    model: PretrainedModel = load_model(given.weights, "cpu")
    given.changes = [*given.set, *(QUICK if given.quick else ())]
    given.kept = given.work.resolve() / kept_name(model.fingerprint(), given.changes)
    given.described = described(given.weights, given.trained_on)
    made = labelled_sets(given.data, given.work / "sets", given.only or CLAIMED)
    sets = {each.name: OpenedSet(each, TrainedImages.of(model.provenance)) for each in made}
    answers, failed = given.kept / "answers", 0
    items = [each for each in planned(list(sets), given.seeds, given.fractions) if not (answers / each.path).exists()]
    announce_time(sets, items, given)
    for item in [] if given.estimate else items:
        print(f"{item.set}, fraction {item.fraction:g}, seed {item.seed}, {item.way}", flush=True)
        try:
            found = (probed if item.way == PROBE else fitted)(sets[item.set], item, given)
        except Exception:  # the others are worth having
            traceback.print_exc()
            failed += 1
            continue
        for way, each in reversed(found.items()):  # the probe, which says that all are there, last
            each.save(answers / item.folder / f"{way}.npz")
        save(given, [sets[item.set]])
    if not given.estimate:
        save(given, list(sets.values()))
    return failed


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("data", type=Path)
    made.add_argument("work", type=Path)
    made.add_argument("--weights", required=True)
    made.add_argument("--trained-on", default="", help="the data of the pretraining in words, for the notes")
    made.add_argument("--only", nargs="+", choices=CLAIMED)
    made.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    made.add_argument("--fractions", nargs="*", type=float, default=[], help="of EuroSAT's training images")
    made.add_argument("--set", nargs="+", default=[], help="changes of the recipe, as of finetune")
    made.add_argument("--quick", action="store_true", help="an epoch of each, to see that all works")
    made.add_argument("--estimate", action="store_true", help="only say how long it will take")
    made.add_argument("--out", type=Path, required=True, help="the JSON file; table and picture are written beside it")
    return made


if __name__ == "__main__":
    sys.exit(run(parser().parse_args()))
