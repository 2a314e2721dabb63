"""Options that verbs share: flat at run time, with one text and one default each."""

import inspect
import subprocess
import sys
from typing import Annotated, Literal, TypedDict, Unpack, get_type_hints

import pytest

import spectralgpt as sg
from spectralgpt.errors import OptionError
from spectralgpt.verbs._flat_options import with_shared_options
from spectralgpt.verbs._options import Option


class Shared(TypedDict, total=False):
    dates: Annotated[str | None, Option("Use only these dates.")]
    kind: Annotated[Literal["a", "b"] | None, Option("What it is.")]
    batch: Annotated[int, Option("Number of windows. " + "There may be many. " * 5, 8)]


class More(Shared, total=False):
    seed: Annotated[int, Option("Where it starts.", 0)]


def plain(
    source: Annotated[str, Option("What to read.")], *, chip: int = 1, progress: int = 2, **options: Unpack[More]
) -> tuple[str, int, int, dict[str, object]]:
    """Do it.

    At length.

    Args:
        chip: Side of a chip,
            in pixels.
        kind: Its own text.

    Example:
        spectralgpt plain a.tif
    """
    return source, chip, progress, options


verb = with_shared_options(plain)


def test_the_signature_is_flat_with_defaults_and_plain_types():
    assert str(inspect.signature(verb)) == (
        "(source: str, *, chip: int = 1, dates: str | None = None, kind: Optional[Literal['a', 'b']] = None, "
        "batch: int = 8, seed: int = 0, progress: int = 2) -> tuple[str, int, int, dict[str, object]]"
    )
    assert get_type_hints(verb) == {
        **{"source": str, "chip": int, "dates": str | None, "kind": Literal["a", "b"] | None},
        **{"batch": int, "seed": int, "progress": int, "return": tuple[str, int, int, dict[str, object]]},
    }


def test_the_docstring_is_flat_in_the_signature_s_order():
    head, _, args = verb.__doc__.partition("\n\nArgs:\n")
    args, _, example = args.partition("\n\nExample:\n")
    assert (head, example) == ("Do it.\n\nAt length.", "    spectralgpt plain a.tif")
    assert args.splitlines()[:7] == [
        "    source: What to read.",
        "    chip: Side of a chip,",
        "        in pixels.",
        "    dates: Use only these dates.",
        "    kind: Its own text.",
        "    batch: Number of windows. " + " ".join(["There may be many."] * 4) + " There",
        "        may be many.",
    ]
    assert args.splitlines()[-1] == "    seed: Where it starts."
    assert max(map(len, args.splitlines())) <= 112


def test_options_arrive_given_or_by_default():
    assert verb("a", seed=3, chip=4) == ("a", 4, 2, {"dates": None, "kind": None, "batch": 8, "seed": 3})
    assert verb(source="a")[0] == "a"


def test_an_unknown_option_is_a_type_error_with_the_nearest():
    with pytest.raises(
        TypeError, match=r"^plain\(\) got an unexpected keyword argument 'bach'\. Did you mean batch\?$"
    ):
        verb("a", bach=3)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'overlp'\. Did you mean overlap\?$"):
        sg.embed("a.tif", "b.tif", overlp=0.5)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'source'"):
        verb()


@pytest.mark.parametrize("kind", ["a", "b", None])
def test_a_choice(kind):
    assert verb("a", kind=kind)[3]["kind"] == kind


def test_what_is_no_choice_is_refused():
    with pytest.raises(OptionError, match=r"^kind='c'; expected one of: a, b\.$"):
        verb("a", kind="c")


def test_a_former_name_works_with_a_warning():
    with pytest.warns(DeprecationWarning, match=r"^plain\(date=\.\.\.\) is called dates now$"):
        assert verb("a", date="2020-05-01")[3]["dates"] == "2020-05-01"
    with pytest.raises(TypeError, match="both 'dates' and 'date'"):
        verb("a", date="1", dates="2")
    with pytest.raises(TypeError, match="unexpected keyword argument 'date'"):
        with_shared_options(without_dates)(date="1")


def test_the_warning_points_at_the_caller():
    """In a process of its own, as the checks of annotations wrap every function of ours here."""
    code = "import spectralgpt as sg; sg.embed('nowhere.tif', 'out', date='2020-05-01')"
    only_here = ["-W", "ignore", "-W", "error::DeprecationWarning:__main__"]
    ended = subprocess.run([sys.executable, *only_here, "-c", code], capture_output=True, text=True, check=False)
    assert "DeprecationWarning: embed(date=...) is called dates now" in ended.stderr


class Seeds(TypedDict, total=False):
    seed: Annotated[int, Option("Where it starts.", 0)]


def without_dates(**options: Unpack[Seeds]) -> None:
    """Have no dates."""


def test_a_verb_without_arguments_of_its_own_gets_a_section_for_them():
    assert with_shared_options(without_dates).__doc__ == "Have no dates.\n\nArgs:\n    seed: Where it starts."


def test_every_verb_is_documented_in_python_as_well():
    for name in ("embed", "reconstruct"):
        found = getattr(sg, name)
        documented = found.__doc__.partition("\nArgs:\n")[2]
        assert all(f"    {each}: " in documented for each in inspect.signature(found).parameters)
    assert inspect.signature(sg.reconstruct).parameters["seed"].default == 0
