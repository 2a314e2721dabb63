"""Makes a command of a verb.

Parameters that can be given by position are the command's arguments, in the same order; one that takes several values
(`sources: PathLike | Sequence[PathLike]`) is variadic, as in `cp SOURCE... TARGET`. Keyword-only parameters are
options: `bands_as` is `--bands-as`, a bool is a flag, a Literal a choice. `progress` is not asked for: the command
gives a bar on standard error. Every command has `--json` and `--quiet`.
"""

import inspect
import os
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from spectralgpt.cli import docstring
from spectralgpt.cli.bar import progress_bar
from spectralgpt.cli.result import as_json
from spectralgpt.errors import InputError

Verb = Callable[..., Any]

# What every command has besides its verb's own.
EVERYWHERE = (
    ("--json", "Print the result as one line of JSON."),
    ("--quiet", "Show neither progress nor warnings."),
    ("-h, --help", "Show this message and exit."),
)
RESERVED = ("help", "json", "quiet", "version")
REQUIRED = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a verb as the command line sees it.

    kind: str, int, float, bool, a Literal, or a list of one of these; default: `REQUIRED` where there is none.
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
        """Its line in the help: how it is spelt, and what it means, with the default where that says anything."""
        if self.positional:
            left = self.spelling
        elif self.default is True:
            left = f"{self.spelling} / --no-{self.spelling[2:]}"
        else:
            left = f"{self.spelling} {self.value}".rstrip()
        # by identity: 0 equals False, and is a default worth telling
        silent = any(self.default is nothing for nothing in (REQUIRED, None, False, True, ()))
        default = "" if silent else f" [default: {self.default}]"
        return left, self.help + default


def parameters(verb: Verb) -> tuple[Parameter, ...]:
    """The parameters that a user gives, in the signature's order. TypeError for one that no command line can take."""
    hints = get_type_hints(verb)
    documented = docstring.parse(verb.__doc__ or "").args
    found = []
    for parameter in inspect.signature(verb).parameters.values():
        if parameter.name == "progress":
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


def add_command(app: typer.Typer, name: str, verb: Verb) -> None:
    """Add the command `name`, which calls `verb`, prints its result, and ends with an exit code."""
    text = docstring.parse(verb.__doc__ or "")
    asked = parameters(verb)
    takes_progress = "progress" in inspect.signature(verb).parameters

    def command(**given: Any) -> None:
        quiet, json = given.pop("quiet"), given.pop("json")
        # What was not given is None or an empty list: the verb's own default counts.
        given = {key: value for key, value in given.items() if value not in (None, [], ())}
        if any(one.several and one.default is REQUIRED and one.name not in given for one in asked):
            usage = " ".join(one.spelling for one in asked if one.positional)
            last = ", ".join(str(given[one.name]) for one in asked if one.positional and one.name in given)
            found = f"spectralgpt {name}: found only {last}"
            print(f"{found}; expected {usage}, the last one to be written.", file=sys.stderr)
            raise typer.Exit(2)
        try:
            with progress_bar(quiet) as progress:
                result = verb(**given, **({"progress": progress} if takes_progress else {}))
        except InputError as error:
            print(error, file=sys.stderr)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            print(f"spectralgpt {name}: interrupted.", file=sys.stderr)
            raise typer.Exit(130) from None
        if not getattr(result, "is_main", True):
            return  # one of several processes of one run: another says it
        if not quiet:
            for warning in getattr(result, "warnings", ()):
                print(f"warning: {warning}", file=sys.stderr)
        print(as_json(result) if json else result)

    class Command(TyperCommand):
        """Help in the same words whatever the version of typer: `SOURCE... TARGET`, where it has `{SOURCE}...`."""

        def collect_usage_pieces(self, ctx: Any) -> list[str]:
            wanted = (one for one in asked if one.positional)
            return [*(one.spelling if one.default is REQUIRED else f"[{one.spelling}]" for one in wanted), "[OPTIONS]"]

        def format_options(self, ctx: Any, formatter: Any) -> None:
            for title, positional, more in (("Arguments", True, ()), ("Options", False, EVERYWHERE)):
                rows = [*(one.row for one in asked if one.positional is positional), *more]
                if rows:
                    with formatter.section(title):
                        formatter.write_dl(rows)

    signature = [*(_as_typer(one) for one in asked), _flag("json"), _flag("quiet")]
    # typer reads both: the signature for the order and the defaults, the annotations for the types.
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in signature}
    help_text = f"{text.summary}\n\n{text.description}" if text.description else text.summary
    # \b: the lines of the paragraph stay as they are.
    example = "\n".join(f"  {line}" for line in text.example.splitlines())
    epilog = f"\b\nExample:\n{example}" if example else None
    app.command(name, cls=Command, help=help_text, short_help=text.summary, epilog=epilog)(command)


def _spoken(annotation: Any, place: str) -> Any:
    """What the command line takes for an annotation: None is "not given", a path is a string."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        kinds = {_spoken(member, place) for member in get_args(annotation) if member is not type(None)}
        several = [kind for kind in kinds if get_origin(kind) is list]
        if several:
            return several[0]
        if len(kinds) > 1:
            # A word stands for any of them (a float or a list of bands): the verb tells them apart.
            return str
        return kinds.pop()
    if origin is Literal or annotation in (str, int, float, bool):
        return annotation
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return list[_spoken(get_args(annotation)[0], place)]  # type: ignore[misc]
    if issubclass(origin if isinstance(origin, type) else annotation, os.PathLike):
        return str
    raise TypeError(f"{place}: the command line cannot ask for {annotation}")


def _as_typer(one: Parameter) -> inspect.Parameter:
    """The same parameter in typer's words.

    Its default is None, "not given", as the verb's own counts. All are keyword-only: typer calls by name, and Python
    then allows any order of those with and without a default.
    """
    if one.positional:
        info: Any = typer.Argument(metavar=one.spelling)
    else:
        # One spelling alone leaves out typer's --no-x, which only a flag that is on by default has.
        info = typer.Option(f"{one.spelling}/--no-{one.spelling[2:]}" if one.default is True else one.spelling)
    # what takes several comes last when words are few: typer would call it missing where the word after it is
    required = one.default is REQUIRED and not one.several
    return inspect.Parameter(
        one.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=REQUIRED if required else None,
        annotation=Annotated[one.kind if required else one.kind | None, info],
    )


def _flag(name: str) -> inspect.Parameter:
    info = typer.Option(f"--{name}")
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, info])
