"""Arguments of public functions: a value of another type than the annotation gets a sentence, not a TypeError from deep
inside."""

import inspect
import os
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import cache, wraps
from numbers import Integral, Real
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Literal,
    Protocol,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from spectralgpt.errors import OptionError, argument

Checked = TypeVar("Checked", bound=Callable[..., Any])

LONGEST_VALUE = 60
"""Characters of a wrong value in a message."""

EXPECTED = {
    "aoi": "a path of a GeoJSON file",
    "bands": "a sensor like 's2-l2a', or names or wavelengths (nm) as a text like 'B02,B03' or a list like [490, 560]",
    "clouds": "auto, scl, qa, fmask, or paths of masks",
    "dates": "dates like '2020-05-01' as a text with commas, or a list of these",
    "gsd": "metres on the ground, like 10",
    "nodata": "a stored value like 0, several as a list, or 'none'",
    "offset": "a number, or a list with one per band",
    "picture": "a path to write, ending in .png",
    "scale": "a number, or a list with one per band",
    "target": "a path of a file or folder to write",
    "weights": "a path or a name of weights",
    "window": "a Window(row, column, height, width)",
}
"""What arguments of a meaning of their own take; others are described by their type."""

TYPES_IN_WORDS: dict[Any, str] = {
    bool: "True or False",
    float: "a number",
    int: "a whole number",
    str: "a text",
    type(None): "None",
}


@runtime_checkable
class ListInPython(Protocol):
    """A list in Python, in place of a text with commas: `["B02", "B03"]` is `B02,B03`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


def checked(function: Checked) -> Checked:
    """The function, which raises OptionError for an argument of another type than its annotation."""

    @cache
    def kinds() -> dict[str, tuple[Any, frozenset[Any]]]:
        """The annotation of each argument, and the types whose values it takes as they are."""
        found = get_type_hints(function, include_extras=True)
        return {name: (kind, frozenset(_members(kind)) - {str}) for name, kind in found.items()}

    names = tuple(inspect.signature(function).parameters)

    def one(name: str, value: Any) -> Any:
        kind, as_they_are = kinds().get(name, (Any, ()))
        return value if type(value) in as_they_are else taken(name, value, kind)

    @wraps(function)
    def call(*arguments: Any, **given: Any) -> Any:
        values = [*map(one, names, arguments)]
        values += arguments[len(values) :]
        return function(*values, **{name: one(name, value) for name, value in given.items()})

    return cast(Checked, call)


def taken(name: str, value: Any, kind: Any) -> Any:
    """The value as the annotation takes it: NumPy's scalars as Python's, an array of one axis as a list, a whole number
    as a float. OptionError if it does not fit."""
    if kind is Any or kind is object:
        return value
    value = _as_python(value)
    if isinstance(value, str) and not value.strip() and fits(Path(), kind):
        raise OptionError(argument(name, value), EXPECTED.get(name) or in_words(kind))
    if not fits(value, kind):
        raise OptionError(found_value(name, value), EXPECTED.get(name) or in_words(kind))
    if isinstance(value, int) and not any(fits(value, each) for each in _members(kind) if each is not float):
        return float(value)
    return value


def _members(kind: Any) -> tuple[Any, ...]:
    """The types of a union, or the type alone."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def fits(value: Any, kind: Any) -> bool:
    """Whether a value has the type of an annotation. A whole number is a float, True is no number, and a list may be of
    any kind that has a length, but for texts and mappings."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in get_args(kind))
    if origin is Literal:
        return isinstance(value, str | int | None) and value in get_args(kind)
    if _is_list_of(kind):
        inner = get_args(kind)
        return _is_list(value) and all(fits(each, inner[0]) if inner else _is_word(each) for each in value)
    return _is_of(value, origin or kind)


def _is_of(value: Any, kind: Any) -> bool:
    """A value of a type without parameters."""
    if kind is Any or kind is object or isinstance(kind, TypeVar):
        return True
    if kind in (float, int):
        return _is_number(value) and (kind is float or isinstance(value, Integral))
    try:
        return isinstance(value, kind)
    except TypeError:  # a protocol that is not for run time
        return True


def _is_word(value: Any) -> bool:
    """Whether a value can be part of a text with commas."""
    return _is_number(value) or isinstance(value, str | os.PathLike | date) or type(value).__name__ == "datetime64"


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _as_python(value: Any) -> Any:
    """A scalar of NumPy or torch as a number or text; an array of one axis or an iterator as a list; else the same."""
    shape = getattr(value, "shape", None)
    if shape == () and hasattr(value, "item"):
        plain = value.item()
        # a datetime64 in nanoseconds would become a number
        return plain if getattr(value.dtype, "kind", "") not in ("m", "M") else value
    if isinstance(shape, tuple) and len(shape) == 1 and hasattr(value, "tolist"):
        return [_as_python(each) for each in value]
    if isinstance(value, Iterator):
        return list(value)
    return type(value)(map(_as_python, value)) if type(value) in (list, tuple) else value


def _is_list_of(kind: Any) -> bool:
    """Whether an annotation is of a list."""
    origin = get_origin(kind) or kind
    if not isinstance(origin, type) or origin in (str, bytes):
        return False
    return origin is ListInPython or issubclass(origin, Sequence)


def _is_list(value: Any) -> bool:
    if isinstance(value, str | bytes | os.PathLike | Mapping) or getattr(value, "ndim", 1) != 1:
        return False
    return isinstance(value, ListInPython)


def found_value(name: str, value: Any) -> str:
    """`gsd='ten': found a text`, or the type alone of a value that is too long to be shown."""
    shown = argument(name, value) if isinstance(value, str | int | float | list | tuple | dict | None) else ""
    if not shown or len(shown) > LONGEST_VALUE or "\n" in shown:
        return f"{name}: found {_kind_of(value)}"
    return f"{shown}: found {_kind_of(value)}"


def _kind_of(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    if _is_number(value):
        return "a number"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"an array ({type(value).__name__}) of shape {tuple(map(int, shape))}"
    if isinstance(value, list | tuple) and value:
        inner = list(dict.fromkeys(type(each).__name__ for each in value))
        return f"a {type(value).__name__} of {', '.join(inner[:3])}"
    if isinstance(value, list | tuple | dict | set) and not value:
        return f"an empty {type(value).__name__}"
    if isinstance(value, str | dict | set):
        return "a text" if isinstance(value, str) else f"a {type(value).__name__}"
    return f"an object of type {type(value).__name__}"


def in_words(kind: Any) -> str:
    """What an annotation takes: `a number or a list of texts`."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(in_words(each) for each in get_args(kind) if each is not type(None)))
        words = [word for word in words if word != "a text" or "a path" not in words]  # a path may be a text
        return " or ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} or {words[-1]}"
    if origin is Literal:
        return f"one of: {', '.join(str(each) for each in get_args(kind) if each is not None)}"
    if _is_list_of(kind):
        inner = in_words(get_args(kind)[0]) if get_args(kind) else ""
        return (
            f"a list of {inner.removeprefix('a ')}s" if inner.startswith("a ") and inner.count(" ") == 1 else "a list"
        )
    plain = origin or kind
    if isinstance(plain, type) and issubclass(plain, os.PathLike):
        return "a path"
    if plain is date:
        return "a date"
    return TYPES_IN_WORDS.get(plain) or f"an object of type {getattr(plain, '__name__', plain)}"
