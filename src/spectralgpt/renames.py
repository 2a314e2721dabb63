"""Names that moved: the former ones work for one version, with a warning."""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def former_names(room: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a room (PEP 562) some names of which moved.

    names: former name -> `room.name` below spectralgpt, like {"check": "checks.check"}. The object comes with a
    DeprecationWarning that names its new place.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        module, _, new = names[name].rpartition(".")
        warnings.warn(f"{room}.{name} is spectralgpt.{module}.{new} now", DeprecationWarning, stacklevel=2)
        return getattr(importlib.import_module(f"spectralgpt.{module}"), new)

    return find
