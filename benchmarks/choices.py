"""What each choice of the recipe `packaged` is worth: its first stage, trained anew with one choice changed at a time.

python benchmarks/choices.py WORK --out docs/results/choices.json [--only NAME ...] [--seeds 0 1 2] [--images 48000]
    WORK: the folder of packaged_weights.py, with the tables of labelled_sets.py in WORK/sets. Every variant takes the
    same number of images; its run is WORK/choices/NAME-SEED. Writes the results as JSON after each run, with the same
    as a table beside it (.md). A further run goes on where one ended; all variants get their first seed first.
"""

import argparse
import json
import platform
import shutil
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import torch
from choices_table import table
from choosing import Judge
from other_targets import Agreement, MovingCopy, MovingCopyOfHidden, Pairs, register

from spectralgpt.features.baselines import find
from spectralgpt.nn import SIZES
from spectralgpt.plain import differences, from_plain, to_plain
from spectralgpt.recipes.pretraining.packaged import recipe as packaged
from spectralgpt.tasks import Pretraining
from spectralgpt.training import Recipe
from spectralgpt.training.checkpoints import checkpoints
from spectralgpt.training.run_folder import run_recipe
from spectralgpt.training.stages import run_training
from spectralgpt.weights import load_model

IMAGES, SEEDS = 48_000, (0, 1, 2)

SPEED = "speed.json"
"""A file in the folder of a run: images per second of CPU time, since its last start."""

REFERENCES = ("untrained", "statistics", "handmade")
"""Features without any pretraining, judged in the same way."""


@dataclass(frozen=True)
class Choice:
    """A variant of the recipe. differs: in words. stage, model, recipe: changed settings of each; size: of the model's
    size. objective: another way to pretrain."""

    name: str
    differs: str
    stage: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    size: Mapping[str, int] = field(default_factory=dict)
    objective: type[Pretraining] = Pretraining


PLAIN = {"conditional_mean": False}
PAPER = {
    "mask": "random", "mask_ratio": 0.9, "spectral_weight": 1.0, "descriptor_weight": 0.0, "decode_fraction": 1.0,
    "missing_bands": 0.0,
}  # fmt: skip

