"""The commands made of small verbs, which a test writes into a package of its own."""

import dataclasses
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spectralgpt import cli, verbs
from spectralgpt.cli.app import build
from spectralgpt.cli.parameters import parameters

HEADER = """
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike as Path_
from pathlib import Path
from typing import Literal
from spectralgpt.errors import InputError
from spectralgpt.progress import Progress, silent

PathLike = str | Path_[str]

@dataclass(frozen=True)
class Result:
    given: tuple[object, ...]
    target: Path
    error: float = float("nan")
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"given {self.given!r}"
"""

VERBS = {
    "mix": '''
def mix(sources: PathLike | Sequence[PathLike], target: PathLike, *, bands: str | None = None, per_date: bool = False,
        keep: bool = True, per: Literal["all", "group"] = "all", overlap: float = 0.25, hide: float | str = 0.75,
        only: Sequence[str] = (), progress: Progress = silent) -> Result:
    """Mix scenes: one line
    of summary.

    What it does at length.

    Args:
        sources: Dates of one place.
        target: The file to write.
        bands: Sensor of the bands.
        per_date: One result per date.
        keep: Keep what was there.
        per: What one result is of.
        overlap: Share of a window.
        hide: Bands, a date, or a share.
        only: Only these.

    Example:
        spectralgpt mix a.tif b.tif out.tif \\\\
            --bands s2-l1c
    """
    progress("mixing", 1, 2)
    given = (tuple(sources), bands, per_date, keep, per, overlap, hide, tuple(only))
    return Result(given, Path(target), warnings=("half of it is water",))
''',
    "turn": '''
def turn(source: PathLike, target: PathLike) -> Result:
    """Turn one.

    Args:
        source: The one.
        target: The other.

    Example:
        spectralgpt turn a b
    """
    return Result((source,), Path(target))
''',
    "weigh": '''
def weigh(sources: PathLike | Sequence[PathLike], *, weights: PathLike | None = None) -> Result:
    """Weigh them."""
    return Result((weights,), Path("weights"))
''',
    "show": '''
def show(target: PathLike = "show-output", *, seconds: float = 120, scene: PathLike | None = None) -> Result:
    """Show it."""
    return Result((seconds, scene), Path(target))
''',
    "pick": '''
def pick(source: PathLike, *, dates: str | None = None, bands_as: str | None = None) -> Result:
    """Pick dates, unless dates='none'.

    Args:
        source: The one.
        dates: These alone; not with bands_as='own'.
    """
    return Result((dates,), Path(source), warnings=("dates='a b' is odd",))
''',
    "fail": '''
def fail(how: str, *, trust_input: bool = False) -> Result:
    """Fail."""
    if how == "input":
        raise InputError("a.tif: found nothing; expected something.")
    if how == "advice":
        raise InputError("a.tif: found nothing", "", "To continue anyway:", ("trust_input", True), ("how", "in put"))
    if how == "interrupt":
        raise KeyboardInterrupt
    if how in ("file", "folder", "link"):  # each fails with OSError of its own
        long = Path("a" * 300)
        {"file": long.read_bytes, "folder": long.mkdir, "link": Path("a" * 300 + "/b").exists}[how]()
    if how == "full":
        raise OSError(28, "No space left on device", "a.tif")
    raise ValueError("ours")
''',
}


@pytest.fixture
def found(tmp_path, monkeypatch):
    folder = tmp_path / "small_verbs"
    folder.mkdir()
    for name, code in {"__init__": "", "_hidden": "", **VERBS}.items():
        (folder / f"{name}.py").write_text(HEADER + code)
    (folder / "notes.txt").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield {name: verbs.find(name, "small_verbs") for name in verbs.names(str(folder))}
    for module in [name for name in sys.modules if name.startswith("small_verbs")]:
        del sys.modules[module]


