"""The typed reader and writer of dataclasses: what it reads back, and what it says of what it does not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.errors import OptionError
from spectralgpt.plain import Family, from_plain, to_plain


@dataclass(frozen=True, slots=True)
class Part:
    number: float | int
    name: str = "none"

    def __post_init__(self) -> None:
        if self.number < 0:
            raise OptionError(f"number: found {self.number}", "0 or more", "Leave it out:", ("part", 0))
        if self.name == "two":
            raise ValueError("a name that is a number")


class Shape(Family):
    @classmethod
    def type_name(cls) -> str:
        return cls.__name__.lower()

    @classmethod
    def of_type(cls, name: str) -> type[Any]:
        return {"circle": Circle, "square": Square}[name]


@dataclass(frozen=True, slots=True)
class Circle(Shape):
    radius: float = 1.0


@dataclass(frozen=True, slots=True)
class Square(Shape):
    side: int = 1


@dataclass(frozen=True, slots=True)
class Whole:
    parts: tuple[Part, ...]
    pair: tuple[int, float] = (1, 2.0)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shape: Shape = field(default_factory=Circle)
    kind: Literal["a", "b"] | None = None
    flag: bool = False
    maybe: float | int | None = None


parts = st.builds(Part, st.floats(0, 1e9), st.text(max_size=3).filter(lambda name: name != "two"))
wholes = st.builds(
    Whole,
    st.lists(parts, max_size=3).map(tuple),
    st.tuples(st.integers(), st.floats(allow_nan=False)),
    st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=2)).map(tuple), max_size=2),
    st.one_of(st.builds(Circle, st.floats(0, 9)), st.builds(Square, st.integers())),
    st.sampled_from(["a", "b", None]),
    st.booleans(),
    st.none() | st.floats(allow_nan=False),
)


@given(wholes)
def test_read_write_read_is_the_identity(whole):
    plain = to_plain(whole)
    assert json.loads(json.dumps(plain)) == plain
    assert list(plain) == ["parts", "pair", "words", "shape", "kind", "flag", "maybe"], "in the order of the fields"
    assert from_plain(Whole, plain, complete=True) == whole


def test_what_is_left_out_has_its_default_unless_all_must_be_there():
    assert from_plain(Whole, {"parts": [{"number": 3}]}) == Whole((Part(3.0),))
    assert type(from_plain(Part, {"number": 3}).number) is float
    with pytest.raises(
        OptionError, match=r"^Whole: found no pair and no words and no shape .*; expected all of: parts, pair"
    ):
        from_plain(Whole, {"parts": []}, complete=True)
    plain = to_plain(Whole((Part(3.0),)))
    del plain["parts"][0]["name"]
    with pytest.raises(OptionError, match=r"^parts\.0: found no name; expected all of: number, name\.$"):
        from_plain(Whole, plain, complete=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (3, "Whole: found 3; expected names and values."),
        ({}, "Whole: found no parts; expected all of: parts."),
        ({"parts": 3}, "parts: found 3; expected a list."),
        ({"parts": [3]}, "parts.0: found 3; expected names and values."),
        ({"parts": [{"number": "3"}]}, "parts.0.number: found '3'; expected a number."),
        ({"parts": [{"number": True}]}, "parts.0.number: found True; expected a number."),
        ({"parts": [{"number": None}]}, "parts.0.number: found nothing; expected a number."),
        ({"parts": [{"number": 1, "name": 1}]}, "parts.0.name: found 1; expected a text."),
        (
            {"parts": [{"number": 1, "nam": ""}]},
            "parts.0.nam: unknown name; expected one of: number, name. Did you mean name?",
        ),
        ({"parts": [{"number": -1}]}, "parts.0.number: found -1.0; expected 0 or more. Leave it out: part=0"),
        ({"parts": [{"number": 1, "name": "two"}]}, "parts.0: a name that is a number"),
        ({"parts": [], "pair": [1]}, "pair: found 1 values; expected 2."),
        ({"parts": [], "pair": [1.5, 2]}, "pair.0: found 1.5; expected a whole number."),
        ({"parts": [], "words": []}, "words: found []; expected names and values."),
        ({"parts": [], "words": {"a": ["b", 3]}}, "words.a.1: found 3; expected a text."),
        ({"parts": [], "shape": {"radius": 1}}, "shape: found {'radius': 1}; expected names and values, `type` among"),
        ({"parts": [], "shape": {"type": "circle", "side": 1}}, "shape.side: unknown name"),
        ({"parts": [], "kind": "c"}, "kind: found 'c'; expected one of: a, b."),
        ({"parts": [], "flag": 1}, "flag: found 1; expected true or false."),
        ({"parts": [], "maybe": 10**400}, "expected a number that a float can hold."),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(values, message):
    with pytest.raises(OptionError) as caught:
        from_plain(Whole, values)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200


def test_what_a_dataclass_refuses_keeps_its_advice():
    with pytest.raises(OptionError) as caught:
        from_plain(Whole, {"parts": [{"number": 0}, {"number": -1}]})
    assert caught.value.found == "parts.1.number: found -1.0"
    assert (caught.value.expected, caught.value.advice) == ("0 or more", (("part", 0),))
