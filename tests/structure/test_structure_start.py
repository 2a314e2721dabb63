"""The package and its help start at once: nothing heavy is imported before it is used."""

import os
import resource
import subprocess
import sys

import pytest

from spectralgpt import verbs

HEAVY = ("torch", "rasterio", "matplotlib", "numpy", "rich")
CALLS = [[], *([name] for name in verbs.names())]


def python(root, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    return subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


def test_import_needs_nothing_heavy(root):
    code = f"import sys, spectralgpt; print([name for name in {HEAVY} if name in sys.modules])"
    assert python(root, "-c", code) == "[]\n"


@pytest.mark.parametrize("words", CALLS, ids=lambda words: " ".join(words) or "all")
def test_help_answers_at_once_and_needs_nothing_heavy(root, words):
    code = (
        "import sys, atexit; from spectralgpt.cli import main; sys.argv[0] = 'spectralgpt';"
        f"atexit.register(lambda: print([name for name in {HEAVY} if name in sys.modules])); main()"
    )
    before = seconds_of_children()
    printed = python(root, "-c", code, *words, "--help")
    taken = seconds_of_children() - before
    assert printed.startswith("Usage: spectralgpt")
    assert printed.endswith("\n[]\n")
    print(f"spectralgpt {' '.join([*words, '--help'])}: {taken:.2f} s")
    # 0.4 s is what we want on an idle machine
    assert taken < 1


def seconds_of_children() -> float:
    """Of the processor, not of the clock: others may be at work here."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
