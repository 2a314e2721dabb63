"""Values of another type than the annotation get a sentence; what is plainly the same is taken."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from spectralgpt.arguments import ListInPython, checked, fits, in_words
from spectralgpt.errors import OptionError

PathLike = str | os.PathLike[str]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (float | None, (1, 2.5, None), ("1", True, [1], b"1")),
        (int, (1, -3), (1.5, "1", None, True)),
        (bool, (True, False), (0, 1, "x", None)),
        (Literal["all", "group"] | None, ("all", None), ("none", 1, ["all"])),
        (PathLike | Sequence[PathLike], ("a", Path("a"), ["a", Path("b")], ()), (5, None, [None], {"a": 1}, b"a")),
        (str | ListInPython, ("a", ["a", 5], (1.5,)), ({}, 5, [None], [["a"]], {"a", "b"}, [True], np.zeros((2, 2)))),
        (Sequence[float | int], ([1, 2.5], ()), ("12", [None], {}, 1, ["a"])),
    ],
)
def test_what_fits_an_annotation(kind, right, wrong):
    assert [value for value in right if not fits(value, kind)] == []
    assert [value for value in wrong if fits(value, kind)] == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (float | None, "a number"),
        (PathLike | Sequence[PathLike], "a path or a list of paths"),
        (str | float | ListInPython | None, "a text, a number or a list"),
        (Literal["all", "group"] | None, "one of: all, group"),
        (bool, "True or False"),
    ],
)
def test_words_of_an_annotation(kind, words):
    assert in_words(kind) == words


@checked
def verb(source: PathLike, *, side: float | None = None, names: str | ListInPython = "", days: Sequence[int] = ()):
    return source, side, names, days


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"side": "ten"}, "side='ten': found a text; expected a number."),
        ({"side": [10]}, r"side=\[10\]: found a list of int; expected a number."),
        ({"names": {"B2": 1}}, "names={'B2': 1}: found a dict; expected a text or a list."),
        (
            {"names": np.zeros((2, 3))},
            r"names: found an array \(ndarray\) of shape \(2, 3\); expected a text or a list.",
        ),
        ({"days": ["1"]}, r"days=\['1'\]: found a list of str; expected a list."),
    ],
)
def test_messages_show_what_was_found(given, message):
    with pytest.raises(OptionError, match=f"^{message}$"):
        verb("a.tif", **given)


@pytest.mark.parametrize("source", [5, None, b"a.tif", ["a.tif"], "", " "])
def test_positional_arguments_are_checked_too(source):
    with pytest.raises(OptionError, match=r"source.*; expected a path\."):
        verb(source)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"side": np.float32(2.5)}, (2.5, "", ())),
        ({"names": np.array(["B02", "B03"])}, (None, ["B02", "B03"], ())),
        ({"days": np.array([1, 2], "i2")}, (None, "", [1, 2])),
        ({"days": iter([1, 2])}, (None, "", [1, 2])),
    ],
)
def test_numpy_and_iterators_are_taken_as_python(given, taken):
    found = verb(np.str_("a"), **given)
    assert found == ("a", *taken)
    assert type(found[1]) in (float, type(None))


def test_long_values_are_not_shown():
    with pytest.raises(OptionError, match=r"^side: found a list of int; expected a number\.$"):
        verb("a.tif", side=list(range(100)))


def test_a_wrong_call_stays_python_s():
    with pytest.raises(TypeError, match="unexpected keyword"):
        verb("a.tif", sidee=3)
    with pytest.raises(TypeError):
        verb("a.tif", 3)
