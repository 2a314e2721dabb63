"""A run that is killed goes on from its last checkpoint and ends in the same weights; SIGTERM loses nothing."""

import json
import signal
import subprocess
import sys
import time

import pytest

from made_kills import environment, killed
from made_runs import made_recipe, made_shards, records_of, written_recipe
from made_training import ALONE
from spectralgpt.training import checkpoints
from spectralgpt.training.checkpoints import read_extra


def test_killed_at_random_moments_it_ends_in_the_same_weights(tmp_path):
    assert killed(tmp_path, made_shards(tmp_path / "shards"), "made", {"steps": (8, 6)}, 3, 1)["in writes"] >= 1


@pytest.mark.long
def test_killed_at_many_moments_it_ends_in_the_same_weights(tmp_path):
    assert killed(tmp_path, made_shards(tmp_path / "shards"), "made", {"steps": (32, 24)}, 20, 7)["in writes"] >= 7


def test_sigterm_saves_and_exits_well(tmp_path):
    shards, out = made_shards(tmp_path / "shards"), tmp_path / "run"
    recipe = written_recipe(tmp_path / "recipe.json", made_recipe(steps=(5000, 5), log_every=1, save_every=4000))
    process = subprocess.Popen(
        [sys.executable, "-m", "spectralgpt", "pretrain", recipe, "--data", shards, "--out", out, "--json"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            if (out / "log.jsonl").exists() and (out / "log.jsonl").read_bytes().count(b"\n") >= 3:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    reported = json.loads(said.splitlines()[-1])
    newest = checkpoints(out / "checkpoints")[0]
    assert (reported["finished"], reported["steps"], reported["checkpoint"]) == (False, 5005, str(newest))
    assert read_extra(newest, ALONE) == {"stage": 0, "step": reported["step"]}
    assert [record["step"] for record in records_of(out)] == list(range(1, reported["step"] + 1))
    assert 3 <= reported["step"] < 5000
    assert reported["weights"] is None
