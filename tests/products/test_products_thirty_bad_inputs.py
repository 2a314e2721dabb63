"""Bad input of 30 kinds and more: exit 2 with one message, or right results; no traceback, no hang, no half file."""

import json
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn
from unittest.mock import patch

import pytest
import torch

from made_bad_input import CASES, Case, run_apart
from spectralgpt.bands import BandSet, sensor
from spectralgpt.cli import main
from spectralgpt.nn import BandStatistics, ModelConfig, Normalization, Size
from spectralgpt.products import open_raster
from spectralgpt.weights import SpectralGPT

SECONDS = 20
"""A command that takes longer hangs."""

MOST_BYTES = 6 * 2**30
"""Address space of a separate process; a command that needs more has trusted a header."""


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder; 12 bands in four groups, fixed statistics."""
    torch.manual_seed(0)
    normalization = Normalization("standard", tuple(BandStatistics(each, 2.0, 1.0) for each in sensor("s2-l1c").bands))
    config = ModelConfig(Size(48, 2, 4, 32, 1, 4), BandSet.native(sensor("spectralgpt-12").bands))
    folder = tmp_path_factory.mktemp("weights") / "small"
    SpectralGPT(config, normalization, {"data": "none"}).save_pretrained(folder)
    return folder


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A command as the shell would run it, in this process, or in another where it could hang."""

    def run(apart: bool, *arguments: object) -> Ended:
        words = [str(each) for each in arguments]
        if apart:
            return _apart(words, tmp_path_factory.mktemp("said"))
        monkeypatch.setattr(sys, "argv", ["spectralgpt", *words])
        capfd.readouterr()
        with _in_time(), pytest.raises(SystemExit) as ended:
            main()
        caught = capfd.readouterr()
        return Ended(int(ended.value.code or 0), caught.out, caught.err)

    return run


def _apart(words: list[str], folder: Path) -> Ended:
    """In another process, forked from one that has the imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["made_bad_input", "spectralgpt.raster", "spectralgpt.cli", "spectralgpt.verbs.inspect"]
    )
    process = context.Process(target=run_apart, args=(words, str(folder), MOST_BYTES))
    # as this process has it, though another folder is the current one
    path = os.pathsep.join(os.path.abspath(each) for each in sys.path if each)
    with patch.dict(os.environ, {"PYTHONPATH": path}):
        process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        pytest.fail(f"not done in {SECONDS} seconds")
    assert process.exitcode is not None
    return Ended(process.exitcode, (folder / "out.txt").read_text(), (folder / "err.txt").read_text())


@contextmanager
def _in_time() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"not done in {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def listing(folder: Path) -> list[str]:
    """Every path below; links are not followed, as they may loop."""
    return sorted(str(Path(at) / each) for at, folders, names in os.walk(folder) for each in (*folders, *names))


def made(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[str]]:
    folder.mkdir()
    monkeypatch.chdir(folder)
    if "permission" in case.kind and os.geteuid() == 0:
        pytest.skip("root may read everything")
    call = case.make(folder)
    return [*map(str, call.sources)], [*map(str, call.options)]


def assert_refused(ended: Ended, says: str) -> None:
    assert ended.code == 2, ended.out + ended.err
    assert "Traceback" not in ended.err
    assert ended.out == "" or json.loads(ended.out)["kind"].endswith("Error")
    assert re.search(says, ended.err), ended.err
    assert len(ended.err.strip().splitlines()) == 1, ended.err
    assert len(ended.err) < 10_000


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_inspect(case: Case, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, options = made(case, tmp_path / "in", monkeypatch)
    before = listing(tmp_path)
    ended = run(case.apart, "inspect", *sources, *options, "--json")
    assert listing(tmp_path) == before
    if case.says is not None:
        assert_refused(ended, case.says)
        return
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    found: dict[str, Any] = json.loads(ended.out.splitlines()[-1])
    assert case.right is not None
    assert case.right(found), found


EMBEDDED = [
    # what inspect refuses is refused on opening, by embed too: test_verbs_bad_input.py tries twelve kinds of it
    pytest.param(case, marks=[pytest.mark.long] if case.says else [], id=case.name)
    for case in CASES
    if case.embeds
]


@pytest.mark.parametrize("case", EMBEDDED)
def test_embed(case: Case, tmp_path: Path, run: Run, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources, options = made(case, tmp_path / "in", monkeypatch)
    target = tmp_path / "out" / "vectors.tif"
    target.parent.mkdir()
    ended = run(case.apart, "embed", *sources, target, *options, "--weights", weights, "--device", "cpu", "--quiet")
    left = listing(tmp_path / "out")
    says = case.says or case.unless
    if says is not None:
        assert_refused(ended, says)
        assert left == []
    else:
        assert ended.code == 0, ended.err
        assert [Path(each).name for each in left] == ["vectors.png", "vectors.tif", "vectors.valid.tif"]


def test_there_are_thirty_kinds_and_more() -> None:
    assert len({case.kind for case in CASES}) >= 30
    assert len({case.name for case in CASES}) == len(CASES)


def test_dates_that_run_from_the_north_and_from_the_south_are_read_alike(tmp_path: Path) -> None:
    call = next(case for case in CASES if case.name == "dates_of_which_one_runs_from_the_south").make(tmp_path)
    with open_raster([str(each) for each in call.sources]) as raster:
        pixels = raster.read()
    assert pixels.valid is None
    assert (pixels.values[0] == pixels.values[1]).all()
    assert (pixels.values[0] != pixels.values[0, :, ::-1]).any()
