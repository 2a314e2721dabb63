"""Configurations as frozen dataclasses: to JSON and back, and single values changed by dotted names."""

import dataclasses
import json
import math
import types
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from spectralgpt.errors import OptionError, did_you_mean

Settings = TypeVar("Settings")


class Family(ABC):
    """Settings of which a field may hold any of several types; plain values name it."""

    @classmethod
    @abstractmethod
    def type_name(cls) -> str:
        """The name of this type."""

    @classmethod
    @abstractmethod
    def of_type(cls, name: str) -> type[Any]:
        """The type of this name. OptionError where there is none."""


TYPE = "type"
"""Names which of several settings stands there, of a field that may hold any of a family (Objective)."""


def to_plain(settings: Any) -> Any:
    """Dicts, lists and plain values, for JSON; settings of a family with their `type`."""
    return json.loads(json.dumps(_plain(settings)))


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if not dataclasses.is_dataclass(value):
        return value
    plain = {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return {TYPE: value.type_name(), **plain} if isinstance(value, Family) else plain


def from_plain(kind: type[Settings], values: Any, where: str = "") -> Settings:
    """The settings of plain values; what is left out has its default.

    OptionError for an unknown name (with the nearest), a missing one, or a value of another type.
    """
    result: Settings = _made(kind, values, where)
    return result


def changed(settings: Settings, changes: Sequence[str]) -> Settings:
    """The settings with `stages.0.schedule.lr=1e-4` and the like applied, in order; `stages.*.data.batch=64` changes
    all stages. A name that only one part has may stand without the part's: `stages.0.lr`.

    A value is of the type that its field has; `none` stands for None, a list is `0.2,1.0`. OptionError for an unknown
    name or a value that does not fit.
    """
    plain = to_plain(settings)
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise OptionError(f"--set {change}: found no `=`; expected KEY=VALUE, like --set stages.0.lr=1e-4")
        parts = name.strip().split(".")
        for path in _paths(plain, parts, change):
            kind = _kind_of(type(settings), plain, path, change)
            target = plain
            for part in path[:-1]:
                target = target[part]
            target[path[-1]] = _parsed(kind, text.strip(), change)
    return from_plain(type(settings), plain)


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """`stages.0.lr: 0.001, was 0.002` for each plain value that differs."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys([*one, *other]):
            yield from differences(one.get(key), other.get(key), f"{where}.{key}" if where else str(key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{where}.{number}")
    elif one != other:
        yield f"{where}: {json.dumps(one)}, was {json.dumps(other)}"


def _paths(plain: Any, parts: list[str], change: str) -> list[list[Any]]:
    """Keys and indices that lead to the named value, several where a `*` stands."""
    paths: list[list[Any]] = [[]]
    for depth, part in enumerate(parts):
        longer = []
        for path in paths:
            here = plain
            for each in path:
                here = here[each]
            if isinstance(here, list):
                longer += [[*path, index] for index in _indices(here, part, change)]
            elif isinstance(here, dict) and part in here and part != TYPE:
                longer.append([*path, part])
            elif isinstance(here, dict) and len(owners := _owners(here, part)) == 1:
                longer.append([*path, owners[0], part])
            else:
                known = _names(here) if isinstance(here, dict) else []
                _refuse(".".join(parts[: depth + 1]), part, known, change)
        paths = longer
    return paths


def _owners(here: dict[str, Any], name: str) -> list[str]:
    """The parts below that have a field of this name."""
    return [part for part, value in here.items() if isinstance(value, dict) and name in value and name != TYPE]


def _names(here: dict[str, Any]) -> list[str]:
    """Those of the fields here, and in the parts below."""
    below = [name for value in here.values() if isinstance(value, dict) for name in value]
    return [name for name in dict.fromkeys([*here, *below]) if name != TYPE]


def _indices(here: list[Any], part: str, change: str) -> range:
    if part == "*":
        return range(len(here))
    if not part.isdecimal() or int(part) >= len(here):
        raise OptionError(f"--set {change}: found {part!r}; expected a number from 0 to {len(here) - 1}, or *.")
    return range(int(part), int(part) + 1)


def _refuse(where: str, name: str, known: Sequence[str], change: str) -> None:
    raise OptionError(
        f"--set {change}: found the unknown name {where}; expected one of: {', '.join(known) or 'nothing below it'}."
        f"{did_you_mean(name, known, 0.6)}"
    )


def _kind_of(kind: Any, plain: Any, path: Sequence[Any], change: str) -> Any:
    """The type of the field at a path of the plain values."""
    for part in path:
        kind = _without_none(kind)
        if _is_family(kind):
            kind = kind.of_type(plain[TYPE])
        plain = plain[part]
        if isinstance(part, int):
            inner = get_args(kind)
            kind = inner[0] if len(inner) > 1 and inner[1] is ... else inner[part]
        else:
            kind = get_type_hints(kind)[part]
    if dataclasses.is_dataclass(_without_none(kind)) or _is_family(_without_none(kind)):
        raise OptionError(f"--set {change}: found a name with names below it; expected one of a single value.")
    return kind


def _parsed(kind: Any, text: str, change: str) -> Any:
    """The plain value of a text."""
    if text.lower() in ("none", "null", ""):
        return None if _takes_none(kind) else _made(kind, text, f"--set {change}")
    one = _without_none(kind)
    if get_origin(one) is tuple:
        words = [word for word in text.strip("[]()").split(",") if word.strip()]
        inner = get_args(one)
        kinds = [inner[0]] * len(words) if len(inner) > 1 and inner[1] is ... else list(inner)
        if len(kinds) != len(words):
            raise OptionError(f"--set {change}: found {len(words)} values; expected {len(kinds)}, with commas.")
        return [_parsed(each, word.strip(), change) for each, word in zip(kinds, words, strict=True)]
    if one is bool:
        known = {
            "true": True,
            "yes": True,
            "1": True,
            "on": True,
            "false": False,
            "no": False,
            "0": False,
            "off": False,
        }
        if text.lower() not in known:
            raise OptionError(f"--set {change}: found {text!r}; expected true or false.")
        return known[text.lower()]
    if one in (int, float):
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or (one is int and number != int(number)):
            raise OptionError(
                f"--set {change}: found {text!r}; expected {'a whole number' if one is int else 'a number'}."
            )
        return int(number) if one is int else number
    return text


def _made(kind: Any, value: Any, where: str) -> Any:
    if value is None:
        if _takes_none(kind):
            return None
        raise OptionError(f"{where}: found nothing", f"{_named(kind)}")
    kind = _without_none(kind)
    if _is_family(kind):
        if not isinstance(value, Mapping) or not isinstance(value.get(TYPE), str):
            raise OptionError(f"{where}: found {value!r}", f"names and values, `{TYPE}` among them")
        value = dict(value)
        return _made_dataclass(kind.of_type(value.pop(TYPE)), value, where)
    if dataclasses.is_dataclass(kind):
        return _made_dataclass(kind, value, where)
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        if not isinstance(value, list | tuple):
            raise OptionError(f"{where}: found {value!r}", "a list")
        kinds = [inner[0]] * len(value) if len(inner) > 1 and inner[1] is ... else list(inner)
        if len(kinds) != len(value):
            raise OptionError(f"{where}: found {len(value)} values", f"{len(kinds)}")
        return tuple(
            _made(each, one, f"{where}.{number}") for number, (each, one) in enumerate(zip(kinds, value, strict=True))
        )
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise OptionError(f"{where}: found {value!r}", f"one of: {', '.join(map(str, get_args(kind)))}")
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise OptionError(f"{where}: found {value!r}", f"{_named(kind)}")
    return value


def _made_dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise OptionError(f"{where or kind.__name__}: found {value!r}", "names and values")
    hints = get_type_hints(kind)
    for name in value:
        if name not in hints:
            raise OptionError(
                f"{where + '.' if where else ''}{name}: found an unknown name; expected one of: {', '.join(hints)}."
                + did_you_mean(str(name), hints, 0.6)
            )
    required = {
        each.name
        for each in dataclasses.fields(kind)
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    }
    if missing := sorted(required - set(value)):
        raise OptionError(f"{where or kind.__name__}: found no {', '.join(missing)}", "them")
    fields = {name: _made(hints[name], one, f"{where}.{name}" if where else name) for name, one in value.items()}
    try:
        return kind(**fields)
    except OptionError as error:
        # settings check themselves, and know their own names only
        own = where.rpartition(".")[2]
        text = str(error).removeprefix(f"{own}.") if own else str(error)
        if where:
            text = f"{where}{text.removeprefix(own)}" if text.startswith(f"{own}: ") else f"{where}.{text}"
        raise OptionError(text) from None


def _is_family(kind: Any) -> bool:
    """Whether a field of this type holds settings of one of several types, which the plain values name."""
    return isinstance(kind, type) and issubclass(kind, Family) and not dataclasses.is_dataclass(kind)


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [each for each in get_args(kind) if each is not type(None)]
        if float in kinds:
            return float  # a number, which may be written as a whole one
        assert len(kinds) == 1, f"a setting is of one type or None, not {kind}"
        return kinds[0]
    return kind


def _takes_none(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def _named(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return names.get(_without_none(kind), str(kind))
