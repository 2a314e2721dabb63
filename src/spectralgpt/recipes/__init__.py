"""Runs that can be started by name. Each file has a function `recipe`; a new recipe is a new file (paper_base.py is
`paper-base`)."""

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectralgpt.training.recipe import Recipe

__all__ = ["find", "names"]


def names(folder: str = os.path.dirname(__file__)) -> tuple[str, ...]:
    """Names of the recipes, sorted."""
    files = (os.path.splitext(file) for file in os.listdir(folder))
    return tuple(sorted(stem.replace("_", "-") for stem, ending in files if ending == ".py" and stem[0] != "_"))


def find(name: str) -> "Recipe":
    """The recipe with this name. OptionError with the nearest name if there is none."""
    from spectralgpt.errors import OptionError, did_you_mean

    if name not in names():
        raise OptionError(
            f"unknown recipe {name!r}",
            f"one of: {', '.join(names())}, or the config.json of a run",
            did_you_mean(name, names(), 0.6),
        )
    module = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    recipe: Recipe = module.recipe()
    return recipe
