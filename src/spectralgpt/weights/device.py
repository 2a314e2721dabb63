"""The device that a user names."""

import re

import torch

from spectralgpt.errors import OptionError, argument


def named_device(name: str, local_rank: int | None = None) -> torch.device:
    """The device of the argument `device`: cpu, cuda, cuda:1, mps, or auto, which takes a GPU if there is one.

    local_rank: of a process under torchrun, which gets the GPU of this number for `cuda` and `auto`. OptionError for an
    unknown kind of device, and for one that does not exist here.
    """
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", kind):
        raise OptionError(f"{argument('device', name)}: unknown kind of device", "cpu, cuda, cuda:1, mps or auto")
    try:
        device = torch.device(f"cuda:{local_rank}" if kind == "cuda" and local_rank is not None else kind)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        expected = "cpu, cuda or auto"
        if local_rank is not None:
            expected += ", and under torchrun one GPU per process of a host"
        raise OptionError(f"{argument('device', name)}: found no such device here ({reason})", expected) from None
    return device
