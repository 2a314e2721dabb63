"""Frozen dataclasses to plain values and back: the one typed reader and writer of configurations and of what files say.

Plain values are what JSON and TOML hold: dicts, lists, texts, numbers, true, false and None. The type of a field is a
dataclass, a Family, `tuple[X, ...]`, `tuple[X, Y]`, `Mapping[str, X]`, `Literal`, `int`, `float`, `str`, `bool`, or one
of these `| None`; `float | int` is read as a float.
"""

import dataclasses
import json
import os
import types
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from spectralgpt.errors import OptionError, did_you_mean
from spectralgpt.renames import former_names

T = TypeVar("T")

if not TYPE_CHECKING:  # type checkers see the new names only
    __getattr__ = former_names(__name__, {"changed": "settings.changed"})

TYPE = "type"
"""Key of the name of a Family's member among its plain values."""

LONGEST_SHOWN = 80
"""Characters of a wrong value in a message."""


def as_text(given: Any) -> Any:
    """A list as the text that stands for it on the command line, `["B02", "B03"]` as `B02,B03`; all else as it is."""
    if isinstance(given, str | os.PathLike | Mapping) or not isinstance(given, Iterable):
        return given
    return ",".join(f"{each:.10g}" if isinstance(each, float) else str(each) for each in given)


class Family(ABC):
    """Dataclasses, any of which a field may hold; its plain values name the one."""

    @classmethod
    @abstractmethod
    def type_name(cls) -> str:
        """The name of this type."""

    @classmethod
    @abstractmethod
    def of_type(cls, name: str) -> type[Any]:
        """The type of this name. OptionError if there is none."""


