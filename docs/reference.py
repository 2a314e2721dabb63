"""Writes what is made from the code: reference.md beside it, and the imports that show type checkers the verbs.

reference.md has the help of every verb and the docstrings of what the package exports. `reference.py --stdout` prints
it instead, which the test uses to see whether the file is current.
"""

import inspect
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

import spectralgpt
from spectralgpt import verbs
from spectralgpt.cli.app import build

PACKAGE = Path(__file__).parents[1] / "src" / "spectralgpt" / "__init__.py"
IMPORTS = re.compile(r"(if TYPE_CHECKING:  # the verbs, written by `make docs`\n)(?: {4}.*\n)+")
"""The part of the package's __init__.py that is written here."""

HEAD = """# Reference

Written by `make docs` from the code; do not edit.
"""


def reference() -> str:
    """The whole page as Markdown."""
    return "\n".join([HEAD, *commands(), *python()])


def commands() -> Iterator[str]:
    """The help of each verb."""
    os.environ["COLUMNS"] = "100"
    found = {name: verbs.find(name) for name in verbs.names()}
    app = build(found)
    yield "## Commands\n"
    for name in found:
        shown = CliRunner().invoke(app, [name, "--help"], prog_name="spectralgpt").output
        yield f"### spectralgpt {name}\n\n```text\n{shown.strip()}\n```\n"


def python() -> Iterator[str]:
    """The docstring of each exported object and of a class's methods."""
    yield "## Python\n\nThe verbs above are functions of the same name, with the same arguments:\n\n```python"
    for name in verbs.names():
        yield textwrap.fill(
            f"{name}{arguments(verbs.find(name))}", 100, subsequent_indent="    ", break_on_hyphens=False
        )
    yield "```\n"
    for name in sorted(set(spectralgpt.__all__) - set(verbs.names()) - {"__version__"}):
        value = getattr(spectralgpt, name)
        call = "" if isinstance(value, type) and issubclass(value, Exception) else arguments(value)
        yield f"### {name}\n\n`{name}{call}`\n\n{inspect.getdoc(value) or ''}\n"
        if isinstance(value, type):
            yield from methods(value)


def methods(owner: type) -> Iterator[str]:
    """One list item for each public method and property that the class itself or a base of ours defines."""
    ours = [base for base in reversed(owner.__mro__) if base.__module__.startswith("spectralgpt")]
    members = {name: value for base in ours for name, value in vars(base).items() if not name.startswith("_")}
    for name, value in members.items():
        if not isinstance(value, property) and not inspect.isroutine(value):
            continue
        call = "" if isinstance(value, property) else arguments(getattr(owner, name))
        paragraphs = (inspect.getdoc(value) or "").split("\n\n")
        text = "\n\n  ".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        yield f"- `{name}{call}`" + (f": {text}" if text else "")
    yield ""


def arguments(function: Any) -> str:
    """`(sources, *, bands=None)`: without annotations, which print differently in other versions of Python."""
    bare = [
        one.replace(
            annotation=one.empty,
            default=Named(one.default) if callable(one.default) and one.default is not one.empty else one.default,
        )
        for one in inspect.signature(function).parameters.values()
        if one.name != "self"
    ]
    return str(inspect.Signature(bare))


class Named:
    """Prints as the name of a function, where Python prints its address as well."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return str(self.value.__name__)


def with_verbs(code: str) -> str:
    """The code of the package's __init__.py with an import of each verb, which only type checkers see."""
    lines = [f"    from spectralgpt.verbs.{name} import {name} as {name}\n" for name in verbs.names()]
    return IMPORTS.sub(lambda match: match[1] + "".join(lines), code)


if __name__ == "__main__":
    if sys.argv[1:] == ["--stdout"]:
        print(reference(), end="")
    else:
        PACKAGE.write_text(with_verbs(PACKAGE.read_text(encoding="utf-8")), encoding="utf-8")
        Path(__file__).with_suffix(".md").write_text(reference(), encoding="utf-8")
