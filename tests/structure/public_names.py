"""Lists what others may build on: exported names of the package and its rooms, verbs with arguments and options.

The test beside it compares the list with public_names.txt; after a change that is meant, write it anew:
    .venv/bin/python tests/structure/public_names.py > tests/structure/public_names.txt
"""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import spectralgpt
from spectralgpt import verbs
from spectralgpt.cli.parameters import parameters


def rooms() -> list[str]:
    """Names of the package's folders and of its public single files, which are rooms too."""
    return sorted(module.name for module in pkgutil.iter_modules(spectralgpt.__path__) if module.name[0] != "_")


def lines() -> Iterator[str]:
    """One line a name, sorted within its room."""
    for name in sorted(spectralgpt.__all__):
        yield f"spectralgpt.{name}"
    for room in rooms():
        module = importlib.import_module(f"spectralgpt.{room}")
        for name in sorted(getattr(module, "__all__", None) or defined(module)):
            yield f"spectralgpt.{room}.{name}"
    for verb in verbs.names():
        for one in parameters(verbs.find(verb)):
            yield f"spectralgpt {verb} {' '.join(one.row[0].split())}"


def defined(module: ModuleType) -> Iterator[str]:
    """The public names that a single file defines itself; read from its code, as imported names look the same later."""
    for node in ast.parse(Path(str(module.__file__)).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        else:
            names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
        yield from (name for name in names if not name.startswith("_"))


if __name__ == "__main__":
    print("\n".join(lines()))