def to_plain(value: Any) -> Any:
    """A dataclass as JSON gives it back: dicts in the order of the fields, lists for tuples; a Family's member with its
    `type`. TypeError for what JSON cannot hold."""
    return json.loads(json.dumps(_plain(value)))


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if not dataclasses.is_dataclass(value):
        return value
    plain = {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    return {TYPE: value.type_name(), **plain} if isinstance(value, Family) else plain


def from_plain(kind: type[T], values: Any, *, complete: bool = False) -> T:
    """The dataclass of plain values; a field that is left out has its default, unless they must be complete.

    OptionError, which begins with the dotted name of the field, for an unknown name (with the nearest known one), a
    missing one, a value of another type, and for what the dataclass itself refuses by OptionError or ValueError.
    """
    result: T = _Reader(complete).value(kind, values, "")
    return result


def differences(one: Any, other: Any, where: str = "") -> Iterator[str]:
    """`stages.0.lr: 0.001, was 0.002` for each plain value that differs."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in dict.fromkeys([*one, *other]):
            yield from differences(one.get(key), other.get(key), _joined(where, str(key)))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{where}.{number}")
    elif one != other:
        yield f"{where}: {json.dumps(one)}, was {json.dumps(other)}"


def is_family(kind: Any) -> bool:
    """Whether a field of this type holds a member of a Family, which its plain values name."""
    return isinstance(kind, type) and issubclass(kind, Family) and not dataclasses.is_dataclass(kind)


def without_none(kind: Any) -> Any:
    """The type of a field without None; float for `float | int`."""
    if get_origin(kind) not in (Union, types.UnionType):
        return kind
    kinds = [each for each in get_args(kind) if each is not type(None)]
    if float in kinds:
        return float
    assert len(kinds) == 1, f"a field has one type, or None, not {kind}"
    return kinds[0]


def takes_none(kind: Any) -> bool:
    """Whether a field of this type may be None."""
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def kinds_of_tuple(kind: Any, count: int) -> list[Any]:
    """The types of the values of a tuple, of `count` values where the type leaves their number open."""
    inner = get_args(kind)
    return [inner[0]] * count if len(inner) > 1 and inner[1] is ... else list(inner)


@cache
def fields_of(kind: Any) -> Mapping[str, Any]:
    """The fields of a dataclass with their types."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in dataclasses.fields(kind)}


@cache
def _required(kind: Any) -> tuple[str, ...]:
    missing = dataclasses.MISSING
    return tuple(
        each.name for each in dataclasses.fields(kind) if each.default is missing and each.default_factory is missing
    )


@dataclasses.dataclass(frozen=True, slots=True)
class _Reader:
    """complete: every field must be given. Each method takes the dotted name of what it reads, for messages."""

    complete: bool

    def value(self, kind: Any, value: Any, name: str) -> Any:
        """A value of any type that a field can have."""
        if value is None and takes_none(kind):
            return None
        kind = without_none(kind)
        if is_family(kind):
            return self.member(kind, value, name)
        if dataclasses.is_dataclass(kind):
            return self.dataclass(kind, value, name)
        if get_origin(kind) is tuple:
            return self.tuple(kind, value, name)
        if get_origin(kind) is Mapping:
            return self.mapping(kind, value, name)
        if get_origin(kind) is Literal:
            if value not in get_args(kind):
                raise _wrong(name, value, f"one of: {', '.join(map(str, get_args(kind)))}")
            return value
        return _single(kind, value, name)

    def member(self, kind: Any, value: Any, name: str) -> Any:
        """A member of a Family."""
        if not isinstance(value, Mapping) or not isinstance(value.get(TYPE), str):
            raise _wrong(name, value, f"names and values, `{TYPE}` among them")
        rest = {key: each for key, each in value.items() if key != TYPE}
        return self.dataclass(kind.of_type(value[TYPE]), rest, name)

    def tuple(self, kind: Any, value: Any, name: str) -> tuple[Any, ...]:
        """A tuple, from a list."""
        if not isinstance(value, list | tuple):
            raise _wrong(name, value, "a list")
        kinds = kinds_of_tuple(kind, len(value))
        if len(kinds) != len(value):
            raise OptionError(f"{name}: found {len(value)} values", str(len(kinds)))
        return tuple(
            self.value(each, one, _joined(name, str(number)))
            for number, (each, one) in enumerate(zip(kinds, value, strict=True))
        )

    def mapping(self, kind: Any, value: Any, name: str) -> dict[str, Any]:
        """A dict with any names."""
        if not isinstance(value, Mapping):
            raise _wrong(name, value, "names and values")
        return {key: self.value(get_args(kind)[1], each, _joined(name, str(key))) for key, each in value.items()}

    def dataclass(self, kind: Any, value: Any, name: str) -> Any:
        """A dataclass, from a dict of its fields."""
        if not isinstance(value, Mapping):
            raise _wrong(name or kind.__name__, value, "names and values")
        fields = fields_of(kind)
        for key in value:
            if key not in fields:
                raise OptionError(
                    f"{_joined(name, str(key))}: unknown name",
                    f"one of: {', '.join(fields)}",
                    did_you_mean(str(key), fields, 0.6),
                )
        required = tuple(fields) if self.complete else _required(kind)
        if missing := [key for key in required if key not in value]:
            raise OptionError(
                f"{name or kind.__name__}: found no {' and no '.join(missing)}", f"all of: {', '.join(required)}"
            )
        read = {key: self.value(fields[key], each, _joined(name, key)) for key, each in value.items()}
        try:
            return kind(**read)
        except OptionError as error:
            raise OptionError(_below(name, error.found), error.expected, error.do, *error.advice) from None
        except ValueError as error:
            raise OptionError(f"{name or kind.__name__}: {error}") from None


def _single(kind: Any, value: Any, name: str) -> Any:
    """A text, a number, or true or false. A whole number is also a float."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise _wrong(name, value, "a number that a float can hold") from None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise _wrong(name, value, names.get(kind, str(kind)))
    return value


def _wrong(name: str, value: Any, expected: str) -> OptionError:
    shown = "nothing" if value is None else repr(value)
    shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 3]}..."
    return OptionError(f"{name}: found {shown}", expected)


def _joined(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _below(name: str, found: str) -> str:
    """The message of a dataclass, which names only its own fields, under the full name of the dataclass."""
    own = name.rpartition(".")[2]
    if not name or found.startswith("found "):
        return f"{name}: {found}" if name else found
    if found.startswith(f"{own}: "):
        return name + found.removeprefix(own)
    return f"{name}.{found.removeprefix(f'{own}.')}"
