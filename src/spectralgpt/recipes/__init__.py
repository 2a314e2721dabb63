"""Runs that can be started by name, of two kinds: `pretraining/` and `finetuning/`. Each file there has a function
`recipe`, in fine-tuning of LabelFacts; a new recipe is a new file (paper_base.py is `paper-base`)."""

import importlib
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from spectralgpt.recipes.label_facts import LabelFacts

if TYPE_CHECKING:
    from spectralgpt.training.recipe import Recipe

__all__ = ["LabelFacts", "find", "names"]

RecipeKind = Literal["pretraining", "finetuning"]

RECIPE_VERBS: dict[RecipeKind, str] = {"pretraining": "pretrain", "finetuning": "finetune"}
"""The verb that starts recipes of a kind."""


def names(kind: RecipeKind, folder: str = os.path.dirname(__file__)) -> tuple[str, ...]:
    """Names of the recipes of a kind, sorted."""
    files = (os.path.splitext(file) for file in os.listdir(os.path.join(folder, kind)))
    return tuple(sorted(stem.replace("_", "-") for stem, ending in files if ending == ".py" and stem[0] != "_"))


def find(kind: RecipeKind, name: str) -> "Callable[..., Recipe]":
    """What makes the recipe with this name: of nothing in pretraining, of LabelFacts in fine-tuning. OptionError with
    the nearest name if there is none, and with the other verb for a recipe of the other kind."""
    from spectralgpt.errors import OptionError, did_you_mean

    known = names(kind)
    if name not in known:
        other: RecipeKind = "finetuning" if kind == "pretraining" else "pretraining"
        expected = f"one of: {', '.join(known)}, or the config.json of a run"
        if name in names(other):
            do = f"Use it with the verb `{RECIPE_VERBS[other]}`"
            raise OptionError(
                f"{name!r} is a recipe of {RECIPE_VERBS[other]}, not of {RECIPE_VERBS[kind]}", expected, do
            )
        raise OptionError(f"unknown recipe {name!r}", expected, did_you_mean(name, known, 0.6))
    module: Any = importlib.import_module(f"{__name__}.{kind}.{name.replace('-', '_')}")
    made: Callable[..., Recipe] = module.recipe
    return made
