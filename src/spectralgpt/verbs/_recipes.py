"""The recipe of a command: by its name or from the config.json of a run, with what the options change."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from spectralgpt.verbs._options import PathLike, PrecisionChoice

if TYPE_CHECKING:
    from spectralgpt.recipes import LabelFacts
    from spectralgpt.training import Recipe


def pretraining_recipe(name: PathLike) -> "Recipe":
    """The recipe of this name, or that of a run."""
    from spectralgpt.recipes import find

    return _of_run(name, "pretraining") or find("pretraining", os.fspath(name))()


def finetuning_recipe(name: PathLike, facts: "LabelFacts") -> "Recipe":
    """The recipe of this name for such labels, or that of a run."""
    from spectralgpt.recipes import find

    before = _of_run(name, "finetuning")
    return find("finetuning", os.fspath(name))(facts) if before is None else _for_labels(before, facts)


def check_changes(name: PathLike, weights: PathLike | None, changes: str | Sequence[str]) -> None:
    """OptionError for a recipe of fine-tuning that does not exist, and for changes that suit no kind of labels: before
    the images are opened, which may take minutes."""
    from typing import get_args

    from spectralgpt.errors import OptionError
    from spectralgpt.recipes import LabelFacts, find
    from spectralgpt.settings import changed
    from spectralgpt.tasks import TargetKind
    from spectralgpt.weights.untrained import UNTRAINED

    if _of_run(name, "finetuning") is None:
        find("finetuning", os.fspath(name))
    start = None if os.fspath(weights or "").partition(":")[0] == UNTRAINED else "some weights"
    refused = []
    for target in get_args(TargetKind):
        try:
            recipe = finetuning_recipe(name, LabelFacts(target, 2, 1000, 128, 2))
        except OptionError:
            continue  # not of such labels
        try:
            changed(replace(recipe, model=replace(recipe.model, weights=start)), changes)
        except OptionError as error:
            refused.append(error)
        else:
            return
    if refused:
        raise refused[0]


def _for_labels(before: "Recipe", facts: "LabelFacts") -> "Recipe":
    """The recipe of a run for other labels of the same kind: classes, and their weights if these are computed, are
    those of the labels."""
    from spectralgpt.tasks.fitting import Fitting

    stages = []
    for stage in before.stages:
        task = stage.task
        if task.labels is not None:
            facts.require(task.labels, f"of a run ({before.name})")
        if isinstance(task, Fitting):
            stage = replace(stage, task=replace(task, classes=0, weights=() if task.balance else task.weights))
        stages.append(stage)
    return replace(before, stages=tuple(stages))


def _of_run(name: PathLike, kind: str) -> "Recipe | None":
    """The recipe in the config.json of a run; None where this is no run. OptionError for a run of the other kind."""
    from spectralgpt.errors import OptionError
    from spectralgpt.plain import from_plain
    from spectralgpt.training import Recipe, run_recipe

    text = os.fspath(name)
    if not (text.endswith(".json") or os.path.isdir(text)):
        return None
    plain = run_recipe(Path(text))
    if plain is None:
        return None
    recipe = from_plain(Recipe, plain)
    is_fitted = recipe.stages[0].task.labels is not None
    if is_fitted != (kind == "finetuning"):
        verbs = ("finetune", "pretrain") if is_fitted else ("pretrain", "finetune")
        raise OptionError(
            f"{text}: is the configuration of a run of {verbs[0]}",
            f"one of {verbs[1]}",
            f"Use it with the verb `{verbs[0]}`",
        )
    return recipe


def with_settings(
    recipe: "Recipe", seed: int | None, precision: PrecisionChoice | None, weights: PathLike | None
) -> "Recipe":
    """The recipe with those of these settings that are given."""
    if seed is not None:
        recipe = replace(recipe, seed=seed)
    if precision is not None:
        recipe = replace(recipe, machine=replace(recipe.machine, precision=precision))
    if weights is not None:
        recipe = replace(recipe, model=replace(recipe.model, weights=_lasting(weights)))
    return recipe


def _lasting(weights: PathLike) -> str:
    """An absolute path, as the run may be continued from another folder; a name on the hub stays as it is."""
    return os.path.abspath(weights) if os.path.exists(weights) else os.fspath(weights)
