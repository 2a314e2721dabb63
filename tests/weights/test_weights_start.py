"""Weights load without torch's compiler, whose import takes longer than all else (`nn/start_values.py`)."""

import subprocess
import sys

import pytest
import torch

from made_weights import of_all_kinds
from spectralgpt.nn.start_values import identity

LOAD = """
import sys
from spectralgpt.weights import load_model
load_model(sys.argv[1])
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""


@pytest.mark.parametrize("kind", ["packaged", *of_all_kinds()])
def test_weights_load_without_the_compiler(tmp_path, kind):
    source = "tiny"
    if kind != "packaged":
        of_all_kinds()[kind].save_pretrained(tmp_path / "weights")
        source = str(tmp_path / "weights")
    said = subprocess.run([sys.executable, "-c", LOAD, source], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 4)])
def test_the_identity_is_that_of_torch(shape):
    assert torch.equal(identity(*shape), torch.eye(*shape[-2:]).expand(shape))
