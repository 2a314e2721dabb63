"""A run that is killed goes on from its last checkpoint and ends in the same weights; SIGTERM loses nothing."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from made_runs import made_recipe, made_shards, records_of, state_of, weights_of, written_recipe
from made_training import ALONE, differences
from spectralgpt.training import checkpoints
from spectralgpt.training.checkpoints import read_extra

# Forked from a process that has imported everything: a start takes milliseconds, so kills can be many.
KILLED = """
    import json, os, random, signal, sys, time, traceback, warnings
    warnings.simplefilter("error")
    from pathlib import Path
    from made_runs import made_recipe
    from spectralgpt.training import run_training

    shards, folder = map(Path, sys.argv[1:3])
    steps, kills, writes = map(json.loads, sys.argv[3:])
    random.seed(0)

    def begin(out):
        child = os.fork()
        if child:
            return child
        try:
            run_training(made_recipe(steps=steps), shards, out, device="cpu")
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def ended(child):
        done, status = os.waitpid(child, os.WNOHANG)
        assert not done or status == 0, status
        return bool(done)

    def unfinished(out):
        # by time too, as a start that comes by the same step writes under the same name
        found = {}
        if (out / "checkpoints").is_dir():
            for path in (out / "checkpoints").iterdir():
                if path.suffix:
                    try:
                        found[path.name] = path.stat().st_ctime_ns, path.stat().st_ino
                    except FileNotFoundError:
                        pass
        return set(found.items())

    begun = time.perf_counter()
    child, writing, saves, was = begin(folder / "straight"), 0.0, 0, False
    while not ended(child):
        now = bool(unfinished(folder / "straight"))
        saves += now and not was
        was = now
        writing += now
        time.sleep(0.001)
    took = time.perf_counter() - begun
    save = max(0.002, 0.001 * writing / max(1, saves))

    number, reported = 0, []
    out = folder / "run-0"
    while len(reported) < kills or sum(reported) < writes:
        assert len(reported) < 5 * kills, reported
        before = unfinished(out)
        child, finished = begin(out), False
        if len(reported) % 2:
            # in a write: when one is seen, a part of the time that it takes
            while not (finished := ended(child)) and not unfinished(out) - before:
                time.sleep(0.0002)
            time.sleep(random.uniform(0, save))
        else:
            until = time.perf_counter() + random.uniform(0, 0.5 * took)
            while not (finished := ended(child)) and time.perf_counter() < until:
                time.sleep(0.001)
        if finished:
            number += 1
            out = folder / f"run-{number}"
            continue
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        reported.append(bool(unfinished(out) - before))
    child = begin(out)
    os.waitpid(child, 0)
    print(json.dumps({"kills": len(reported), "in writes": sum(reported), "runs": number + 1}))
"""


def killed(folder: Path, steps: tuple[int, int], kills: int, writes: int) -> dict[str, int]:
    """How many kills there were, how many of them while a checkpoint was written, and in how many runs one after
    another; all of which ended as the one that was not killed."""
    shards = made_shards(folder / "shards")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), shards, folder, json.dumps(steps), str(kills), str(writes)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout.splitlines()[-1])
    for number in range(reported["runs"]):
        assert not differences(state_of(folder / f"run-{number}"), state_of(folder / "straight"))
        # each step once, and as it was
        assert records_of(folder / f"run-{number}") == records_of(folder / "straight")
        assert weights_of(folder / f"run-{number}") == weights_of(folder / "straight")
        assert not [path for path in (folder / f"run-{number}/checkpoints").iterdir() if path.suffix]
    print(reported)
    return reported


def environment() -> dict[str, str]:
    paths = os.pathsep.join([str(Path(__file__).parent), *(each for each in sys.path if each)])
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}


def test_killed_at_random_moments_it_ends_in_the_same_weights(tmp_path):
    assert killed(tmp_path, (8, 6), 3, 1)["in writes"] >= 1


@pytest.mark.long
def test_killed_at_many_moments_it_ends_in_the_same_weights(tmp_path):
    assert killed(tmp_path, (32, 24), 20, 7)["in writes"] >= 7


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
