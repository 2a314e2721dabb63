"""Makes a command from a verb: it asks for what `parameters` reads, and calls the verb with what was given.

Every command shows progress as a bar on standard error, and has `--json` and `--quiet`. Texts of the verb, its errors
and its results spell arguments as in Python; the command shows them as its own options. JSON has what Python returns.
"""

import errno
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from spectralgpt.cli import docstring
from spectralgpt.cli.bar import progress_bar
from spectralgpt.cli.parameters import REQUIRED, Parameter, Verb, parameters
from spectralgpt.cli.result import as_json, error_as_json
from spectralgpt.cli.spelling import spelled
from spectralgpt.errors import InputError
from spectralgpt.interruption import InterruptedWork
from spectralgpt.verbs import FORMER_NAMES

# What every command has in addition to the options of its verb.
EVERYWHERE = (
    ("--json", "Print the result, or the error, as one line of JSON."),
    ("--quiet", "Show neither progress nor warnings."),
    ("-h, --help", "Show this message and exit."),
)

NEAREST = {"--threads": "workers"}
"""Options that only other commands have -> what stands for them here."""


def add_command(app: typer.Typer, name: str, verb: Verb) -> None:
    """Add the command `name`, which calls `verb`, prints its result, and ends with an exit code."""
    text = docstring.parse(verb.__doc__ or "")
    asked = parameters(verb)

    def command(**given: Any) -> None:
        _run(name, verb, asked, **given)

    signature = [*map(_as_typer, asked), *_former(asked), _flag("json"), _flag("quiet")]
    # typer reads both: the signature for the order and the defaults, the annotations for the types.
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in signature}
    help_text = f"{text.summary}\n\n{text.description}" if text.description else text.summary
    # \b: the lines of the paragraph stay as they are.
    example = "\n".join(f"  {line}" for line in text.example.splitlines())
    app.command(
        name,
        cls=_command_class(asked),
        help=spelled(help_text, asked),
        short_help=spelled(text.summary, asked),
        epilog=f"\b\nExample:\n{example}" if example else None,
    )(command)


def _run(name: str, verb: Verb, asked: Sequence[Parameter], /, *, quiet: bool, json: bool, **given: Any) -> None:
    """Call the verb and print its result. typer.Exit with 2 for wrong input, 130 after an interrupt, or with the exit
    code of the result."""
    refuse = partial(_end, name, json)
    spell = partial(spelled, parameters=asked)
    # What was not given is None or an empty list: the verb's own default counts.
    given = {key: value for key, value in given.items() if value not in (None, [], ())}
    given = _by_current_names(given, asked, quiet, refuse)
    _refuse_too_few(name, given, asked, refuse)
    taken = inspect.signature(verb).parameters.keys()

    def announce(text: str) -> None:
        if not quiet:
            print(spell(text), end="\n\n", file=sys.stderr)

    try:
        with progress_bar(quiet) as progress:
            own = {"progress": progress, "announce": announce}
            result = verb(**given, **{name: one for name, one in own.items() if name in taken})
    except (InputError, OSError) as problem:
        error = _refusal(problem)
        message = spell(str(error))
        print(message, file=sys.stderr)
        if json:
            print(error_as_json(type(error).__name__, message, error))
        raise typer.Exit(2) from None
    except KeyboardInterrupt as interrupt:
        kept = f". {interrupt}" if isinstance(interrupt, InterruptedWork) else ""
        refuse(f"interrupted{kept}", kind="interrupted", code=130)
    if not getattr(result, "is_main", True):
        return  # one of several processes of one run: another one prints the result
    if not quiet:
        for warning in getattr(result, "warnings", ()):
            print(f"warning: {spell(warning)}", file=sys.stderr)
    print(as_json(result) if json else spell(str(result)))
    if code := getattr(result, "exit_code", 0):
        raise typer.Exit(code)


