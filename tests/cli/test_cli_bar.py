import io
import sys

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
