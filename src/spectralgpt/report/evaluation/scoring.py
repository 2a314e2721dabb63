"""Tables of scores: of the evaluated method, beside others, and per class."""

import math
from collections.abc import Mapping, Sequence

from spectralgpt.report.evaluation.colours import class_colours
from spectralgpt.report.evaluation.contents import ClassRow, ComparedScore, ScoreRow
from spectralgpt.report.evaluation.markup import Markup, element, heading, joined, number, swatch, table
from spectralgpt.report.evaluation.numbers import decimal, interval, signed, whole


def headline(row: ScoreRow) -> Markup:
    """The first score, large."""
    value = element("span", decimal(row.value), class_="value")
    return element("p", value, " ", row.title, element("span", _beside(row.interval), class_="interval"), class_="hero")


def _beside(ends: tuple[float, float]) -> str:
    written = interval(ends)
    return f" {written}" if written else ""


def score_table(scores: Sequence[ScoreRow]) -> Markup:
    """Each score with its interval."""
    rows = [
        [
            element("th", row.title, _arrow(row), scope="row"),
            number(decimal(row.value)),
            number(interval(row.interval)),
            element("td", element("code", row.name)),
        ]
        for row in scores
    ]
    heads = [heading("score"), heading("value", "number"), heading("interval", "number"), heading("in metrics.json")]
    return table(heads, rows)


def _arrow(row: ScoreRow) -> str:
    return " (lower is better)" if row.lower_is_better else ""


def comparison_table(scores: Sequence[ScoreRow], method: str) -> Markup:
    """A row per method and a column per score that others have too: value, interval, and the paired difference.

    method: the evaluated one, in the first row.
    """
    scores = [row for row in scores if row.compared]
    methods = dict.fromkeys(each.method for row in scores for each in row.compared)
    found: Mapping[tuple[str, str], ComparedScore] = {
        (each.method, row.name): each for row in scores for each in row.compared
    }
    heads = [heading("method"), *(heading(row.title + _arrow(row), "number") for row in scores)]
    first = [
        element("th", method, scope="row"),
        *(number(joined([element("b", decimal(row.value)), _small(interval(row.interval))])) for row in scores),
    ]
    rows = [
        [element("th", name, scope="row"), *(_compared(found.get((name, row.name)), row) for row in scores)]
        for name in methods
    ]
    return table(heads, [first, *rows], "comparison")


def _compared(each: ComparedScore | None, row: ScoreRow) -> Markup:
    if each is None:
        return number("")
    difference = ""
    if math.isfinite(each.difference):
        ends = interval(each.difference_interval)
        text = signed(each.difference) + (f" ({ends})" if ends else "")
        difference = element("span", text, class_=f"difference {_verdict(each, row)}".strip())
    return number(joined([decimal(each.value), _small(interval(each.interval)), difference]))


def _verdict(each: ComparedScore, row: ScoreRow) -> str:
    """`better` or `worse` where the interval of the difference leaves no doubt."""
    low, high = each.difference_interval
    if not (low > 0 or high < 0):
        return ""
    return "better" if (low > 0) != row.lower_is_better else "worse"


def _small(text: str) -> Markup:
    return element("span", text, class_="interval") if text else Markup("")


def class_table(classes: Sequence[ClassRow], unit: str) -> Markup:
    """A row per class: its colour, its count in the truth, and each score as a bar and a number."""
    titles = list(dict.fromkeys(title for each in classes for title in each.scores))
    colours = class_colours([each.colour for each in classes])
    heads = [heading("class"), heading(f"{unit} in the truth", "number"), *map(heading, titles)]
    rows = [
        [
            element("th", swatch(colour), each.name, scope="row"),
            number(whole(each.count)),
            *(_bar(each.scores.get(title, math.nan), colour) for title in titles),
        ]
        for each, colour in zip(classes, colours, strict=True)
    ]
    return table(heads, rows, "classes")


def _bar(value: float, colour: str) -> Markup:
    share = 100 * min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0
    filled = element("span", class_="fill", style=f"width:{share:.1f}%;background:{colour}")
    bar = element("span", filled, class_="bar")
    return element("td", element("span", bar, element("span", decimal(value)), class_="barred"))
