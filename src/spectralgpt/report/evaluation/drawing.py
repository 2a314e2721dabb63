"""Matplotlib figures as SVG inside a page, in the page's own colour of text: readable on white and on black."""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from spectralgpt.report.evaluation.markup import Markup, element

INK = "#010203"
"""The colour that becomes the page's colour of text."""

OWN_COLOUR = "#2f7ed8"
"""The colour of the evaluated method."""

WRONG_COLOUR = "#e07b39"
"""The colour of what is wrong."""

_STYLE: dict[Any, object] = {
    "svg.fonttype": "none",  # texts stay texts: they can be searched, and take the page's font
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def drawn(draw: Callable[[], Figure], key: str, description: str) -> Markup:
    """The figure that `draw` makes, as SVG. key: makes the ids in it unique on the page. description: for those who do
    not see it."""
    # the style must hold while the figure is made: an axis takes its colours then
    with mpl.rc_context({**_STYLE, "svg.hashsalt": key}), warnings.catch_warnings():
        # texts stay texts, so the reader's fonts draw a letter that Matplotlib's font does not have
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = draw()
        figure.patch.set_alpha(0)
        for axes in figure.axes:
            axes.patch.set_alpha(0)
        file = io.StringIO()
        # no date: the same numbers are the same file
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    width = figure.get_figwidth() * 96
    picture = element("div", _embedded(file.getvalue(), key, width), role="img", aria_label=description)
    return element("div", picture, class_="wide")


def _embedded(svg: str, key: str, width: float) -> Markup:
    """The SVG without what only a file of its own needs."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:xmlns(?::\w+)?|version)="[^"]*"', "", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(
        r'(<svg[^>]*?) height="[^"]*"', rf'\1 style="width:{width:.0f}px;min-width:{0.6 * width:.0f}px"', svg, count=1
    )
    svg = re.sub(r'\bid="', f'id="{key}-', svg)
    svg = svg.replace("url(#", f"url(#{key}-").replace('xlink:href="#', f'href="#{key}-')
    svg = svg.replace("xlink:href=", "href=").replace(INK, "currentColor")
    svg = re.sub(r"'DejaVu Sans'[^;\"]*sans-serif", "sans-serif", svg)
    return Markup(svg.strip())
