"""What the wheel and the source distribution hold: all of the package, its notices, nothing else, and few bytes."""

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

LARGEST_WHEEL = 20e6  # bytes
NOTICES = ("LICENSE", "NOTICE")


def built(source: Path, kind: str, target: Path) -> Path:
    """The wheel or sdist of a checkout, without the network; the test is skipped where the build tool is missing."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: pip install -e '.[dev]'")
    code = f"import sys; from hatchling.build import build_{kind}; print(build_{kind}(sys.argv[1]))"
    run = subprocess.run(
        [sys.executable, "-c", code, str(target)], cwd=source, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return target / run.stdout.split()[-1]


def files_of(package: Path) -> set[str]:
    """All files of the package, as the wheel names them."""
    found = (path.relative_to(package.parent) for path in package.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory) -> Path:
    return built(root, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel) -> list[str]:
    with zipfile.ZipFile(wheel) as file:
        return file.namelist()


def test_the_wheel_is_small(wheel):
    assert wheel.stat().st_size <= LARGEST_WHEEL


def test_all_of_the_package_and_nothing_else_is_in_the_wheel(names, root):
    found = {name for name in names if ".dist-info/" not in name}
    assert found == files_of(root / "src" / "spectralgpt")
    assert sum(name.startswith("spectralgpt/bands/sensors/") and name.endswith(".toml") for name in names) >= 30
    assert sum(name.startswith("spectralgpt/demo_scene/") and name.endswith(".tif") for name in names) == 13
    assert {"spectralgpt/demo_scene/README.md", "spectralgpt/py.typed"} <= found


def test_licence_and_notice_are_in_the_wheel_as_they_are(wheel, names, root):
    with zipfile.ZipFile(wheel) as file:
        for name in NOTICES:
            inside = next(each for each in names if each.endswith(f".dist-info/licenses/{name}"))
            assert file.read(inside) == (root / name).read_bytes()
        metadata = file.read(next(each for each in names if each.endswith(".dist-info/METADATA"))).decode()
    assert [f"License-File: {name}" in metadata for name in NOTICES] == [True, True]


def test_packaged_weights_are_in_the_wheel_with_their_card(names, root):
    folder = root / "src" / "spectralgpt" / "packaged_weights"
    for weights in folder.glob("*/config.json"):
        inside = f"spectralgpt/packaged_weights/{weights.parent.name}"
        assert {f"{inside}/{name}" for name in ("config.json", "model.safetensors", "README.md")} <= set(names)


def test_weights_that_are_put_there_come_with_it(root, tmp_path):
    source = tmp_path / "checkout"
    for name in ("pyproject.toml", "README.md", ".gitignore", *NOTICES):
        source.mkdir(exist_ok=True)
        shutil.copy(root / name, source / name)
    package = source / "src" / "spectralgpt"
    package.mkdir(parents=True)
    for name in ("__init__.py", "version.py"):
        shutil.copy(root / "src" / "spectralgpt" / name, package / name)
    weights = package / "packaged_weights" / "tiny-9"
    weights.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "README.md"):
        (weights / name).write_text(name)
    for stray in ("tests/test_a.py", "benchmarks/b.py", "docs/c.md", "src/spectralgpt/__pycache__/d.pyc"):
        (source / stray).parent.mkdir(parents=True, exist_ok=True)
        (source / stray).touch()
    with zipfile.ZipFile(built(source, "wheel", tmp_path)) as file:
        found = {name for name in file.namelist() if ".dist-info/" not in name}
    inside = {
        f"spectralgpt/packaged_weights/tiny-9/{name}" for name in ("config.json", "model.safetensors", "README.md")
    }
    assert found == {"spectralgpt/__init__.py", "spectralgpt/version.py"} | inside


def test_the_source_distribution_has_the_notices_too(root, tmp_path):
    with tarfile.open(built(root, "sdist", tmp_path)) as file:
        found = {name.partition("/")[2] for name in file.getnames()}
    assert {*NOTICES, "pyproject.toml", "src/spectralgpt/demo_scene/README.md", "benchmarks/data_sources.toml"} <= found
