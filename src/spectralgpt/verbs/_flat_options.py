"""`with_shared_options`: a verb with flat keywords, as `help()` and the command line read them."""

import inspect
import textwrap
import types
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from spectralgpt.arguments import taken
from spectralgpt.errors import InputError, OptionError, check_choice, did_you_mean
from spectralgpt.verbs._computing import computing
from spectralgpt.verbs._options import FORMER_NAMES, Function, ImageInPython, Option

DOCUMENTATION_WIDTH = 112
"""Columns of a line of documentation."""


def with_shared_options(verb: Function) -> Function:
    """The verb with flat keywords: its `**options` receive every shared option, given or by default.

    An option by its former name works with a DeprecationWarning. TypeError for an unknown one, with the nearest name;
    OptionError for a value of another type, or that is none of an option's choices.
    """
    signature = _flat_signature(verb)
    keywords = {one.name: one for one in signature.parameters.values() if one.kind is one.KEYWORD_ONLY}
    own = inspect.signature(verb).parameters
    defaults = {name: one.default for name, one in keywords.items() if name not in own}
    choices = {name: found for name, one in keywords.items() if (found := _choices(one.annotation))}

    @wraps(verb)
    def call(*arguments: Any, **given: Any) -> Any:
        given = _by_current_names(verb.__name__, given, signature.parameters)
        for name in given:
            if name not in signature.parameters:
                near = did_you_mean(name, signature.parameters)
                raise TypeError(f"{verb.__name__}() got an unexpected keyword argument {name!r}. {near}".rstrip())
            if name in choices and isinstance(given[name], str):
                check_choice(name, given[name], choices[name])
        values = [_taken(*each) for each in zip(signature.parameters.values(), arguments, strict=False)]
        values += arguments[len(values) :]
        given = {name: _taken(signature.parameters[name], value) for name, value in given.items()}
        try:
            with computing(given, signature.parameters):
                return verb(*values, **{**defaults, **given})
        except InputError as error:
            own = error.within(signature.parameters)
            if own is error:
                raise
            raise own from None

    plain = [one.replace(annotation=_plain(one.annotation)) for one in signature.parameters.values()]
    call.__signature__ = signature.replace(parameters=plain)  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in plain} | {"return": signature.return_annotation}
    call.__doc__ = _flat_docstring(verb.__doc__ or "", signature)
    return cast(Function, call)


def default_options(verb: Callable[..., Any]) -> dict[str, Any]:
    """The default of each option of a verb, by name."""
    options = inspect.signature(verb).parameters.values()
    return {one.name: one.default for one in options if one.default is not one.empty}


def _taken(one: inspect.Parameter, value: Any) -> Any:
    """A value as the verb takes it. OptionError for another type; for an array in place of an image, it names
    as_pixels."""
    if ImageInPython not in get_args(_plain(one.annotation)):
        return taken(one.name, value, one.annotation)
    try:
        return taken(one.name, value, one.annotation)
    except OptionError as error:
        do = "Make Pixels of an array with spectralgpt.as_pixels(array, bands=...)"
        if isinstance(value, list | tuple) and any(isinstance(each, ImageInPython) for each in value):
            do = "Give one at a time; dates of one place in one array become one image with spectralgpt.as_pixels"
        raise OptionError(error.found, "paths, Pixels or a Raster", do) from None


def _flat_signature(verb: Callable[..., Any]) -> inspect.Signature:
    """The signature with an entry for each shared option, `progress` last; annotations with their Option."""
    hints = get_type_hints(verb, include_extras=True)
    signature = inspect.signature(verb)
    flat = []
    for one in signature.parameters.values():
        if one.kind is not one.VAR_KEYWORD:
            flat.append(one.replace(annotation=hints[one.name]))
            continue
        (group,) = get_args(hints[one.name])
        flat += [
            inspect.Parameter(name, one.KEYWORD_ONLY, default=_option(annotation).default, annotation=annotation)
            for name, annotation in get_type_hints(group, include_extras=True).items()
        ]
    flat.sort(key=lambda one: one.name in ("announce", "progress"))
    return signature.replace(parameters=flat, return_annotation=hints["return"])


def _flat_docstring(text: str, signature: inspect.Signature) -> str:
    """The docstring with an entry in Args for each parameter that it leaves to its Option.

    Args comes before Example, which is last.
    """
    body, _, example = inspect.cleandoc(text).partition("\n\nExample:\n")
    body, _, own = body.partition("\n\nArgs:\n")
    entries = _entries(own)
    for one in signature.parameters.values():
        if one.name not in entries and get_origin(one.annotation) is Annotated:
            line = f"{one.name}: {_option(one.annotation).help}"
            indents = {"initial_indent": " " * 4, "subsequent_indent": " " * 8}
            entries[one.name] = textwrap.wrap(line, DOCUMENTATION_WIDTH, break_on_hyphens=False, **indents)  # type: ignore[arg-type]
    args = [line for name in signature.parameters for line in entries.get(name, ())]
    return "\n".join([body, "", "Args:", *args, *(["", "Example:", example] if example else [])])


def _entries(args: str) -> dict[str, list[str]]:
    """The lines of a section Args by the name that each entry begins with, at four spaces."""
    entries: dict[str, list[str]] = {}
    name = ""
    for line in args.splitlines():
        if line[:4].isspace() and not line[4:5].isspace():
            name = line.strip().partition(":")[0]
        entries.setdefault(name, []).append(line)
    return entries


def _by_current_names(verb: str, given: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    renamed = dict(given)
    for old, new in FORMER_NAMES.items():
        if old not in renamed or old in known or new not in known:
            continue
        if new in renamed:
            raise TypeError(f"{verb}() got both {new!r} and {old!r}, its former name")
        warnings.warn(f"{verb}({old}=...) is called {new} now", DeprecationWarning, stacklevel=3)
        renamed[new] = renamed.pop(old)
    return renamed


def _option(annotation: Any) -> Option:
    (option,) = (each for each in annotation.__metadata__ if isinstance(each, Option))
    return option


def _plain(annotation: Any) -> Any:
    """The annotation without its Option."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _choices(annotation: Any) -> tuple[object, ...]:
    """The values that an annotation allows, empty where it allows any."""
    annotation = _plain(annotation)
    members = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    literals = [each for each in members if get_origin(each) is Literal]
    if len(literals) < sum(each is not type(None) for each in members):
        return ()
    return (*(choice for each in literals for choice in get_args(each)), *([None] if type(None) in members else []))
