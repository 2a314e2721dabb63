"""How large files, functions and rooms may grow, and that one name means one thing."""

import ast
import statistics
from collections import Counter, defaultdict
from pathlib import Path

import pytest

SHARED = {"FORMAT", "METHOD", "TASK", "VERSION", "T"}
"""Names that files of one kind have in common: what a format, a method, a task, a stored file says of itself; a type
variable."""


@pytest.fixture(scope="module")
def modules(root) -> dict[Path, ast.Module]:
    package = root / "src" / "spectralgpt"
    return {path.relative_to(package): ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}


@pytest.fixture(scope="module")
def lines(root) -> dict[Path, int]:
    package = root / "src" / "spectralgpt"
    found = (path for path in package.rglob("*") if path.suffix in (".py", ".toml"))
    return {path.relative_to(package): len(path.read_text().splitlines()) for path in found}


def test_no_file_is_long(lines):
    assert {str(path): count for path, count in lines.items() if count > 400} == {}


def test_no_room_is_the_house(lines):
    rooms: Counter[str] = Counter()
    for path, count in lines.items():
        rooms[path.parts[0]] += count
    room, largest = rooms.most_common(1)[0]
    assert largest <= 0.2 * sum(rooms.values()), room


def test_functions_are_short(modules):
    sizes = sorted(
        node.end_lineno - node.lineno + 1
        for module in modules.values()
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    )
    assert statistics.median(sizes) <= 10
    assert sizes[int(0.95 * len(sizes))] <= 40


def test_a_class_name_means_one_thing(modules):
    places = defaultdict(list)
    for path, module in modules.items():
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(str(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_constant_name_means_one_thing(modules):
    places = defaultdict(list)
    for path, module in modules.items():
        for name in _constants(module):
            if name not in SHARED and not name.startswith("__"):
                places[name].append(str(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def _constants(module: ast.Module) -> list[str]:
    """Names that a module binds at its top, besides functions and classes."""
    targets: list[ast.expr] = []
    for node in module.body:
        if isinstance(node, ast.Assign):
            targets += node.targets
        elif isinstance(node, ast.AnnAssign):
            targets.append(node.target)
    parts = [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [each.id for each in parts if isinstance(each, ast.Name)]
