"""The recipe of a command: by its name or from the config.json of a run, with what the options change."""

import os
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

    return _of_run(name, "finetuning") or find("finetuning", os.fspath(name))(facts)


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
