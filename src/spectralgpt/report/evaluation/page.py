"""The page: one HTML file that needs no other."""

from collections.abc import Sequence
from importlib.resources import files

from spectralgpt.report.evaluation.confusion import confusion_parts
from spectralgpt.report.evaluation.contents import EvaluationPage
from spectralgpt.report.evaluation.gallery import gallery_parts
from spectralgpt.report.evaluation.learning import learning_parts
from spectralgpt.report.evaluation.markup import Markup, anchor, element, joined, section
from spectralgpt.report.evaluation.reliability import reliability_parts
from spectralgpt.report.evaluation.scoring import class_table, comparison_table, headline, score_table

GENERATOR = "spectralgpt evaluation report"
"""What a page of ours says of itself in its head."""


def html_page(page: EvaluationPage) -> str:
    """The page as HTML. Every text of it is escaped."""
    parts = [(title, content) for title, content in _parts(page) if content]
    links = [element("a", title, href=f"#{anchor(title)}") for title, _ in parts]
    style = Markup(files(__package__).joinpath("page.css").read_text(encoding="utf-8"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content=GENERATOR),
        element("title", page.title),
        element("style", style),
    )
    body = element(
        "body",
        _header(page),
        element("nav", *links) if len(links) > 1 else Markup(""),
        element("main", *(section(title, content) for title, content in parts)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _header(page: EvaluationPage) -> Markup:
    marks = [element("p", mark, class_="mark") for mark in page.marks]
    return element(
        "header",
        element("h1", page.title),
        element("p", page.subtitle, class_="subtitle") if page.subtitle else Markup(""),
        element("div", *marks, role="alert") if marks else Markup(""),
        headline(page.scores[0]) if page.scores else Markup(""),
    )


def _parts(page: EvaluationPage) -> Sequence[tuple[str, Markup]]:
    """Titles and contents, empty for what the page does not have."""
    return [
        ("Scores", _scores(page)),
        ("Comparison", _comparison(page)),
        ("Classes", class_table(page.classes, page.unit) if any(each.scores for each in page.classes) else Markup("")),
        ("Confusion", _confusion(page)),
        ("Learning curve", joined(learning_parts(curve, f"curve-{at}") for at, curve in enumerate(page.curves))),
        ("Calibration", reliability_parts(page.calibration, page.unit) if page.calibration else Markup("")),
        ("Samples", gallery_parts([each for each in page.galleries if each.samples], page.classes)),
        ("How this was made", _facts(page)),
    ]


def _scores(page: EvaluationPage) -> Markup:
    if not page.scores:
        return Markup("")
    note = element("p", f"Intervals: {page.intervals}.", class_="note") if page.intervals else Markup("")
    return joined([score_table(page.scores), note])


def _comparison(page: EvaluationPage) -> Markup:
    if not any(row.compared for row in page.scores):
        return Markup("")
    note = (
        f"In each cell: the value, its interval, and the paired difference: {page.method} less this method, on the "
        "same samples; green where its whole interval lies on the better side of 0, red where on the worse side."
    )
    return joined([comparison_table(page.scores, page.method), element("p", note, class_="note")])


def _confusion(page: EvaluationPage) -> Markup:
    if page.confusion is None or not page.confusion.size:
        return Markup("")
    return confusion_parts(page.confusion, [each.name for each in page.classes], page.unit)


def _facts(page: EvaluationPage) -> Markup:
    parts = []
    if page.facts:
        pairs = [element("div", element("dt", name), element("dd", value)) for name, value in page.facts]
        parts.append(element("dl", *pairs, class_="facts"))
    if page.command:
        parts.append(element("pre", element("code", page.command)))
    if page.notes:
        parts += [element("h3", "Notes"), element("ul", *(element("li", note) for note in page.notes))]
    return joined(parts)
