"""Memory that a scene frees and takes again: given back to the system once in a while, not after each window."""

import os
import subprocess
import sys

import pytest

# blocks of 24 MB, below the largest that is kept: taken, filled and freed, as each window does
TAKEN = """
import ctypes, resource
import numpy as np
from pathlib import Path
from spectralgpt.allocation import give_freed_memory_back, keep_freed_memory

def resident():
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        blocks = [np.ones(24 * 2**20, np.uint8) for _ in range(4)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
ctypes.CDLL(None).mallopt(-1, 2**17)  # so that only what is asked for below keeps it
ctypes.CDLL(None).mallopt(-3, 2**20)
plain = faults()
asked = keep_freed_memory()
faults()
kept = faults() < plain / 10
before = resident()
give_freed_memory_back()
print(plain, asked, kept, before - resident() > 50e6)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
@pytest.mark.parametrize(("variables", "said"), [({}, 3 * "True "), ({"MALLOC_ARENA_MAX": "2"}, 3 * "False ")])
def test_freed_memory_is_kept_unless_the_user_has_chosen(variables, said, clean_environment):
    run = subprocess.run(
        [sys.executable, "-c", TAKEN], env=clean_environment | variables, capture_output=True, text=True, check=True
    )
    if run.stdout.split()[0] == "0":
        pytest.skip("this system counts no page faults")
    assert run.stdout.split()[1:] == said.split()


@pytest.fixture
def clean_environment(monkeypatch) -> dict[str, str]:
    """This process's, without glibc's variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    return kept | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
