"""The commit of the package, where it runs from a checkout."""

import subprocess
from functools import cache
from pathlib import Path

import spectralgpt


@cache
def commit() -> str:
    """The commit, with `+` where files have changed since; empty where the package is installed without a checkout."""
    root = Path(spectralgpt.__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout.strip()
