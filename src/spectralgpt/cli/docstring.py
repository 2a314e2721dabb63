"""Reads the parts of a verb's docstring (Google style) that the help shows."""

import inspect
import re
from dataclasses import dataclass

SECTION = re.compile(r"(Args|Returns|Raises|Example):$")
ENTRY = re.compile(r"(\w+): *(.*)$")


@dataclass(frozen=True, slots=True)
class Docstring:
    """summary: the first paragraph. description: the others before the first section. args: name to its text in one
    line. example: the lines of the section Example, without their indent."""

    summary: str
    description: str
    args: dict[str, str]
    example: str


def parse(text: str) -> Docstring:
    """The parts of a docstring, empty where it has none.

    A section is a line `Args:`, `Returns:`, `Raises:` or `Example:` without indent, and the indented lines below it.
    """
    sections: dict[str, list[str]] = {"": []}
    current = ""
    for line in inspect.cleandoc(text).splitlines():
        if head := SECTION.match(line):
            current = head[1]
            sections[current] = []
        elif current and line and not line.startswith(" "):
            # Unindented text ends a section: it belongs to the description again.
            current = ""
            sections[""] += ["", line]
        else:
            sections[current].append(line)
    summary, _, description = "\n".join(sections[""]).strip().partition("\n\n")
    return Docstring(
        summary=" ".join(summary.split()),
        description=description.strip(),
        args=_entries(sections.get("Args", [])),
        example=inspect.cleandoc("\n" + "\n".join(sections.get("Example", []))),
    )


def _entries(lines: list[str]) -> dict[str, str]:
    """Name to text; a line indented deeper than the first continues the entry above it."""
    entries: dict[str, str] = {}
    block = inspect.cleandoc("\n" + "\n".join(lines))
    name = ""
    for line in block.splitlines():
        if (entry := ENTRY.match(line)) is not None:
            name = entry[1]
            entries[name] = entry[2].strip()
        elif name and line.strip():
            entries[name] = f"{entries[name]} {line.strip()}"
    return entries