@pytest.fixture
def run(found, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    app = build(found)
    return lambda *words: CliRunner().invoke(app, words, prog_name="spectralgpt")


def test_verbs_are_the_files_of_the_folder(found):
    assert list(found) == ["fail", "mix", "pick", "show", "turn", "weigh"]


def test_the_help_lists_every_verb_with_its_summary(run):
    result = run("--help")
    assert result.exit_code == 0
    assert "  mix    Mix scenes: one line of summary.\n" in result.output
    assert all(f"\n  {name} " in result.output for name in VERBS)


HELP = r"""Usage: spectralgpt mix SOURCE... TARGET [OPTIONS]

  Mix scenes: one line of summary.

  What it does at length.

Arguments:
  SOURCE...  Dates of one place.
  TARGET     The file to write.

Options:
  --bands TEXT        Sensor of the bands.
  --per-date          One result per date.
  --keep / --no-keep  Keep what was there.
  --per all|group     What one result is of. [default: all]
  --overlap NUMBER    Share of a window. [default: 0.25]
  --hide TEXT         Bands, a date, or a share. [default: 0.75]
  --only TEXT         Only these.
  --json              Print the result, or the error, as one line of JSON.
  --quiet             Show neither progress nor warnings.
  -h, --help          Show this message and exit.

  Example:
    spectralgpt mix a.tif b.tif out.tif \
        --bands s2-l1c
"""


def test_help_of_a_verb(run):
    assert run("mix", "--help").output == HELP
    assert run("mix", "-h").output == HELP
    assert "show [TARGET] [OPTIONS]" in run("show", "--help").output


def test_arguments_as_cp_takes_them(run):
    assert "given (('a', 'b', 'c'), None" in run("mix", "a", "b", "c", "out.tif").output
    assert "given (('a',), None" in run("mix", "a", "out.tif").output
    assert "given ('a',)" in run("turn", "a", "b").output
    assert run("mix", "out.tif").exit_code == 2
    assert run("turn", "a", "b", "c").exit_code == 2


def test_defaults_are_the_function_s_own(run, found):
    assert str(found["mix"](["a"], "out.tif")) in run("mix", "a", "out.tif").output
    assert str(found["show"]()) in run("show").output
    assert "show-output" in run("show", "--json").output


def test_options_become_arguments_of_their_type(run):
    options = shlex.split("--bands s2 --per-date --no-keep --per group --overlap 0.5 --hide B11,B12 --only x --only y")
    expected = "given (('a',), 's2', True, False, 'group', 0.5, 'B11,B12', ('x', 'y'))"
    assert expected in run("mix", "a", *options, "b").output


@pytest.mark.parametrize("words", [["--per", "each"], ["--overlap", "wide"], ["--unknown"]])
def test_a_wrong_option_is_exit_2(run, words):
    result = run("mix", "a", "b", *words)
    assert result.exit_code == 2
    assert words[0] in result.stderr
    assert result.stdout == ""


def test_an_unknown_verb_is_exit_2_with_the_nearest(run):
    result = run("mixx", "a")
    assert result.exit_code == 2
    assert "mix" in result.stderr


def test_json_is_one_line_last_with_absolute_paths_and_null_for_nan(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("mix", "a", "folder/../out.tif", "--json")
    assert result.stdout.count("\n") == 1
    read = json.loads(result.stdout)
    assert read["target"] == str(Path.cwd() / "out.tif")
    assert read["error"] is None
    assert read["given"] == [["a"], None, False, True, "all", 0.25, 0.75, []]


def test_warnings_go_to_standard_error_unless_quiet(run):
    loud, quiet = run("mix", "a", "b"), run("mix", "a", "b", "--quiet")
    assert loud.stderr == "warning: half of it is water\n"
    assert quiet.stderr == ""
    assert loud.stdout == quiet.stdout != ""


def test_wrong_input_is_its_message_and_exit_2(run):
    result = run("fail", "input")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "a.tif: found nothing; expected something.\n"


def test_texts_spell_arguments_as_the_command_line_does(run):
    assert run("fail", "advice").stderr == "a.tif: found nothing. To continue anyway: --trust-input or HOW 'in put'\n"
    result = run("pick", "a", "--dates", "2020-05-01")
    assert result.stderr == "warning: --dates 'a b' is odd\n"
    shown = run("pick", "--help").output
    assert "Pick dates, unless --dates none." in shown
    assert "These alone; not with --bands-as own." in shown


def test_a_former_name_works_with_a_warning_and_is_hidden(run):
    result = run("pick", "a", "--date", "2020-05-01")
    assert result.exit_code == 0
    assert "given ('2020-05-01',)" in result.stdout
    assert result.stderr.splitlines()[0] == "warning: --date is called --dates now"
    assert run("pick", "a", "--date", "2020-05-01", "--quiet").stderr == ""
    assert "--date " not in run("pick", "--help").output
    both = run("pick", "a", "--date", "1", "--dates", "2")
    assert (both.exit_code, both.stderr) == (
        2,
        "spectralgpt pick: found both --dates and --date; expected only --dates.\n",
    )


def test_an_interrupt_is_one_line_and_exit_130(run):
    result = run("fail", "interrupt")
    assert (result.exit_code, result.stderr) == (130, "spectralgpt fail: interrupted.\n")


@pytest.mark.parametrize("how", ["file", "folder", "link"])
def test_a_name_that_no_disk_takes_is_the_user_s(run, how):
    result = run("fail", how)
    assert result.exit_code == 2
    assert (
        result.stderr
        == f"{'a' * 60}...: this name is too long for the disk; expected a shorter name. Check the path.\n"
    )


def test_another_error_of_the_disk_is_not(run):
    result = run("fail", "full")
    assert result.exit_code == 1
    assert isinstance(result.exception, OSError)


def test_our_own_fault_is_a_traceback_and_exit_1(found, monkeypatch, capsys):
    monkeypatch.setattr(verbs, "names", lambda: tuple(found))
    monkeypatch.setattr(verbs, "find", found.get)
    monkeypatch.setattr(sys, "argv", ["spectralgpt", "fail", "ours"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 1
    assert "ValueError: ours" in capsys.readouterr().err


def test_version(run):
    import spectralgpt

    assert run("--version").output == f"{spectralgpt.__version__}\n"


def test_parameters_that_no_command_line_can_take_are_refused():
    def several(*sources: str) -> None: ...
    def taken(*, json: bool = False) -> None: ...
    def odd(*, where: complex = 1j) -> None: ...

    for verb, text in ((several, "sources"), (taken, "--json"), (odd, "complex")):
        with pytest.raises(TypeError, match=text):
            parameters(verb)


def test_one_path_where_two_are_needed(tmp_path):
    """Typer would say that SOURCE is missing, where TARGET is."""
    done = subprocess.run(
        [sys.executable, "-m", "spectralgpt", "embed", "scene.tif"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "spectralgpt embed: only scene.tif was given; expected SOURCE... TARGET, where the last one is written."
    )


def test_no_source_for_a_verb_without_a_target(run):
    ended = run("weigh")
    assert (ended.exit_code, ended.stderr) == (
        2,
        "spectralgpt weigh: SOURCE... is missing; see `spectralgpt weigh --help`.\n",
    )


@dataclasses.dataclass(frozen=True)
class Share:
    """What one of several processes gives."""

    is_main: bool
    warnings: tuple[str, ...] = ("something",)


def share(place: str) -> Share:
    """Do a share."""
    return Share(place == "first")


def test_of_several_processes_one_speaks():
    app = build({"share": share})
    spoken = {place: CliRunner().invoke(app, ["share", place, "--json"]) for place in ("first", "second")}
    assert json.loads(spoken["first"].stdout)["is_main"]
    assert "warning: something" in spoken["first"].stderr
    assert (spoken["second"].exit_code, spoken["second"].output) == (0, "")


@pytest.fixture
def ended(found, monkeypatch, capfd):
    """The exit code, standard output and standard error of the whole program."""

    def end(*words):
        monkeypatch.setattr(verbs, "names", lambda: tuple(found))
        monkeypatch.setattr(verbs, "find", found.get)
        monkeypatch.setattr(sys, "argv", ["spectralgpt", *words])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        caught = capfd.readouterr()
        return exit_.value.code, caught.out, caught.err

    return end


USAGE = [["fail"], ["mix", "a", "b", "--per", "each"], ["mix", "a", "b", "--wrong"], ["mixx", "a"], ["mix", "a"]]


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (2, "InputError", ["fail", "input"]),
        (2, "InputError", ["fail", "advice"]),
        (130, "interrupted", ["fail", "interrupt"]),
        (1, "internal", ["fail", "ours"]),
        (2, "usage", ["pick", "a", "--date", "1", "--dates", "2"]),
        *((2, "usage", words) for words in USAGE),
    ],
)
def test_json_also_of_errors(ended, code, kind, words):
    """As the last line, with the same exit code and the same message on standard error as without it."""
    plain = ended(*words)
    assert plain[:2] == (code, "")
    found = ended(*words, "--json")
    assert found[0] == code
    assert found[2].splitlines()[-1] == plain[2].splitlines()[-1]
    assert found[1].count("\n") == 1
    read = json.loads(found[1])
    assert read["kind"] == kind
    assert read["error"].rstrip(".") in found[2].replace("\n", " ").replace("  ", " ")


def test_json_of_an_error_has_its_parts(ended):
    assert json.loads(ended("fail", "advice", "--json")[1]) == {
        "error": "a.tif: found nothing. To continue anyway: --trust-input or HOW 'in put'",
        "kind": "InputError",
        "found": "a.tif: found nothing",
        "expected": "",
        "do": "To continue anyway:",
        "advice": [{"argument": "trust_input", "value": True}, {"argument": "how", "value": "in put"}],
    }
    assert json.loads(ended("fail", "ours", "--json")[1]) == {"error": "ValueError: ours", "kind": "internal"}
    assert ended("turn", "a", "b", "--json")[0] in (0, None)
    assert ended("mix", "--help", "--json")[0] in (0, None)


def test_the_help_says_the_exit_codes(run):
    shown = " ".join(run("--help").output.split())
    assert "Exit codes: 0 done, 1 our own fault (with a traceback), 2 wrong input or options" in shown
