"""A run that is killed again and again, forked from a process that has imported everything: kills can be many."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from made_runs import records_of, state_of, weights_of
from made_training import differences

# Forked from a process that has imported everything: a start takes milliseconds, so kills can be many.
KILLED = """
    import json, os, random, signal, sys, time, traceback, warnings
    warnings.simplefilter("error")
    from pathlib import Path
    from made_fits import fit_recipe
    from made_runs import made_recipe
    from spectralgpt.training import run_training

    shards, folder = map(Path, sys.argv[1:3])
    recipe, settings, kills, writes = sys.argv[3], *map(json.loads, sys.argv[4:])
    random.seed(0)

    def begin(out):
        child = os.fork()
        if child:
            return child
        try:
            run_training({"made": made_recipe, "fit": fit_recipe}[recipe](**settings), shards, out, device="cpu")
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


def killed(folder: Path, shards: Path, recipe: str, settings: dict, kills: int, writes: int) -> dict[str, int]:
    """How many kills there were, how many of them while a checkpoint was written, and in how many runs one after
    another; all of which ended as the one that was not killed."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent(KILLED),
            shards,
            folder,
            recipe,
            json.dumps(settings),
            str(kills),
            str(writes),
        ],
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
