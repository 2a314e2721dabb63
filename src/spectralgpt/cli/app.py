"""`spectralgpt`: the commands together, and what happens when one fails."""

import os
import sys
import traceback
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

import typer

from spectralgpt import verbs
from spectralgpt.cli.commands import add_command
from spectralgpt.cli.parameters import Verb
from spectralgpt.cli.result import error_as_json
from spectralgpt.cores import wait_passively
from spectralgpt.version import __version__

TITLE = """SpectralGPT for any spectral image: rebuild hidden parts of a scene, or turn it into embeddings.

Exit codes: 0 done, 1 our own fault (with a traceback), 2 wrong input or options (with a message that says what to do),
130 interrupted."""


def build(found: Mapping[str, Verb]) -> typer.Typer:
    """The command line over these verbs (name to function)."""
    # Without rich in help and tracebacks: it costs half of the time that --help may take, and plain text pipes well.
    app = typer.Typer(
        name="spectralgpt",
        help=TITLE,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
    )
    app.callback()(_version_option)
    for name, verb in found.items():
        add_command(app, name, verb)
    return app


def main() -> None:
    """Run the command line and exit: 0 done, 1 our fault (with a traceback), 2 the user's input, 130 interrupted.

    With `--json`, the last line on standard output is JSON in any case.
    """
    wait_passively(os.environ)  # before any command loads PyTorch
    app = build({name: verbs.find(name) for name in verbs.names()})
    json = "--json" in sys.argv
    try:
        # not standalone, typer raises what it would show
        sys.exit(app(standalone_mode=False) if json else app())
    except Exception as error:
        if json and hasattr(error, "format_message"):  # of click, which some versions of typer bring along
            _end_of_usage(error)
        traceback.print_exc()
        print(
            "This should not happen. If disk and memory were not full, please report the lines above.", file=sys.stderr
        )
        if json:
            print(error_as_json("internal", f"{type(error).__name__}: {error}"))
        sys.exit(1)


def _end_of_usage(error: Any) -> NoReturn:
    """Exit after words that the command line does not take, as click shows them."""
    error.show()
    print(error_as_json("usage", error.format_message()))
    sys.exit(error.exit_code)


def _print_version(asked: bool) -> bool:
    if asked:
        print(__version__)
        raise typer.Exit
    return asked


def _version_option(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Every command takes it."""
