"""Read-outs that are fitted to frozen features: one file each, with a `METHOD`."""

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any, cast

from spectralgpt.errors import OptionError, did_you_mean
from spectralgpt.evaluation.method import Method
from spectralgpt.evaluation.parted import Parted


def names() -> list[str]:
    """The methods: all modules of the room."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str, parts: Sequence[int] = ()) -> Method:
    """The method of this name. OptionError, with the nearest name, for any other.

    parts: numbers of values of the two parts that features consist of; a method that standardizes features then chooses
    the share of each, too (`Parted`). Trees ask each value alone.
    """
    known = names()
    if name not in known:
        raise OptionError(f"unknown method {name!r}", f"one of: {', '.join(known)}", did_you_mean(name, known, 0.6))
    method: Any = importlib.import_module(f"{__name__}.{name}").METHOD
    if len(parts) < 2 or not hasattr(method, "parts"):
        return cast(Method, method)
    first, second = parts
    return Parted(method, (first, second))
