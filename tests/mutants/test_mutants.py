"""Whatever happened to a file that a user hands over, it is read, or refused in one message: no traceback, no hang of
five seconds, no gigabyte of memory.

Mutants are the same every time. A crash or a hang of outside software is guarded against in our code, and the mutant
itself is not kept. One that failed is tried again with `python made_mutant_worker.py FOLDER NUMBER 1 NAME`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import made_handed_models  # noqa: F401  adds to HANDED
from made_handed_files import HANDED
from made_mutants import mutant

HERE = Path(__file__).parent
MUTANTS = 100
"""Of each file in the long test."""

ALWAYS_READ = {"interrupted-notes-000000.json", "interrupted-rows-000000.npy"}
"""A block row that cannot be read, or its notes, is computed again."""

KEPT_OUT = {"interrupted-notes-000000.json", "interrupted-rows-000000.npy", "own_result", "vectors_parquet", "released"}
"""What takes longest, and is tried in the long test only."""


def outcomes(folder: Path, root: Path, first: int, count: int, *names: str) -> list[dict]:
    """What came of mutants of these files, each read in a process of its own."""
    path = (root / "src", root / "tests", root / "tests" / "products", HERE)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "SPECTRALGPT_CACHE": str(folder / "cache"),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, str(HERE / "made_mutant_worker.py"), str(folder), str(first), str(count), *names]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def check(found: list[dict]) -> None:
    wrong = [each for each in found if each["outcome"] not in ("read", "refused")]
    assert not wrong, "\n".join("{name} {number}: {outcome}, {said}".format(**each) for each in wrong)


def test_two_mutants_of_every_file(root, tmp_path):
    names = [each.name for each in HANDED if each.name not in KEPT_OUT]
    found = outcomes(tmp_path, root, 0, 3, *names)
    assert [(each["name"], each["number"]) for each in found] == [(name, n) for name in names for n in range(3)]
    # a file that is refused as it is would show nothing
    assert all(each["outcome"] == "read" for each in found if each["number"] == 0), found
    check(found)


@pytest.mark.long
@pytest.mark.parametrize("name", [each.name for each in HANDED])
def test_many_mutants(root, tmp_path, name):
    found = outcomes(tmp_path, root, 0, MUTANTS + 1, name)
    assert found[0]["outcome"] == "read", found[0]
    assert len(found) == MUTANTS + 1
    check(found)
    # not all in the same way
    assert {"read", "refused"} - {each["outcome"] for each in found} == ({"refused"} if name in ALWAYS_READ else set())


def test_mutants_are_the_same_every_time_and_differ():
    content = b'{"a": [1, 2.5, "x"], "b": {"c": null}}' * 3
    made = [mutant(content, "x", number) for number in range(300)]
    assert made == [mutant(content, "x", number) for number in range(300)]
    assert len(set(made)) > 200
    assert all(mutant(b"", "x", number) is not None for number in range(300))


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        ("raise ValueError('x')", "fault"),
        ("raise InputError('x')", "refused"),
        ("b'x' * 1_500_000_000", "large"),
        ("exec('while True: pass')", "slow"),
        ("os.kill(os.getpid(), 11)", "crash"),
        ("sys.exit(3)", "fault"),
    ],
)
def test_the_worker_tells_what_came_of_it(root, tmp_path, what, outcome):
    code = f"""
import json, os, sys
from pathlib import Path
import made_mutant_worker as worker
from spectralgpt.errors import InputError
worker.SECONDS = {1 if outcome == "slow" else "worker.SECONDS"}
def read(folder):
    {what}
folder = Path({str(tmp_path)!r})
print(json.dumps(worker.in_process(read, folder, folder / "said")))
"""
    path = (root / "src", root / "tests", root / "tests" / "products", HERE)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["outcome"] == outcome, run.stdout