CHOICES = (
    Choice("base", "the recipe: raw target beside descriptors (weight 3), mixed masks of 75 %"),
    # the target
    Choice("no-descriptors", "pixels alone", {"descriptor_weight": 0.0}),
    Choice("descriptors-1", "descriptors of weight 1", {"descriptor_weight": 1.0}),
    Choice("descriptors-10", "descriptors of weight 10", {"descriptor_weight": 10.0}),
    Choice(
        "descriptors-only",
        "descriptors of weight 1000, with which pixels hardly move the encoder; no spectral loss",
        {"descriptor_weight": 1000.0, "spectral_weight": 0.0},
    ),
    Choice(
        "normalized",
        "each token's values in its own units, which excludes a conditional mean and a spectral loss",
        {"normalized_target": True, "spectral_weight": 0.0},
        PLAIN,
    ),
    Choice(
        "normalized-no-descriptors",
        "the same, without descriptors",
        {"normalized_target": True, "spectral_weight": 0.0, "descriptor_weight": 0.0},
        PLAIN,
    ),
    Choice(
        "moving-copy",
        "instead of descriptors, features of a slowly moving copy at seen tokens",
        {"descriptor_weight": 0.0},
        {"start": "local, copy of seen tokens"},
        objective=MovingCopy,
    ),
    Choice(
        "moving-copy-hidden",
        "instead of descriptors, features of a slowly moving copy at hidden tokens, predicted by the decoder",
        {"descriptor_weight": 0.0},
        {"start": "local, copy of hidden tokens"},
        objective=MovingCopyOfHidden,
    ),
    Choice(
        "moving-copy-descriptors",
        "beside descriptors, features of a slowly moving copy at seen tokens",
        model={"start": "local, copy of seen tokens"},
        objective=MovingCopy,
    ),
    Choice("pairs", "two dates or masks of each sample in a step, in half as many steps", objective=Pairs),
    Choice(
        "agreement",
        "two dates or masks of each sample in a step, whose mean features agree, in half as many steps",
        objective=Agreement,
    ),
    Choice("spectral-0", "no spectral loss", {"spectral_weight": 0.0}),
    Choice("spectral-1", "spectral loss of weight 1", {"spectral_weight": 1.0}),
    # what is hidden
    Choice("mask-random", "random masks", {"mask": "random"}),
    Choice("mask-place", "masks of whole places", {"mask": "place"}),
    Choice("mask-group", "masks of whole groups of bands", {"mask": "group"}),
    Choice("ratio-50", "50 % hidden", {"mask_ratio": 0.5}),
    Choice("ratio-90", "90 % hidden", {"mask_ratio": 0.9}),
    Choice("missing-0", "no step without some bands", {"missing_bands": 0.0}),
    Choice("missing-66", "66 % of steps without some bands", {"missing_bands": 0.66}),
    # the decoder
    Choice("decode-50", "half of the places decoded", {"decode_fraction": 0.5}),
    Choice("decode-100", "all places decoded", {"decode_fraction": 1.0}),
    Choice("decoder-1", "decoder of 1 block", size={"decoder_depth": 1}),
    Choice("decoder-2", "decoder of 2 blocks", size={"decoder_depth": 2}),
    Choice("decoder-96", "decoder of width 96", size={"decoder_dim": 96}),
    Choice("decoder-heads-3", "decoder of 3 heads", size={"decoder_heads": 3}),
    Choice("no-conditional-mean", "the decoder predicts hidden bands itself", model=PLAIN),
    # the encoder, its start and its average
    Choice("depth-6", "encoder of 6 blocks", size={"depth": 6}),
    Choice("heads-6", "encoder of 6 heads", size={"heads": 6}),
    Choice("start-random", "the paper's random start", model={"start": "random"}),
    Choice("no-ema", "the weights of the last step", recipe={"ema": None}),
    Choice(
        "paper",
        "random masks of 90 %, spectral weight 1, all places decoded, random start; no descriptors, no conditional "
        "mean, no missing bands, no average",
        PAPER,
        {**PLAIN, "start": "random"},
        {"ema": None},
    ),
)


