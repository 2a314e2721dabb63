"""The package and its help start at once: nothing heavy is imported before it is used."""

import os
import re
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from spectralgpt import verbs

ROOT = Path(__file__).resolve().parents[2]
IMPORTED_AS = {"scikit-learn": "sklearn"}


def heavy() -> tuple[str, ...]:
    """Every dependency but the one that makes the commands, and every room but those of the commands: what loads a
    model, also one in the package, is among them."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.match(r"[\w-]+", each)[0] for each in needed]
    rooms = [path.parent.name for path in (ROOT / "src" / "spectralgpt").glob("*/__init__.py")]
    return (
        *(IMPORTED_AS.get(name, name) for name in names if name != "typer"),
        *(f"spectralgpt.{room}" for room in sorted(rooms) if room not in ("cli", "verbs")),
    )


HEAVY = heavy()
CALLS = [[], *([name] for name in verbs.names())]


def python(root, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    return subprocess.run(
        [sys.executable, *words], env=environment, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip


def test_what_is_heavy_is_known():
    assert {"torch", "rasterio", "sklearn", "numpy", "rich", "spectralgpt.weights", "spectralgpt.nn"} <= set(HEAVY)


def test_what_is_heavy_is_seen_where_it_is_used(root):
    code = f"import sys, spectralgpt.weights; print([name for name in {HEAVY} if name in sys.modules])"
    assert {"'torch'", "'numpy'", "'spectralgpt.weights'"} <= set(re.findall("'[^']+'", python(root, "-c", code)))


def test_import_needs_no_dependency(root):
    # -S: without the environment's packages
    assert python(root, "-S", "-c", "import spectralgpt; print(spectralgpt.__version__)").strip()


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
