"""Arguments of a text in Python's spelling, spelled for the shell."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectralgpt.cli.parameters import parameters
from spectralgpt.cli.spelling import spelled
from spectralgpt.errors import InputError, argument


def verb(
    sources: str | Sequence[str],
    target: str,
    *,
    bands: str | None = None,
    bands_as: Literal["own"] | None = None,
    gsd: float | None = None,
    set: Sequence[str] = (),
    trust_input: bool = False,
    keep: bool = True,
) -> None: ...


ASKED = parameters(verb)


def test_an_error_as_the_shell_spells_it():
    error = InputError("a.tif: found no names", "some", "Say which they are:", ("bands", "B02,B03"), ("gsd", 20.0))
    assert str(error).endswith("Say which they are: bands='B02,B03' or gsd=20.0")
    assert spelled(str(error), ASKED).endswith("Say which they are: --bands B02,B03 or --gsd 20.0")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bands='s2-l2a'", "--bands s2-l2a"),
        ('bands="a b.toml"', "--bands 'a b.toml'"),
        ("bands_as='own'", "--bands-as own"),
        ("bands='it\\'s'", "--bands 'it'\"'\"'s'"),
        ("bands=''", "--bands ''"),
        ("bands=...", "--bands ..."),
        ("gsd=20", "--gsd 20"),
        ("gsd=-1.5e-3, found", "--gsd -1.5e-3, found"),
        ("Use gsd=20.", "Use --gsd 20."),
        ("gsd=nan; expected", "--gsd nan; expected"),
        ("(bands='B2') or `gsd=3`:", "(--bands B2) or `--gsd 3`:"),
        ("trust_input=True to go on", "--trust-input to go on"),
        ("keep=False", "--no-keep"),
        ("set='stages.0.lr=1e-4'", "--set stages.0.lr=1e-4"),
        ("set=['gsd=1', 'b=2']", "--set gsd=1 --set b=2"),
        ("target='x'", "TARGET x"),
        ("sources=['a.tif', 'b c.tif']", "SOURCE a.tif 'b c.tif'"),
        ("sources=('a.tif',)", "SOURCE a.tif"),
        ("bands='B2'\nbands='B3', gsd=1", "--bands B2\n--bands B3, --gsd 1"),
    ],
)
def test_what_is_translated(text, expected):
    assert spelled(text, ASKED) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a.tif: nothing to translate",
        "weights='x'",  # of another verb
        "my_bands='x', stages.gsd=3",
        "out/gsd=4/a.tif and gsd=4/a.tif and gsd=4.tif",
        "gsd=4m",
        "gsd=None",
        "keep=True and trust_input=False",  # no flag says so
        "bands=True",
        "found 'gsd=4'",
        "bands=B02,B03",
        "bands = 'B02'",
        "bands='B02",
        "the bands: B02",
    ],
)
def test_what_stays(text):
    assert spelled(text, ASKED) == text


def test_without_parameters_nothing_is_translated():
    assert spelled("bands='x'", ()) == "bands='x'"


def test_a_path_object_is_its_path():
    assert spelled(argument("target", Path("out dir/a.tif")), ASKED) == "TARGET 'out dir/a.tif'"


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",))))
def test_the_shell_reads_back_any_string(value):
    assert shlex.split(spelled(argument("bands", value), ASKED)) == ["--bands", value]
