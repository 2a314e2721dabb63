"""Whether the disk holds what a run will write: asked before its first step, not after a day."""

import torch
from torch import nn

from spectralgpt.errors import counted
from spectralgpt.free_space import bytes_below, free_space, in_bytes, require_space
from spectralgpt.training.checkpoints import checkpoint_bytes
from spectralgpt.training.ending import ended_together
from spectralgpt.training.run import Run, State


def check_run_space(run: Run, state: State) -> str:
    """What the run will keep and what is free, in a sentence. TargetError, in all processes, where it does not fit.

    At most `keep` checkpoints and one that is being written are on the disk, and weights: those of the run, the best of
    each stage that chooses, and those being written. What the folder holds already of these will be replaced.
    """
    keep = max(1, run.recipe.machine.keep)
    size, weights = checkpoint_bytes(state.model, state.optimizer, state.average), _weights_bytes(state.model)
    sets = 2 + sum(stage.task.chooses for stage in run.recipe.stages)
    total = (keep + 1) * size + sets * weights
    there = sum(bytes_below(run.out / name) for name in ("checkpoints", "best", "weights"))
    what = f"{counted(keep + 1, 'checkpoint')} of {in_bytes(size)} each and weights of {in_bytes(weights)}"
    with ended_together(run.distribution, run.out):
        if run.distribution.is_main:
            require_space(
                run.out,
                max(0, total - there),
                what + (f", beside the {in_bytes(there)} that it has" if there else ""),
                "choose another folder, or keep fewer checkpoints (machine.keep)",
            )
    free = free_space(run.out)
    return f"{run.out}: at most {what} at a time" + ("" if free is None else f"; {in_bytes(free)} are free")


def _weights_bytes(model: nn.Module) -> int:
    return sum(tensor.numel() * torch.float32.itemsize for tensor in model.state_dict().values())
