#!/bin/sh
# torch 2.13.0, numpy 2.4.6.
#
# torch.distributed.checkpoint.state_dict.get_optimizer_state_dict is the documented way to name an optimizer's state by
# parameters, for saving and, from a new optimizer, for loading. After training it has no state for a parameter that
# never had a gradient (a layer that this task does not use). From a new optimizer it has one for every parameter, as
# the function first makes a step of its own with gradients of 0. So a checkpoint saved by one cannot be loaded into the
# other: load raises CheckpointException, "Missing key in checkpoint state_dict". The function also leaves that step
# counted: `step` is 1 in the state of the new optimizer, so what is not loaded starts with a wrong bias correction.
#
# Why it matters: a model with a part that one stage or task leaves unused trains and saves without a word, and the run
# cannot be resumed. The state of such parameters has to be made before saving.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PY'
import warnings

import torch
from torch import nn
from torch.distributed.checkpoint import load, save
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

warnings.simplefilter("ignore")
print("torch", torch.__version__)


def made() -> tuple[nn.ModuleDict, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.ModuleDict({"used": nn.Linear(2, 2), "unused": nn.Linear(2, 2)})
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)


def state_of(model: nn.ModuleDict, optimizer: torch.optim.Optimizer) -> dict:
    return get_optimizer_state_dict(model, optimizer)["state"]


model, optimizer = made()
model["used"](torch.ones(1, 2)).sum().backward()
optimizer.step()
trained = state_of(model, optimizer)
print("after training:", sorted(trained))
save({"state": trained}, checkpoint_id="checkpoint")

model, optimizer = made()
new = state_of(model, optimizer)
print("of a new optimizer:", sorted(new), "step", float(new["used.weight"]["step"]))
try:
    load({"state": new}, checkpoint_id="checkpoint")
    raised = "nothing"
except CheckpointException as error:
    raised = str(next(iter(error.failures.values()))[0])
print("loading one into the other raises:", raised)

assert sorted(trained) == ["used.bias", "used.weight"]
assert sorted(new) == ["unused.bias", "unused.weight", "used.bias", "used.weight"]
assert float(new["used.weight"]["step"]) == 1
assert "Missing key in checkpoint state_dict: state.unused" in raised
PY
"$folder/venv/bin/python" show.py
