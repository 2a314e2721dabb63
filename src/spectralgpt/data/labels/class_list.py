"""The classes that a user gives: their names, colours and codes, from a TOML file or a list of names."""

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spectralgpt.errors import DataError, InputError, OptionError, argument
from spectralgpt.plain import from_plain
from spectralgpt.tasks import Class

WHOLE_NUMBER = re.compile(r"[+-]?\d+")
COLOUR_TEXT = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class ClassList:
    """Given classes, in order.

    labels: what stands for each in the data: a label, or a mask's code as text; empty where names are given without
    codes: then they are the names of the codes that occur, in ascending order.
    """

    classes: tuple[Class, ...]
    labels: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[int, ...]:
        """The codes in masks; empty where labels are not whole numbers."""
        return tuple(map(int, self.labels)) if all(map(WHOLE_NUMBER.fullmatch, self.labels)) else ()


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """What a TOML file says of a class: its name, default the key, and its colour."""

    name: str | None = None
    colour: str | None = None


def read_class_list(given: str | ClassList) -> ClassList:
    """The classes of a TOML file or of names like `water,forest`.

    A TOML file has one table, `[classes]`. Its keys are the codes in masks or the labels of images; its values a name,
    a colour like "#1f77b4", or both: {name = "water", colour = "#1f77b4"}. OptionError for anything else.
    """
    if isinstance(given, ClassList):
        return given
    if given.lower().endswith(".toml") or os.path.isfile(given):
        return _of_file(given)
    names = [name.strip() for name in given.split(",") if name.strip()]
    if not names or len(set(names)) < len(names):
        raise OptionError(argument("classes", given), "different names, like water,forest, or a .toml file")
    return ClassList(tuple(map(Class, names)))


def _of_file(path: str) -> ClassList:
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror})", do="Check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{path}: is not TOML ({error})") from None
    table = document.get("classes")
    if set(document) != {"classes"} or not isinstance(table, dict) or not table:
        raise OptionError(
            f"{path}: found {', '.join(document) or 'nothing'}",
            'one table [classes] with lines like 10 = "water" or Forest = "#1f7a1f"',
        )
    entries = {label: _entry(path, label, value) for label, value in table.items()}
    labels = list(entries)
    if all(map(WHOLE_NUMBER.fullmatch, labels)):
        labels.sort(key=int)
    return ClassList(tuple(entries[label] for label in labels), tuple(labels))


def _entry(path: str, label: str, value: Any) -> Class:
    if isinstance(value, str):
        value = {"colour" if COLOUR_TEXT.fullmatch(value) else "name": value}
    try:
        entry = from_plain(ClassEntry, value)
        return Class(entry.name or label, entry.colour)
    except InputError as error:
        raise error.about(f"{path}: class {label}") from None


def in_natural_order(labels: Sequence[str]) -> list[str]:
    """Different labels, sorted: as numbers where all are whole numbers, else as text."""
    different = set(labels)
    if all(map(WHOLE_NUMBER.fullmatch, different)):
        return sorted(different, key=lambda label: (int(label), label))
    return sorted(different)


def refuse_repeated_names(source: str, classes: Sequence[Class]) -> None:
    """DataError when two classes have one name, as nothing could tell them apart."""
    names = [one.name for one in classes]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{source}: found several classes called {', '.join(repeated)}", "a name for each class")
