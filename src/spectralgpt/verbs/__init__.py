"""What you can ask for in one line: one public function per file, with the name of the file. A new verb is a new file.

A verb composes the rooms, which it imports inside the function, so that `--help` needs none of them, and returns a
frozen dataclass that prints as text for people. The command line is made from its signature and docstring. Options
that several verbs share are declared in `_options.py`.
"""

import importlib
import os
from collections.abc import Callable
from typing import Any

from spectralgpt.verbs._options import FORMER_NAMES

__all__ = ["FORMER_NAMES", "find", "names"]


def names(folder: str = os.path.dirname(__file__)) -> tuple[str, ...]:
    """Names of the verbs in `folder`, sorted: its Python files, except those that begin with an underscore."""
    files = (os.path.splitext(file) for file in os.listdir(folder))
    return tuple(sorted(stem for stem, ending in files if ending == ".py" and not stem.startswith("_")))


def find(name: str, package: str = __name__) -> Callable[..., Any]:
    """The verb `name` of `package`. AttributeError if its file has no function of that name."""
    verb: Callable[..., Any] = getattr(importlib.import_module(f"{package}.{name}"), name)
    return verb
