"""Names and verbs that others build on change only on purpose."""

import ast
import dataclasses
import difflib
import inspect
import sys
import types
import typing
from pathlib import Path

import numpy as np
import pytest

import spectralgpt
from spectralgpt import verbs
from spectralgpt.cli import docstring
from spectralgpt.cli.parameters import parameters
from spectralgpt.verbs import _options

sys.path.insert(0, str(Path(__file__).parent))
from public_names import lines, rooms

FOLDERS = [room for room in rooms() if (Path(spectralgpt.__path__[0]) / room).is_dir()]


def test_public_names_and_options_are_the_frozen_ones():
    file = Path(__file__).parent / "public_names.txt"
    change = list(difflib.unified_diff(file.read_text().splitlines(), list(lines()), "frozen", "now", lineterm="", n=0))
    assert not change, "\n".join(
        [*change, "If this is meant: python tests/structure/public_names.py > public_names.txt"]
    )


@pytest.mark.parametrize("room", FOLDERS)
def test_all_of_a_room_is_what_its_init_holds(room):
    module = __import__(f"spectralgpt.{room}", fromlist=["__all__"])
    exported = module.__all__
    assert len(set(exported)) == len(exported)
    # Read from the code, as an imported submodule is an attribute of its package too.
    tree = ast.parse(Path(module.__file__).read_text())
    bound = {alias.asname or alias.name for node in tree.body if _from_here(node) for alias in node.names}
    bound |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert {name for name in bound if not name.startswith("_")} == set(exported)
    assert all(hasattr(module, name) for name in exported)


def _from_here(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.level > 0 or (node.module or "").startswith("spectralgpt"))


def test_all_of_the_package_can_be_had_and_nothing_else():
    for name in spectralgpt.__all__:
        assert getattr(spectralgpt, name) is not None
    assert dir(spectralgpt) == sorted(spectralgpt.__all__)
    assert not set(spectralgpt.__all__) & set(rooms()), "a room would hide the exported name"
    with pytest.raises(AttributeError, match="no attribute 'opn_raster'"):
        spectralgpt.opn_raster  # noqa: B018


def test_type_checkers_see_what_the_package_exports():
    tree = ast.parse(Path(spectralgpt.__file__).read_text())
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    of_rooms = {name: f"spectralgpt.{room}" for name, room in spectralgpt._ROOMS.items()}
    of_verbs = {name: f"spectralgpt.verbs.{name}" for name in verbs.names()}
    assert seen == of_rooms | of_verbs, "if a verb is new: python docs/reference.py"


@pytest.mark.parametrize("name", verbs.names())
def test_a_verb_says_what_the_help_needs(name):
    verb = verbs.find(name)
    text = docstring.parse(verb.__doc__ or "")
    assert text.summary.endswith(".")
    assert len(text.summary) < 80, "the list of commands has one line for it"
    asked = parameters(verb)
    assert set(text.args) - {"progress", "announce"} == {one.name for one in asked}
    assert all(text.args[one.name] for one in asked)
    assert text.example.startswith(f"spectralgpt {name} ")


@pytest.mark.parametrize("name", verbs.names())
def test_a_verb_returns_a_frozen_dataclass_with_a_text_for_people(name):
    result = typing.get_type_hints(verbs.find(name))["return"]
    assert dataclasses.is_dataclass(result)
    assert result.__dataclass_params__.frozen
    assert isinstance(inspect.getattr_static(result, "__str__"), types.FunctionType)
    assert result.__str__ is not object.__str__


def test_no_help_text_is_written_twice():
    """What several verbs share is declared in verbs/_options.py; a verb's own text says something else."""
    written: dict[tuple[str, str], list[str]] = {}
    for name in verbs.names():
        own = inspect.unwrap(verbs.find(name)).__doc__ or ""
        for entry in docstring.parse(own).args.items():
            written.setdefault(entry, []).append(name)
    for name, annotation in declared_options():
        written.setdefault((name, annotation.__metadata__[0].help), []).append("_options")
    assert not {entry: found for entry, found in written.items() if len(found) > 1}


def declared_options():
    groups = [group for group in vars(_options).values() if typing.is_typeddict(group)]
    assert groups
    found = {}
    for group in groups:
        for option, annotation in typing.get_type_hints(group, include_extras=True).items():
            assert found.setdefault(option, annotation) == annotation, f"{option} is declared twice"
    return found.items()


def test_every_declared_option_is_one_of_a_verb():
    asked = {one.name for name in verbs.names() for one in parameters(verbs.find(name))}
    assert {name for name, _ in declared_options()} <= asked


def test_an_option_is_of_one_kind_in_every_verb():
    kinds: dict[str, set[str]] = {}
    for name in verbs.names():
        for one in parameters(verbs.find(name)):
            if not one.positional:
                kinds.setdefault(one.spelling, set()).add(one.value)
    assert not {spelling: found for spelling, found in kinds.items() if len(found) > 1}


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("raster.open_raster", "products.open_raster"),
        ("raster.check", "checks.check"),
        ("raster.Layout", "raster.Profile"),
        ("data.Source", "data.MixtureEntry"),
        ("weights.Pretrained", "weights.PretrainedModel"),
        ("disk.written_beside", "disk.atomic_write"),
        ("plain.changed", "settings.changed"),
    ],
)
def test_former_names_warn_and_work(former, now):
    (room, name), (new_room, new) = former.split("."), now.split(".")
    with pytest.warns(DeprecationWarning, match=rf"spectralgpt\.{former} is now spectralgpt\.{now}"):
        found = getattr(__import__(f"spectralgpt.{room}", fromlist=[name]), name)
    assert found is getattr(__import__(f"spectralgpt.{new_room}", fromlist=[new]), new)


def test_pixels_from_array_warns_and_works():
    with pytest.warns(DeprecationWarning, match="is now spectralgpt.as_pixels"):
        pixels = spectralgpt.Pixels.from_array(np.ones((1, 4, 4), np.float32), bands="B02", gsd=10, trust_input=True)
    assert pixels.shape == (1, 1, 4, 4)
