import io
import re
import sys

import pytest

from spectralgpt.cli.bar import progress_bar
from spectralgpt.progress import silent


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nothing_without_a_terminal(capsys):
    with progress_bar(quiet=False) as progress:
        assert progress is silent
    assert capsys.readouterr().err == ""


def test_a_line_a_stage_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar(quiet=False) as progress:
        for done in range(4):
            progress("reading", done, 3)
        progress("counting", 5, 0)
    last = terminal.getvalue()
    assert "reading" in last
    assert "3/3" in last
    assert "counting" in last
    assert "5/?" in last


def test_nothing_when_quiet(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar(quiet=True) as progress:
        progress("reading", 1, 2)
    assert terminal.getvalue() == ""


LONG = "loss {:.2f} (token 0.2, spectral 0.1), 512 images/s, 81,000 tokens/s, data wait 1 %, 3.1 GB [cuda:0]"


def drawn(monkeypatch, width: int, calls: list[tuple[str, int, int]]) -> list[str]:
    """The lines that stand in the end on a terminal of this width."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    with progress_bar(quiet=False) as progress:
        for call in calls:
            progress(*call)
    text = re.sub(r"\x1b\[[\d;]*m|\x1b\[\?25[hl]", "", terminal.getvalue())
    lines, at = [""], 0
    for part in re.split(r"(\n|\r|\x1b\[1A|\x1b\[2K)", text):
        at += {"\n": 1, "\x1b[1A": -1}.get(part, 0)
        lines += [""] * (at + 1 - len(lines))
        if part == "\x1b[2K":
            lines[at] = ""
        elif part.strip():
            lines[at] += part
    return lines[:at] + [line for line in lines[at:] if line]


def test_what_a_stage_says_changes_on_its_line(monkeypatch):
    steps = [(f"stage 1/2: {LONG.format(step / 100)}", step, 100) for step in range(51)]
    opening, first, second = drawn(monkeypatch, 180, [("opening", 1, 1), *steps, ("stage 2/2:\nsoon", 0, 10)])
    assert opening.startswith("opening ")
    assert re.fullmatch(r"stage 1/2 \S+ +50/100 .*" + re.escape(LONG.format(0.5)) + " *", first)
    assert re.fullmatch(r"stage 2/2 \S+ +0/10 .* soon *", second)


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 120])
def test_a_narrow_terminal_cuts_the_text(monkeypatch, width):
    steps = [(f"stage 1/2: {LONG.format(step / 100)}", step, 10) for step in range(11)]
    lines = drawn(monkeypatch, width, [*steps, ("writing", 3, 7)])
    assert len(lines) == 2
    assert max(map(len, lines)) <= width
    assert ("loss 0.10 " in lines[0]) == (width >= 60)
    assert LONG.format(0.1) not in lines[0]


def test_brackets_are_no_markup(monkeypatch):
    (line,) = drawn(monkeypatch, 120, [("checking [red] tiles: [bold] 3", 1, 2)])
    assert line.startswith("checking [red] tiles ")
    assert line.rstrip().endswith("[bold] 3")