def recipe_of(choice: Choice, seed: int, images: int) -> Recipe:
    """The first stage of the recipe with the changes of a choice, for this number of images.

    An objective with several views of a sample makes as many fewer steps.
    """
    made = packaged()
    first = made.stages[0]
    views = getattr(choice.objective, "views", 1)
    changes = {"dates": views, **choice.stage}
    stage = first.but(steps=max(1, images // (first.data.batch * views)), **changes)
    settings = {each.name: getattr(stage.task, each.name) for each in fields(stage.task)}
    model = replace(made.model, **choice.model)
    if choice.size:
        model = replace(model, shape=replace(SIZES[model.size], **choice.size))
    machine = replace(
        made.machine, micro=stage.data.batch, keep=1, picture_every=1_000_000, tensorboard=False, workers=1
    )
    return replace(
        made,
        name=f"packaged, {choice.name}",
        stages=(replace(stage, task=choice.objective(**settings)),),
        model=model,
        seed=seed,
        machine=machine,
        **choice.recipe,
    )


def trained(recipe: Recipe, shards: Path, out: Path) -> None:
    """Train, or go on with it. SystemExit after an interruption, and for a finished run with other settings."""
    if (out / "weights").exists():
        # as this version writes it: settings that are new since then have their defaults
        before = to_plain(from_plain(Recipe, run_recipe(out)))
        changes = [each for each in differences(to_plain(recipe), before) if not each.startswith("machine.")]
        if changes:
            sys.exit(f"{out}: found a run with other settings ({'; '.join(changes[:6])}); remove it to train it anew")
    else:
        start, saved = time.process_time(), steps_saved(out)

        def progress(what: str, step: int, steps: int) -> None:
            if step % 500 == 0:
                print(f"{out.name}: {step} of {steps}, {what}", flush=True)

        found = run_training(recipe, shards, out, progress=progress)
        if not found.finished:
            sys.exit(f"{out}: interrupted; the same command goes on")
        stage = recipe.stages[0]
        images = (found.step - saved) * stage.data.batch * getattr(stage.task, "views", 1)
        if images:
            (out / SPEED).write_text(json.dumps({"speed": images / (time.process_time() - start)}) + "\n")
    # three times as large as the weights, and a run with weights is not resumed
    shutil.rmtree(out / "checkpoints", ignore_errors=True)


def steps_saved(out: Path) -> int:
    """Steps of the newest checkpoint of a run; 0 without one."""
    found = checkpoints(out / "checkpoints")
    return int(found[0].name.removeprefix("step-")) if found else 0


def judged(choice: Choice, out: Path, judge: Judge) -> dict[str, float]:
    """The scores of a finished run, rounded."""
    model = load_model(out / "weights", "cpu", "pretraining")
    scores = judge.of_model(model, pixels=not choice.stage.get("normalized_target", False))
    # a run that was killed just after its last step has none
    speed = json.loads((out / SPEED).read_text()) if (out / SPEED).exists() else {}
    return {name: round(value, 5) for name, value in {**scores, **speed}.items()}


def reference(name: str, judge: Judge) -> dict[str, float]:
    """The scores of features without pretraining, rounded."""
    if name == "untrained":
        scores = judge.of_model(load_model(name, "cpu", "pretraining"), pixels=False)
    else:
        scores = judge.of_features(find(name).images.of)
    return {each: round(value, 5) for each, value in scores.items()}


def result_of(images: int) -> dict[str, Any]:
    """The content of a new result file."""
    return {
        "command": "python benchmarks/choices.py WORK --out docs/results/choices.json",
        "images": images,
        "batch": packaged().stages[0].data.batch,
        "cpu": platform.processor() or platform.machine(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("spectralgpt", "torch", "numpy", "scikit-learn")},
        },
        "references": {},
        "runs": [],
    }


def save(out: Path, result: Mapping[str, Any]) -> None:
    """Write both files."""
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    partial.write_text(json.dumps(result, indent=1) + "\n")
    partial.replace(out)
    out.with_suffix(".md").write_text(table(result))


def run(given: argparse.Namespace) -> int:
    """Train and judge what is not in the results yet. Returns the number of runs that failed."""
    result = json.loads(given.out.read_text()) if given.out.exists() else result_of(given.images)
    if result["images"] != given.images:
        sys.exit(f"{given.out}: found results of {result['images']} images, expected {given.images}")
    judge, failed = Judge(given.work), 0
    for name in REFERENCES:
        if name not in result["references"]:
            result["references"][name] = reference(name, judge)
            save(given.out, result)
    chosen = [each for each in CHOICES if not given.only or each.name in given.only]
    done = {(each["choice"], each["seed"]) for each in result["runs"]}
    for seed, choice in product(given.seeds, chosen):
        if (choice.name, seed) in done:
            continue
        out = given.work / "choices" / f"{choice.name}-{seed}"
        try:
            trained(recipe_of(choice, seed, given.images), given.work / "train_shards", out)
            scores = judged(choice, out, judge)
        except Exception:  # the other choices are worth having
            traceback.print_exc()
            failed += 1
            continue
        result["runs"].append({"choice": choice.name, "differs": choice.differs, "seed": seed, "scores": scores})
        save(given.out, result)
        print(f"{choice.name}, seed {seed}: {json.dumps(scores)}", flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file; the table is written beside it")
    parser.add_argument("--only", nargs="+", choices=[each.name for each in CHOICES], metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--images", type=int, default=IMAGES, help="of each run")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    register()
    return run(given)


if __name__ == "__main__":
    sys.exit(main())