def _refusal(problem: InputError | OSError) -> InputError:
    """The message to the user. Raises the problem again where it is our own fault, or the disk's."""
    if isinstance(problem, InputError):
        return problem
    if problem.errno != errno.ENAMETOOLONG:
        raise problem
    name = os.fsdecode(problem.filename or "a path")
    return InputError(f"{name[:60]}...: this name is too long for the disk", "a shorter name", "Check the path")


def _end(name: str, json: bool, problem: str, kind: str = "usage", code: int = 2) -> NoReturn:
    """Say what is wrong with the words of a command, and end it."""
    message = f"spectralgpt {name}: {problem}."
    print(message, file=sys.stderr)
    if json:
        print(error_as_json(kind, message))
    raise typer.Exit(code) from None


def _refuse_too_few(
    name: str, given: Mapping[str, Any], asked: Sequence[Parameter], refuse: Callable[[str], NoReturn]
) -> None:
    """Exit 2 if `SOURCE...` is missing. With one word for `SOURCE... TARGET`, typer would say that it is the TARGET."""
    missing = [one.spelling for one in asked if one.several and one.default is REQUIRED and one.name not in given]
    if not missing:
        return
    usage = " ".join(one.spelling for one in asked if one.positional)
    last = ", ".join(str(given[one.name]) for one in asked if one.positional and one.name in given)
    if last:
        problem = f"only {last} was given; expected {usage}, where the last one is written"
    else:
        problem = f"{', '.join(missing)} is missing; see `spectralgpt {name} --help`"
    refuse(problem)


def _by_current_names(
    given: dict[str, Any], asked: Sequence[Parameter], quiet: bool, refuse: Callable[[str], NoReturn]
) -> dict[str, Any]:
    """What was given, with former names of options renamed and a warning about each; exit 2 if both are given."""
    for old in [one.name for one in _former(asked) if one.name in given]:
        new = FORMER_NAMES[old]
        if new in given:
            refuse(f"found both --{new} and --{old}; expected only --{new}")
        if not quiet:
            print(f"warning: --{old} is called --{new} now", file=sys.stderr)
        given = {(new if key == old else key): value for key, value in given.items()}
    return given


def _former(asked: Sequence[Parameter]) -> list[inspect.Parameter]:
    """Hidden options under the former names of some."""
    kinds = {one.name: one.kind for one in asked}
    return [
        inspect.Parameter(
            old,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kinds[new] | None, typer.Option(f"--{old}", hidden=True)],
        )
        for old, new in FORMER_NAMES.items()
        if new in kinds and old not in kinds
    ]


def _command_class(asked: Sequence[Parameter]) -> type[TyperCommand]:
    """A command that shows its help in the same words whatever the version of typer."""

    class Command(TyperCommand):
        """Its usage is `SOURCE... TARGET`, where typer has `{SOURCE}...`."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            try:
                return super().parse_args(ctx, args)
            except Exception as error:  # of click, which some versions of typer bring along
                near = NEAREST.get(getattr(error, "option_name", ""))
                if near is not None and any(one.name == near for one in asked):
                    error.possibilities = [f"--{near}"]  # type: ignore[attr-defined]
                raise

        def collect_usage_pieces(self, ctx: Any) -> list[str]:
            wanted = (one for one in asked if one.positional)
            return [*(one.spelling if one.default is REQUIRED else f"[{one.spelling}]" for one in wanted), "[OPTIONS]"]

        def format_options(self, ctx: Any, formatter: Any) -> None:
            for title, positional, more in (("Arguments", True, ()), ("Options", False, EVERYWHERE)):
                rows = [(left, spelled(right, asked)) for left, right in _rows(asked, positional)]
                if rows or more:
                    with formatter.section(title):
                        formatter.write_dl([*rows, *more])

    return Command


def _rows(asked: Sequence[Parameter], positional: bool) -> list[tuple[str, str]]:
    return [one.row for one in asked if one.positional is positional]


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
    # An argument with several values is not required: typer would report it as missing where the one after it is.
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
