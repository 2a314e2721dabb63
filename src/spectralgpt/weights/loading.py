"""Opening any weights, and the model that a verb is to use."""

import os
import re

import torch

from spectralgpt.errors import OptionError, WeightsError, argument
from spectralgpt.weights.models import class_of
from spectralgpt.weights.pretrained import PretrainedModel, read_contents


def open_weights(name: str | os.PathLike[str], task: str | None = None) -> PretrainedModel:
    """The model of any weights, in the class of their task and in evaluation mode.

    name: a folder, a released checkpoint (.pth) or a hub id. task: for checkpoints that do not state theirs (two
    classes per pixel). Raises WeightsError, also for weights of another task.
    """
    contents = read_contents(name, task)
    return class_of(task or contents.task.name).from_contents(contents)


def load_model(
    weights: str | os.PathLike[str] | None, device: str = "auto", task: str | None = None
) -> PretrainedModel:
    """The model of these weights on a device, in evaluation mode; only of this task, if one is named.

    device: a PyTorch name; auto takes a GPU if there is one. Raises WeightsError, also when no weights are given, and
    OptionError for a device that does not exist.
    """
    if weights is None or not os.fspath(weights):
        raise WeightsError(
            "no weights are given, and none come with this version",
            "a weights folder, a released checkpoint (.pth) or a model on the Hugging Face hub",
            "Give one, or run the verb `demo`, which trains a small model, and give",
            ("weights", "demo-output/weights"),
        )
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", name):
        raise OptionError(f"{argument('device', device)}: unknown kind of device", "cpu, cuda, cuda:1, mps or auto")
    try:
        place = torch.device(name)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise OptionError(
            f"{argument('device', device)}: found no such device here ({reason})", "cpu, cuda or auto"
        ) from None
    return open_weights(weights, task).to(place)
