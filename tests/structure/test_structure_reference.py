"""docs/reference.md and the tables of the other pages are what `make docs` writes."""

import os
import re
import subprocess
import sys
from pathlib import Path


def printed(root: Path, *command: str) -> str:
    # A process of its own, without the checks of shapes, which wrap every function.
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = (sys.executable, *command)
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_reference_is_current(root):
    written = printed(root, "docs/reference.py", "--stdout")
    assert (root / "docs" / "reference.md").read_text(encoding="utf-8") == written, "run `make docs`"


def test_the_tables_are_current(root):
    late = printed(root, "docs/tables.py", "--check")
    assert not late.strip(), f"run `make docs`; out of date: {late}"


def test_every_table_is_on_a_page(root):
    pages = "".join(page.read_text(encoding="utf-8") for page in (root / "docs").glob("*.md"))
    marked = re.findall(r"<!-- generated: (\w+) -->\n.*?<!-- end -->", pages, re.DOTALL)
    assert sorted(marked) == ["datasets", "feeding", "finetuning", "formats", "recipes", "sensors"]
