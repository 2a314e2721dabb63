"""What lies in the repository."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

LARGEST = 2 * 2**20  # bytes
PACKAGED, LARGEST_PACKAGED = "src/spectralgpt/packaged_weights", 16_000_000
"""The folder of weights, and how many bytes each may have with its card."""
# Folders of one person's or one service's machine; spelt in pieces, so that this file does not hold them.
MACHINE = re.compile("|".join(["/" + name + "/" for name in ("work", "root", r"home/\w+", r"Users/\w+", "opt")]))


@pytest.fixture(scope="module")
def tracked(root) -> list[Path]:
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("not a git checkout")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=True).stdout
    return [root / name for name in names.split("\0") if name and (root / name).is_file()]


def test_no_file_is_large(tracked, root):
    large = {path for path in tracked if path.stat().st_size > LARGEST}
    assert {path for path in large if root / PACKAGED not in path.parents} == set()


def test_packaged_weights_are_small(root):
    for folder in (root / PACKAGED).glob("*"):
        assert sum(path.stat().st_size for path in folder.iterdir()) <= LARGEST_PACKAGED


def test_no_path_of_a_machine(tracked, root):
    found = []
    for path in tracked:
        data = path.read_bytes()
        if b"\0" not in data:
            lines = data.decode().splitlines()
            found += [
                f"{path.relative_to(root)}:{n}: {line}" for n, line in enumerate(lines, 1) if MACHINE.search(line)
            ]
    assert not found, "\n".join(found)


def test_every_image_of_the_tests_has_its_licence_named(root):
    folder = root / "tests" / "images"
    readme = (folder / "README.md").read_text()
    listed = re.findall(r"^\| `([^`]+)` \|", readme, re.MULTILINE)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    assert not [name for name in names if name != "README.md" and not name.startswith(tuple(listed))]
    assert not [each for each in listed if not any(name.startswith(each) for name in names)]
