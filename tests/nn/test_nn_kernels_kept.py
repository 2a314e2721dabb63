"""Compiled products of matrices: PyTorch keeps few of them, so that memory does not grow with the sizes of images."""

import os
import subprocess
import sys

import pytest

from spectralgpt.nn.cpu import MULTIPLIES_BF16

GROWTH = """
import os
from pathlib import Path
import torch
from spectralgpt.nn.linear import Linear

def resident():
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])

print(os.environ["LRU_CACHE_CAPACITY"], os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"])
torch.set_num_threads(1)
layer, tokens = Linear(192, 768), torch.randn(1000, 192)
with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
    for rows in range(1, 500):
        layer(tokens[:rows])
        if rows == 100:
            before = resident()
print(resident() - before)
"""
CACHES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")


def grown(**variables: str) -> tuple[list[str], int]:
    """The capacities of the caches, and how far memory grew, bytes."""
    kept = {name: value for name, value in os.environ.items() if name not in CACHES}
    kept |= {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)} | variables
    run = subprocess.run([sys.executable, "-c", GROWTH], env=kept, capture_output=True, text=True, check=True)
    capacities, growth = run.stdout.splitlines()
    return capacities.split(), int(growth)


@pytest.mark.skipif(sys.platform != "linux" or not MULTIPLIES_BF16, reason="kept as much only where bf16 is multiplied")
def test_memory_does_not_grow_with_the_number_of_sizes():
    ours, theirs = grown(), grown(**dict.fromkeys(CACHES, "1024"))
    assert ours[0] == ["64", "64"]
    assert theirs[0] == ["1024", "1024"], "what the user has set stays"
    assert theirs[1] > 100e6
    assert ours[1] < theirs[1] / 4
