"""How the command line spells arguments: `bands='s2-l2a'` in a text from the rooms below is `--bands s2-l2a` here."""

import ast
import re
import shlex
from collections.abc import Iterable

from spectralgpt.cli.parameters import Parameter

QUOTED_VALUE = r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\""
NUMBER_VALUE = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf"
ONE_VALUE = rf"{QUOTED_VALUE}|\w*Path\((?:{QUOTED_VALUE})\)|{NUMBER_VALUE}|True|False"
SEVERAL_VALUES = rf"\[(?:{ONE_VALUE})(?:, (?:{ONE_VALUE}))*\]|\((?:{ONE_VALUE})(?:, (?:{ONE_VALUE}))*,?\)"
ANY_VALUE = rf"(?P<value>{SEVERAL_VALUES}|{ONE_VALUE}|\.\.\.)"
# Not within a path, a quoted value or a longer name: neither `out/gsd=4` nor `gsd=4/out.tif` is an argument.
BEFORE, AFTER = r"(?<![\w./\\'\"-])", r"(?![\w/\\]|\.\w)"


def spelled(text: str, parameters: Iterable[Parameter]) -> str:
    """The text with each `argument=value` of these parameters as a shell takes it.

    An option is `--bands-as own`, a flag `--trust-input`, a positional argument `TARGET out.tif`. Values are quoted
    only if a shell needs it. A value that the command line cannot give, like None, stays as it is.
    """
    by_name = {one.name: one for one in parameters}
    if not by_name:
        return text
    names = "|".join(sorted(map(re.escape, by_name), key=len, reverse=True))

    def spell(match: re.Match[str]) -> str:
        return _spelled_one(by_name[match["name"]], match["value"]) or match[0]

    return re.sub(f"{BEFORE}(?P<name>{names})={ANY_VALUE}{AFTER}", spell, text)


def _spelled_one(parameter: Parameter, value: str) -> str | None:
    """One argument and its value; None if the command line cannot give it."""
    name = parameter.spelling.removesuffix("...")
    if parameter.kind is bool:
        if value != str(not parameter.default):
            return None
        return f"--no-{name[2:]}" if parameter.default else name
    if value in ("True", "False"):
        return None
    words = [_word(each) for each in _values(value)]
    # an option that takes several values is repeated, a positional argument is not
    return " ".join([name, *words] if parameter.positional else [f"{name} {word}" for word in words])


def _values(value: str) -> list[str]:
    return re.findall(ONE_VALUE, value[1:-1]) if value[0] in "[(" else [value]


def _word(value: str) -> str:
    """A string as the shell takes it; a number as it is written."""
    string = re.search(QUOTED_VALUE, value)
    return shlex.quote(_read(string[0])) if string else value


def _read(string: str) -> str:
    try:
        return str(ast.literal_eval(string))
    except (SyntaxError, ValueError):  # not a valid escape
        return string[1:-1]
