"""Rooms import rooms of lower levels only (the contracts stand in pyproject.toml)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What import-linter says of the package in `folder`/src by the contracts in `folder`/pyproject.toml."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_every_import_keeps_the_levels(root):
    result = lint(root)
    assert result.returncode == 0, result.stdout + result.stderr


def test_imports_upwards_sideways_and_of_torch_are_found(root, tmp_path):
    package = shutil.copytree(root / "src" / "spectralgpt", tmp_path / "src" / "spectralgpt")
    shutil.copy(root / "pyproject.toml", tmp_path)
    (package / "bands" / "upwards.py").write_text("def late():\n    import spectralgpt.verbs\n")
    (package / "nn" / "sideways.py").write_text("import spectralgpt.raster\n")
    (package / "raster" / "heavy.py").write_text("import torch\n")
    result = lint(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    for module in ("bands.upwards", "nn.sideways", "raster.heavy"):
        assert f"spectralgpt.{module} -> " in result.stdout, result.stdout


def test_a_circle_within_a_room_is_found(root, tmp_path):
    package = shutil.copytree(root / "src" / "spectralgpt", tmp_path / "src" / "spectralgpt")
    shutil.copy(root / "pyproject.toml", tmp_path)
    (package / "report" / "one.py").write_text("from spectralgpt.report import other\n")
    (package / "report" / "other.py").write_text("def late():\n    from spectralgpt.report import one\n")
    result = lint(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "No cycles are allowed in spectralgpt.report" in result.stdout, result.stdout
