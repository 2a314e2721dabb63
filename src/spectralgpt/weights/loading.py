"""The model that a verb is asked to use."""

import os
import re

import torch

from spectralgpt.errors import OptionError, WeightsError
from spectralgpt.weights.models import class_of
from spectralgpt.weights.pretrained import PretrainedModel, read_contents


def open_weights(name: str | os.PathLike[str], task: str | None = None) -> PretrainedModel:
    """The model of any weights, of the class of their task, in evaluation mode.

    name: a folder, a released checkpoint (.pth) or a hub id. task: for checkpoints that do not say (two classes for
    each pixel). Raises WeightsError, also for weights of another task than `task`.
    """
    contents = read_contents(name, task)
    return class_of(task or contents.task.name).from_contents(contents)


def load_model(
    weights: str | os.PathLike[str] | None, device: str = "auto", task: str | None = None
) -> PretrainedModel:
    """The model of --weights on --device, in evaluation mode; of this task only, if one is named.

    device: a PyTorch name; auto takes a GPU when there is one. Raises WeightsError, also when none are given, and
    OptionError for a device that is not there.
    """
    if weights is None or not os.fspath(weights):
        raise WeightsError(
            "found no weights: none come with this version. Give a weights folder, a released checkpoint (.pth) or a "
            "model of the Hugging Face hub with --weights; `spectralgpt demo` makes a small one."
        )
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise OptionError(f"--device {device}: found no such kind of device; expected cpu, cuda, cuda:1, mps or auto.")
    try:
        place = torch.device(name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise OptionError(
            f"--device {device}: found no such device here ({reason}); expected cpu, cuda or auto."
        ) from None
    return open_weights(weights, task).to(place)
