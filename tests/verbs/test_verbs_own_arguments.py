"""No advice names an argument that the running verb does not have."""

import inspect
import re
from typing import Unpack

import pytest

import spectralgpt
from spectralgpt import verbs
from spectralgpt.cli.parameters import parameters
from spectralgpt.cli.spelling import spelled
from spectralgpt.errors import BandError, InputError, RasterError
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import ReadingOptions

ADVICE = [("bands", "s2-l2a"), ("dates", "2020-05-01"), ("trust_input", True), ("heads", 12), ("scale", 1.0)]


@pytest.mark.parametrize("name", ["bands", "dates", "heads", "trust_input", "offset"])
@pytest.mark.parametrize("other", ["bands", "weights", "gsd"])
def test_advice_within_the_arguments_of_a_caller(name, other):
    error = RasterError("a.tif: found it", "another", "Give", (name, 1), (other, 2))
    assert error.within([name, other]) is error
    if name != other:
        assert str(error.within([other])) == f"a.tif: found it; expected another. Give {other}=2"
    assert str(error.within([])) == "a.tif: found it; expected another."


@pytest.mark.parametrize(
    ("do", "kept"),
    [
        ("Leave it out; choose with the argument `dates`", "Leave it out"),
        ("Choose with the argument `dates`", ""),
        ("Rename them; or list them in the argument `bands`", "Rename them; or list them in the argument `bands`"),
    ],
)
def test_sentences_on_arguments_of_others_are_left_out(do, kept):
    assert BandError("found", "x", do).within(["bands"]).do == kept


@with_shared_options
def reader(source: str, **options: Unpack[ReadingOptions]) -> str:
    """Read.

    Args:
        source: What.
    """
    raise RasterError(f"{source}: found it", "another", "Give", *ADVICE)


def test_a_verb_advises_its_own_arguments():
    with pytest.raises(RasterError) as caught:
        reader("a.tif")
    assert [name for name, _ in caught.value.advice] == ["bands", "trust_input"]
    assert re.findall(r"--\w[\w-]*", spelled(str(caught.value), parameters(reader))) == ["--bands", "--trust-input"]


@pytest.mark.parametrize("name", verbs.names())
def test_every_verb_advises_its_own_arguments(name, tmp_path):
    """The source is nameless bytes, text, or nothing; the last line of the message names options of the verb only."""
    verb = getattr(spectralgpt, name)
    own = {one.spelling for one in parameters(verb)}
    needed = [
        one
        for one in inspect.signature(verb).parameters.values()
        if one.default is one.empty and one.name != "progress"
    ]
    text = tmp_path / "a.pth"
    text.write_text("path,label\n1,2\n")
    for source in (text, tmp_path / "missing.tif", tmp_path):
        given = {one.name: source if index == 0 else tmp_path / "out" for index, one in enumerate(needed)}
        if not needed:
            given = {"name": "x"} if name == "sensors" else {"scene": source} if name == "demo" else {}
            given |= {"target": tmp_path / "out"} if name == "demo" else {}
        refused = _refused(verb, given)
        said = spelled(str(refused), parameters(verb))
        assert {argument for argument, _ in refused.advice} <= set(inspect.signature(verb).parameters), said
        assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", said)) <= own, said


def _refused(verb, given) -> InputError:
    try:
        verb(**given)
    except InputError as error:
        return error
    return InputError("")
