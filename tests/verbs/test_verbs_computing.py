"""How a verb computes: numbers of threads, and the environment variable of attention, before any work."""

import os
import subprocess
import sys

import pytest
import torch

import spectralgpt as sg
from spectralgpt.errors import OptionError
from spectralgpt.verbs._computing import computing

VERBS = {
    "embed": lambda out, **options: sg.embed("none.tif", out / "target.tif", **options),
    "reconstruct": lambda out, **options: sg.reconstruct("none.tif", out / "target.tif", **options),
    "pretrain": lambda out, **options: sg.pretrain("smoke", data="none", out=out / "run", **options),
    "probe": lambda out, **options: sg.probe("none", **options),
    "demo": lambda out, **options: sg.demo(out / "demo", **options),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("threads", [0, 100_000, 10**12])
def test_numbers_of_threads_that_cannot_be(tmp_path, verb, threads):
    with pytest.raises(OptionError, match=rf"^threads={threads}; expected 1 to 1000\.$"):
        VERBS[verb](tmp_path, threads=threads)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_way_of_attention(tmp_path, verb, monkeypatch):
    monkeypatch.setenv("SPECTRALGPT_ATTENTION", "nonsense")
    with pytest.raises(OptionError, match="SPECTRALGPT_ATTENTION: found 'nonsense'; expected usual, measured, or"):
        VERBS[verb](tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["demo", "out"], ["embed", "a.tif", "b.tif"], ["doctor"]])
def test_an_unknown_way_of_attention_ends_a_command(tmp_path, root, command):
    environment = {**os.environ, "SPECTRALGPT_ATTENTION": "nonsense", "PYTHONPATH": str(root / "src")}
    found = subprocess.run(
        [sys.executable, "-m", "spectralgpt", *command], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert found.returncode == 2, found.stderr
    assert "expected usual, measured, or one of the ways 'flash'" in found.stderr
    assert "Traceback" not in found.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("threads", "announced"), [(1, 0), (2, 0), (3, 1), (1000, 1)])
def test_more_threads_than_cores_are_announced(monkeypatch, threads, announced):
    monkeypatch.setattr("spectralgpt.cores.available_cores", lambda: 2)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    said: list[str] = []
    with computing({"threads": threads, "announce": said.append}, ["threads"]):
        assert len(said) == announced
    assert all(f"threads={threads} is more than the 2 cores" in line for line in said)


def test_the_demo_computes_with_the_threads_given(tmp_path, monkeypatch, demo_scene, weights):
    found: list[int] = []

    def rebuilt(*arguments, **options):
        found.append(torch.get_num_threads())
        raise KeyError

    monkeypatch.setattr(sys.modules["spectralgpt.verbs.demo"], "reconstruct", rebuilt)
    before = torch.get_num_threads()
    with pytest.raises(KeyError):
        sg.demo(tmp_path / "out", scene=demo_scene, weights=weights, threads=2)
    assert found == [2]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["shard", "a", "--out", "b", "--threads", "3"], "--workers"),
        (["shard", "a", "--out", "b", "--threads=3"], "--workers"),
        (["shard", "a", "--out", "b", "--chp", "3"], "--chip"),
    ],
)
def test_an_option_of_another_command_names_the_nearest_one_here(tmp_path, root, command, words):
    found = subprocess.run(
        [sys.executable, "-m", "spectralgpt", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2
    assert words in found.stderr
    assert "--bands" not in found.stderr
