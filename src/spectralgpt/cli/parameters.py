"""What a command asks for, read from the signature and the docstring of its verb.

Parameters that can be given by position are the arguments of the command, in the same order; one that takes several
values (`sources: PathLike | Sequence[PathLike]`) is variadic, as in `cp SOURCE... TARGET`. Keyword-only parameters are
options: `bands_as` is `--bands-as`, a bool is a flag, a Literal is a choice. `progress` is not asked for.
"""

import inspect
import os
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from spectralgpt.cli import docstring

Verb = Callable[..., Any]

RESERVED = ("help", "json", "quiet", "version")
FROM_THE_COMMAND_LINE = ("progress", "announce")
"""Parameters that the command line fills itself."""
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a verb as the command line sees it.

    kind: str, int, float, bool, a Literal, or a list of one of these. default: `REQUIRED` if it has none.
    """

    name: str
    positional: bool
    kind: Any
    default: Any
    help: str

    @property
    def several(self) -> bool:
        return get_origin(self.kind) is list

    @property
    def spelling(self) -> str:
        """`TARGET` or `SOURCE...` for an argument, `--bands-as` for an option."""
        if not self.positional:
            return f"--{self.name.replace('_', '-')}"
        return f"{self.name.removesuffix('s')}...".upper() if self.several else self.name.upper()

    @property
    def value(self) -> str:
        """What an option takes: `TEXT`, `all|group`; empty for a flag."""
        one = get_args(self.kind)[0] if self.several else self.kind
        if get_origin(one) is Literal:
            return "|".join(str(choice) for choice in get_args(one))
        return {str: "TEXT", int: "INTEGER", float: "NUMBER", bool: ""}[one]

    @property
    def row(self) -> tuple[str, str]:
        """Its line in the help: how it is spelled, and what it means, with the default if that says anything."""
        if self.positional:
            left = self.spelling
        elif self.default is True:
            left = f"{self.spelling} / --no-{self.spelling[2:]}"
        else:
            left = f"{self.spelling} {self.value}".rstrip()
        # by identity: 0 equals False, but is a default worth showing
        silent = any(self.default is nothing for nothing in (REQUIRED, None, False, True, ()))
        default = "" if silent else f" [default: {self.default}]"
        if self.default is REQUIRED and not self.positional:
            default = " [required]"
        return left, self.help + default


def parameters(verb: Verb) -> tuple[Parameter, ...]:
    """The parameters that a user gives, in the order of the signature. TypeError for one that no command can take."""
    hints = get_type_hints(verb)
    documented = docstring.parse(verb.__doc__ or "").args
    found = []
    for parameter in inspect.signature(verb).parameters.values():
        if parameter.name in FROM_THE_COMMAND_LINE:
            continue
        if parameter.name in RESERVED:
            raise TypeError(f"{verb.__name__}: the command line has its own --{parameter.name}, so no verb may")
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{verb.__name__}: {parameter} is neither an argument nor an option")
        found.append(
            Parameter(
                name=parameter.name,
                positional=parameter.kind is parameter.POSITIONAL_OR_KEYWORD,
                kind=_spoken(hints[parameter.name], f"{verb.__name__}, {parameter.name}"),
                default=parameter.default,
                help=documented.get(parameter.name, ""),
            )
        )
    return tuple(found)


def _is_object(annotation: Any) -> bool:
    """Whether only Python can give it: a protocol of ours, in place of a path."""
    return isinstance(annotation, type) and getattr(annotation, "_is_protocol", False) and not _is_path(annotation)


def _is_path(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, os.PathLike)


def _spoken(annotation: Any, place: str) -> Any:
    """The type that the command line takes for an annotation: None means "not given", a path is a string."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None) and not _is_object(member)]
        kinds = {_spoken(member, place) for member in members}
        several = [kind for kind in kinds if get_origin(kind) is list]
        if several:
            return several[0]
        if len(kinds) > 1:
            # A word can be any of them (a number or a list of bands): the verb distinguishes them.
            return str
        return kinds.pop()
    if origin is Literal or annotation in (str, int, float, bool):
        return annotation
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return list[_spoken(get_args(annotation)[0], place)]  # type: ignore[misc]
    if issubclass(origin if isinstance(origin, type) else annotation, os.PathLike):
        return str
    raise TypeError(f"{place}: the command line cannot ask for {annotation}")
