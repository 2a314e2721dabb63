"""docs/reference.md is what `make docs` writes."""

import os
import subprocess
import sys


def test_the_reference_is_current(root):
    # A process of its own, without the checks of shapes, which wrap every function.
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, "docs/reference.py", "--stdout"]
    written = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True).stdout
    assert (root / "docs" / "reference.md").read_text(encoding="utf-8") == written, "run `make docs`"
