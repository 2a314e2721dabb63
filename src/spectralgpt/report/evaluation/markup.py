"""HTML from texts: whatever is not markup already is escaped."""

import html
import re
from collections.abc import Iterable, Sequence

EMPTY_ELEMENTS = ("img", "meta")
"""Elements without content."""


class Markup(str):
    """Text that is HTML. Any other text is escaped where it becomes part of an element."""

    __slots__ = ()


def element(tag: str, *content: str, **attributes: str) -> Markup:
    """`<tag name="value">content</tag>`. An attribute's final underscore is dropped, as in `class_`, and other ones
    become hyphens; an empty one is left out."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for name, value in attributes.items() if value
    )
    if tag in EMPTY_ELEMENTS:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{joined(content)}</{tag}>")


def joined(parts: Iterable[str], between: str = "") -> Markup:
    """The parts one after another."""
    return Markup(between.join(part if isinstance(part, Markup) else html.escape(part) for part in parts))


def anchor(title: str) -> str:
    """A title as an id: `Best and worst` as `best-and-worst`."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def section(title: str, *content: str) -> Markup:
    """A part of the page under a heading, with an id to link to."""
    return element("section", element("h2", title), *content, id=anchor(title))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], class_: str = "") -> Markup:
    """A table, in a box that scrolls where the page is narrow. rows: of cells (`td` or `th`)."""
    head = element("thead", element("tr", *heads))
    body = element("tbody", *(element("tr", *row) for row in rows))
    return element("div", element("table", head, body, class_=class_), class_="wide")


def heading(text: str, class_: str = "") -> Markup:
    """The head of a column."""
    return element("th", text, scope="col", class_=class_)


def number(text: str, class_: str = "") -> Markup:
    """A cell with a number, aligned right."""
    return element("td", text, class_=f"number {class_}".strip())


def swatch(colour: str) -> Markup:
    """A small square in the colour."""
    return element("span", class_="swatch", style=f"background:{colour}")
