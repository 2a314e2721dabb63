"""Read-outs that are fitted to frozen features: one file each, with a `METHOD`."""

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from spectralgpt.errors import OptionError, did_you_mean
from spectralgpt.evaluation.method import Method


def names() -> list[str]:
    """The methods: all modules of the room."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str, parts: Sequence[int] = ()) -> Method:
    """The method of this name. OptionError, with the nearest name, for any other.

    parts: numbers of values of the parts that features consist of, which count the same for a method that standardizes
    features (`Standardization.of`); trees ask each value alone.
    """
    known = names()
    if name not in known:
        raise OptionError(f"unknown method {name!r}", f"one of: {', '.join(known)}", did_you_mean(name, known, 0.6))
    method: Any = importlib.import_module(f"{__name__}.{name}").METHOD
    found: Method = replace(method, parts=tuple(parts)) if parts and hasattr(method, "parts") else method
    return found
