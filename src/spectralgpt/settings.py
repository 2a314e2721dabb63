"""Single settings of a configuration changed by their dotted names, as the argument `set` gives them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, NoReturn, TypeVar, get_origin

from spectralgpt.errors import OptionError, argument, did_you_mean
from spectralgpt.plain import (
    TYPE,
    fields_of,
    from_plain,
    is_family,
    kinds_of_tuple,
    takes_none,
    to_plain,
    without_none,
)

Settings = TypeVar("Settings")

FLAGS = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}


def changed(settings: Settings, changes: str | Iterable[str]) -> Settings:
    """The settings with `stages.0.schedule.lr=1e-4` and the like applied, in order; `stages.*.data.batch=64` changes
    all stages. The name of a part may be left out where only one part has the setting: `stages.0.lr`.

    A value has the type of its field; `none` stands for None, `0.2,1.0` for a list. A single change may be given as a
    string. OptionError, naming the change, for an unknown name or a value that does not fit.
    """
    if isinstance(changes, Mapping):
        raise OptionError(
            "set: found a dict", "texts with a name and a value each, like set=['seed=1', 'stages.0.lr=1e-4']"
        )
    given = [changes] if isinstance(changes, str) else list(changes)
    plain = to_plain(settings)
    names: dict[str, list[str]] = {}
    for change in given:
        name, equals, text = change.partition("=")
        if not equals:
            _refuse(change, "found no `=`", "a name and a value, like set='stages.0.lr=1e-4'")
        for path in _paths(plain, name.strip().split("."), change):
            names.setdefault(change, []).append(".".join(map(str, path)))
            kind = _kind_of(type(settings), plain, path, change)
            target = plain
            for part in path[:-1]:
                target = target[part]
            target[path[-1]] = _parsed(kind, text.strip(), change)
    try:
        return from_plain(type(settings), plain)
    except OptionError as error:
        raise error.about(_responsible(names, error)) from None


def _responsible(names: Mapping[str, Sequence[str]], error: OptionError) -> str:
    """The changes that an error about the changed settings is about; all of them if it names none of their settings.

    names: full names of the settings by the change.
    """
    subject = f"{error.found.partition(': ')[0]}."
    about = [
        change
        for change, changed_names in names.items()
        if any(subject.startswith(f"{name}.") or f"{name}.".startswith(subject) for name in changed_names)
    ]
    found = about or list(names)
    return argument("set", found[0] if len(found) == 1 else found)


def _refuse(change: str, found: str, expected: str) -> NoReturn:
    raise OptionError(f"{argument('set', change)}: {found}", expected)


def _paths(plain: Any, parts: list[str], change: str) -> list[list[Any]]:
    """Keys and indices that lead to the named setting; several where the name has a `*`."""
    paths: list[list[Any]] = [[]]
    for depth, part in enumerate(parts):
        longer = []
        for path in paths:
            here = plain
            for each in path:
                here = here[each]
            longer += [[*path, *more] for more in _steps(here, part, ".".join(parts[: depth + 1]), change)]
        paths = longer
    return paths


def _steps(here: Any, part: str, name: str, change: str) -> list[list[Any]]:
    """Keys and indices that lead on from a plain value. OptionError for an unknown name."""
    if isinstance(here, list):
        return [[index] for index in _indices(here, part, change)]
    if isinstance(here, dict) and part in here and part != TYPE:
        return [[part]]
    if isinstance(here, dict) and len(owners := _owners(here, part)) == 1:
        return [[owners[0], part]]
    known = _names(here) if isinstance(here, dict) else []
    within = _within_lists(here, part) if isinstance(here, dict) else ""
    raise OptionError(
        f"{argument('set', change)}: unknown name {name}",
        f"one of: {', '.join(known)}" if known else "no name below a single value",
        f"Did you mean {within}?" if within else did_you_mean(part, known, 0.6),
    )


def _within_lists(here: dict[str, Any], part: str) -> str:
    """The name of a setting of all stages whose number was left out; empty where there is none."""
    for name, value in here.items():
        groups = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
        if any(part in each or len(_owners(each, part)) == 1 for each in groups):
            return f"{name}.{'0' if len(groups) == 1 else '*'}.{part}"
    return ""


def _owners(here: dict[str, Any], name: str) -> list[str]:
    """The parts below that have a field of this name."""
    return [part for part, value in here.items() if isinstance(value, dict) and name in value and name != TYPE]


def _names(here: dict[str, Any]) -> list[str]:
    """The names of the fields here and in the parts below."""
    below = [name for value in here.values() if isinstance(value, dict) for name in value]
    return [name for name in dict.fromkeys([*here, *below]) if name != TYPE]


def _indices(here: list[Any], part: str, change: str) -> range:
    if part == "*":
        return range(len(here))
    if not part.isdecimal() or int(part) >= len(here):
        numbers = "0" if len(here) == 1 else f"a number from 0 to {len(here) - 1}"
        _refuse(change, f"found {part!r}", f"{numbers}, or * for all")
    return range(int(part), int(part) + 1)


def _kind_of(kind: Any, plain: Any, path: Sequence[Any], change: str) -> Any:
    """The type of the field at a path of the plain values."""
    for part in path:
        kind = without_none(kind)
        if is_family(kind):
            kind = kind.of_type(plain[TYPE])
        kind = kinds_of_tuple(kind, len(plain))[part] if isinstance(part, int) else fields_of(kind)[part]
        plain = plain[part]
    one = without_none(kind)
    if is_family(one) or is_dataclass(one):
        _refuse(change, "found the name of a group of settings", "the name of a single one")
    return kind


def _parsed(kind: Any, text: str, change: str) -> Any:
    """The plain value of a text."""
    if text.lower() in ("none", "null", "") and takes_none(kind):
        return None
    one = without_none(kind)
    if get_origin(one) is tuple:
        return _list(one, text, change)
    if one is bool:
        if text.lower() not in FLAGS:
            _refuse(change, f"found {text!r}", "true or false")
        return FLAGS[text.lower()]
    if one in (int, float):
        return _number(one, text, change)
    return text


def _list(kind: Any, text: str, change: str) -> list[Any]:
    words = [word.strip() for word in text.strip("[]()").split(",") if word.strip()]
    kinds = kinds_of_tuple(kind, len(words))
    if len(kinds) != len(words):
        _refuse(change, f"found {len(words)} values", f"{len(kinds)}, separated by commas")
    return [_parsed(each, word, change) for each, word in zip(kinds, words, strict=True)]


def _number(kind: Any, text: str, change: str) -> float | int:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (kind is int and number != int(number)):
        _refuse(change, f"found {text!r}", "a whole number" if kind is int else "a number")
    return int(number) if kind is int else number
