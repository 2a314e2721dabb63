"""What one can ask for in one line. One public function a file, with the file's name; a new verb is a new file.

A verb composes the rooms, which it imports inside the function, so that `--help` needs none of them, and returns a
frozen dataclass whose `str` is the text for a person. The command line is made from its signature and docstring.
"""

import importlib
import os
from collections.abc import Callable
from typing import Any

__all__ = ["find", "names"]


def names(folder: str = os.path.dirname(__file__)) -> tuple[str, ...]:
    """Names of the verbs in `folder`, sorted: its Python files, except those that begin with an underscore."""
    files = (os.path.splitext(file) for file in os.listdir(folder))
    return tuple(sorted(stem for stem, ending in files if ending == ".py" and not stem.startswith("_")))


def find(name: str, package: str = __name__) -> Callable[..., Any]:
    """The verb `name` of `package`. AttributeError when its file lacks a function of that name."""
    verb: Callable[..., Any] = getattr(importlib.import_module(f"{package}.{name}"), name)
    return verb
