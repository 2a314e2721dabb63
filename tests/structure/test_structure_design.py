"""docs/design.md names tests and files that exist, and its rooms are the package's; some of its rules are held here."""

import ast
import dataclasses
import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

import spectralgpt

PACKAGE = Path(spectralgpt.__path__[0])
ROOMS = sorted(module.name for module in pkgutil.iter_modules(spectralgpt.__path__) if module.name[0] != "_")
MODULES = sorted(PACKAGE.rglob("*.py"))
DRAWERS = {"utils", "util", "helpers", "helper", "common", "base", "misc"}


@pytest.fixture(scope="module")
def page(root) -> str:
    return (root / "docs" / "design.md").read_text(encoding="utf-8")


def references(page: str) -> list[str]:
    """What footnotes and the last column of the words name: a path, or `path::test`, in full."""
    lines = re.findall(r"^\[\^\w+\]: (.*)$", page, re.MULTILINE)
    words = page.partition("\n## Words\n")[2].partition("\n## ")[0]
    lines += re.findall(r"^\|.*\| ([^|]*) \|$", words, re.MULTILINE)
    found = []
    for line in lines:
        file = ""
        for name in re.findall(r"`([^`]*[./:][^`]*)`", line):
            file = name.partition("::")[0] or file
            found.append(file + name.removeprefix(file) if name.startswith("::") else name)
    return found


def existing(root: Path, name: str) -> list[Path]:
    """The files that a reference may mean: from the repository, the package, or a test by its name alone."""
    places = [root / name, PACKAGE / name]
    return [path for path in places if path.is_file()] or sorted((root / "tests").rglob(name))


def defined_in(path: Path) -> set[str]:
    """Names of the test functions that a file defines."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_what_the_page_names_exists(page, root):
    found = references(page)
    assert len(found) > 150
    missing = []
    for name in found:
        file, _, test = name.partition("::")
        paths = existing(root, file)
        if len(paths) != 1 or (test and test not in defined_in(paths[0])):
            missing.append(name)
    assert not missing


def test_every_footnote_is_used_and_defined_once(page):
    defined = re.findall(r"^\[\^(\w+)\]:", page, re.MULTILINE)
    used = re.findall(r"\[\^(\w+)\](?!:)", page)
    assert len(defined) == len(set(defined))
    assert set(defined) == set(used)


def test_rooms_are_the_folders_and_the_levels(page, root):
    levels: dict[str, set[str]] = {}
    planned, built = set(), []
    for level, cell in re.findall(r"^\| (\d[a-z]?) \| ([^|]*) \|", page, re.MULTILINE):
        levels.setdefault(level, set()).update(re.findall(r"`(\w+)`", cell))
        planned |= set(re.findall(r"\(`(\w+)`\)", cell))
        built += [name for name in re.findall(r"`(\w+)`", cell) if name not in planned]
    assert sorted(built) == ROOMS
    assert list(levels) == sorted(levels)
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert list(levels.values()) == [set(re.findall(r"\w+", line)) for line in reversed(layers)]


def test_no_module_is_a_drawer():
    assert not [path for path in MODULES if DRAWERS & {part.strip("_") for part in path.with_suffix("").parts[-2:]}]


@pytest.mark.parametrize("room", ROOMS)
def test_dataclasses_that_rooms_export_are_frozen(room):
    module = importlib.import_module(f"spectralgpt.{room}")
    exported = (getattr(module, name) for name in getattr(module, "__all__", ()))
    made = [each for each in exported if isinstance(each, type) and dataclasses.is_dataclass(each)]
    assert not [each for each in made if not each.__dataclass_params__.frozen]


def test_no_boolean_array_is_called_a_mask():
    """Of what is annotated: parameters, fields and variables."""
    found = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "arg", None) or getattr(getattr(node, "target", None), "id", None)
            annotation = getattr(node, "annotation", None)
            if name and annotation is not None and "Bool[" in ast.unparse(annotation) and "mask" in name:
                found.append(f"{path.relative_to(PACKAGE)}: {name}")
    assert not found
